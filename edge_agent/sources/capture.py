"""Whatever OpenCV can capture from: video files, V4L2 cameras, network streams."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import cv2

from calibration.images import QuietOpenCV
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.sources.base import Source

_FFMPEG_SILENT = "-8"
_OPEN_TIMEOUT_MS = 5000
_READ_TIMEOUT_MS = 2000
_SETTLING_NS = 1_000_000_000
_BUFFERED_NS = 4_000_000


class CaptureSource(Source):
    """The shared part: open a capture, read frames, say what went wrong."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._capture: cv2.VideoCapture | None = None
        self._sequence = 0

    @abstractmethod
    def _open_capture(self) -> cv2.VideoCapture:
        """Make the capture; it is checked by the caller."""

    @abstractmethod
    def _failure(self) -> str:
        """A sentence for when it does not open."""

    def open(self) -> None:
        """See :meth:`Source.open`."""
        self.close()
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_SILENT)
        with QuietOpenCV():
            capture = self._open_capture()
        if not capture.isOpened():
            capture.release()
            raise SourceUnavailable(self._failure())
        self._capture = capture

    def close(self) -> None:
        """See :meth:`Source.close`."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _grab(self) -> Frame | None:
        if self._capture is None:
            raise SourceUnavailable("the source is not open")
        arrived, image = self._capture.read()
        if not arrived:
            return None
        frame = Frame(image, self._sequence, self._clock.monotonic_ns())
        self._sequence += 1
        return frame


class VideoFile(CaptureSource):
    """Every frame of a video file, then the end.

    Args:
        path: of the file.
        clock: for the frames' times.
    """

    live = False
    resumable = False

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(clock)
        self._path = path

    def _open_capture(self) -> cv2.VideoCapture:
        self._sequence = 0
        return cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)

    def _failure(self) -> str:
        if not self._path.is_file():
            return f"there is no video file {self._path}"
        return f"{self._path} is no video that can be read"

    def read(self) -> Frame | None:
        """See :meth:`Source.read`."""
        return self._grab()


class Camera(CaptureSource):
    """A V4L2 camera.

    Args:
        device: its device file.
        clock: for the frames' times.
        width_px: to ask for; the camera may choose another, which is then what frames have.
        height_px: likewise.
        frames_per_s: likewise.
        pixel_format: four letters.
    """

    live = True
    resumable = True

    def __init__(
        self,
        device: str,
        clock: Clock,
        width_px: int | None = None,
        height_px: int | None = None,
        frames_per_s: float | None = None,
        pixel_format: str | None = None,
    ) -> None:
        super().__init__(clock)
        self._device = device
        self._wishes: list[tuple[int, float]] = []
        if pixel_format is not None:
            self._wishes.append((cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixel_format)))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width_px),
            (cv2.CAP_PROP_FRAME_HEIGHT, height_px),
            (cv2.CAP_PROP_FPS, frames_per_s),
        ):
            if value is not None:
                self._wishes.append((key, value))

    def _open_capture(self) -> cv2.VideoCapture:
        if not Path(self._device).exists():
            raise SourceUnavailable(self._failure())
        capture = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        for key, value in self._wishes:
            capture.set(key, value)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _failure(self) -> str:
        if not Path(self._device).exists():
            by_id = Path("/dev/v4l/by-id")
            present = sorted(str(p) for p in by_id.iterdir()) if by_id.is_dir() else []
            seen = f"present: {', '.join(present)}" if present else "no camera is plugged in"
            return f"there is no camera {self._device} ({seen})"
        if not os.access(self._device, os.R_OK | os.W_OK):
            return f"no permission for {self._device}: add this user to the group video"
        return f"{self._device} does not open as a camera; another program may be using it"

    def read(self) -> Frame:
        """See :meth:`Source.read`; a camera has no end."""
        frame = self._grab()
        if frame is None:
            raise SourceUnavailable(f"{self._device} has stopped delivering images")
        return frame


class Stream(CaptureSource):
    """A network camera: RTSP, over TCP, or MJPEG over HTTP.

    Args:
        url: of the stream, without a password.
        clock: for the frames' times.
        user: name, if the camera wants one.
        password: that goes with it.
    """

    live = True
    resumable = True

    def __init__(
        self, url: str, clock: Clock, user: str | None = None, password: str | None = None
    ) -> None:
        super().__init__(clock)
        self._url = url
        self._address = _with_login(url, user, password)
        self._opened_at_ns = 0

    def _open_capture(self) -> cv2.VideoCapture:
        # Over UDP a lost packet tears the picture; the variable is how OpenCV passes options on.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _READ_TIMEOUT_MS,
        ]
        capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, timeouts)
        self._opened_at_ns = self._clock.monotonic_ns()
        return capture

    def _failure(self) -> str:
        return (
            f"the stream {self._url} does not open: check the address in a player, and the user"
            " and password"
        )

    def read(self) -> Frame:
        """See :meth:`Source.read`; a stream has no end.

        A server sends what it has buffered first. Frames that come faster than any camera makes
        them, right after opening, are old: they are passed over.
        """
        while True:
            asked_at_ns = self._clock.monotonic_ns()
            frame = self._grab()
            if frame is None:
                raise SourceUnavailable(f"the stream {self._url} has stopped")
            settling = frame.captured_at_ns - self._opened_at_ns < _SETTLING_NS
            if settling and frame.captured_at_ns - asked_at_ns < _BUFFERED_NS:
                continue
            return frame


def _with_login(url: str, user: str | None, password: str | None) -> str:
    if user is None:
        return url
    parts = urlsplit(url)
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
