"""Images from a folder: what is there, or what arrives."""

from __future__ import annotations

import logging
import threading
from collections import deque
from pathlib import Path

from calibration.errors import DatasetError, UnreadableImage
from calibration.images import SUFFIXES, Skipped, list_images, read_image
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.sources.base import Source

_log = logging.getLogger(__name__)


class FolderOnce(Source):
    """Every image file of a folder, in order of names, then the end.

    A file that is no image is passed over up to the limit of ``calibration.images.Skipped``.

    Args:
        folder: with the images.
        clock: for the frames' times.
        recursive: also the images in the folders below it.
    """

    live = False
    resumable = False

    def __init__(self, folder: Path, clock: Clock, *, recursive: bool = False) -> None:
        self._folder, self._clock, self._recursive = folder, clock, recursive
        self._files: deque[Path] = deque()
        self._sequence = 0
        self._skipped = Skipped(0)

    def open(self) -> None:
        """See :meth:`Source.open`; starts from the first file."""
        try:
            self._files = deque(list_images(self._folder, recursive=self._recursive))
        except DatasetError as error:
            raise SourceUnavailable(str(error)) from error
        self._sequence = 0
        self._skipped = Skipped(len(self._files))

    def read(self) -> Frame | None:
        """See :meth:`Source.read`."""
        while self._files:
            path = self._files.popleft()
            try:
                image = read_image(path)
            except UnreadableImage as error:
                try:
                    self._skipped.add(error)
                except DatasetError as refusal:
                    raise SourceUnavailable(str(refusal)) from refusal
                _log.warning("passed over: %s", error)
                continue
            name = path.relative_to(self._folder).as_posix()
            frame = Frame(image, self._sequence, self._clock.monotonic_ns(), name=name)
            self._sequence += 1
            return frame
        return None

    def close(self) -> None:
        """See :meth:`Source.close`."""
        self._files.clear()


class FolderWatch(Source):
    """Image files that arrive in a folder from now on, e.g. by FTP from a camera.

    A file counts as arrived when it is a whole image; one that never becomes whole is given up
    after a while, with a warning.

    Args:
        folder: to watch.
        poll_s: seconds between two looks.
        clock: for waiting and for the frames' times.
    """

    live = False
    resumable = True
    _GIVE_UP_AFTER_LOOKS = 50

    def __init__(self, folder: Path, poll_s: float, clock: Clock) -> None:
        self._folder, self._poll_s, self._clock = folder, poll_s, clock
        self._closed = threading.Event()
        self._known: set[str] = set()
        self._looks: dict[str, int] = {}
        self._sequence = 0
        self._opened = False

    def open(self) -> None:
        """See :meth:`Source.open`; what is in the folder the first time is left alone."""
        names = self._names()
        if not self._opened:
            self._known = set(names)
            self._opened = True
        self._closed.clear()

    def read(self) -> Frame | None:
        """See :meth:`Source.read`; None only after :meth:`interrupt` or :meth:`close`."""
        while not self._closed.is_set():
            names = self._names()
            self._known &= set(names)  # a deleted name may come again
            for name in names:
                if name not in self._known:
                    frame = self._try(name)
                    if frame is not None:
                        return frame
            self._clock.wait(self._closed, self._poll_s)
        return None

    def interrupt(self) -> None:
        """See :meth:`Source.interrupt`."""
        self._closed.set()

    def close(self) -> None:
        """See :meth:`Source.close`."""
        self._closed.set()

    def _names(self) -> list[str]:
        try:
            return sorted(p.name for p in self._folder.iterdir() if p.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise SourceUnavailable(f"cannot read {self._folder}: {error.strerror}") from error

    def _try(self, name: str) -> Frame | None:
        try:
            image = read_image(self._folder / name)
        except UnreadableImage as error:
            self._looks[name] = self._looks.get(name, 0) + 1
            if self._looks[name] >= self._GIVE_UP_AFTER_LOOKS:
                self._known.add(name)
                del self._looks[name]
                _log.warning("given up: %s", error)
            return None
        self._known.add(name)
        self._looks.pop(name, None)
        frame = Frame(image, self._sequence, self._clock.monotonic_ns(), name=name)
        self._sequence += 1
        return frame
