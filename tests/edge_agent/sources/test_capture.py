"""Real captures: a video file, an MJPEG server on this machine, and devices that are not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.clock import SystemClock
from edge_agent.errors import SourceUnavailable
from edge_agent.sources.capture import Camera, Stream, VideoFile
from tests.good_parts import draw_part

FRAMES = 12


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96))
    for number in range(FRAMES):
        writer.write(np.full((96, 128, 3), 10 * number + 20, np.uint8))
    writer.release()
    return path


def test_every_frame_of_a_video(video: Path) -> None:
    for _ in range(2):
        with VideoFile(video, SystemClock()) as source:
            levels = []
            while (frame := source.read()) is not None:
                assert frame.sequence == len(levels)
                levels.append(round(float(frame.image.mean()), -1))
        assert levels == [10 * n + 20 for n in range(FRAMES)]


def test_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="there is no video file"):
        VideoFile(tmp_path / "absent.avi", SystemClock()).open()
    (tmp_path / "text.avi").write_text("hello")
    with pytest.raises(SourceUnavailable, match="is no video that can be read"):
        VideoFile(tmp_path / "text.avi", SystemClock()).open()


def test_no_camera() -> None:
    with pytest.raises(SourceUnavailable, match=r"there is no camera /dev/video-none"):
        Camera("/dev/video-none", SystemClock()).open()


def test_a_device_that_is_no_camera() -> None:
    with pytest.raises(SourceUnavailable, match="/dev/null does not open as a camera"):
        Camera("/dev/null", SystemClock()).open()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    frames_per_connection = 10_000
    wanted_login: str | None = None


class _Mjpeg(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.server.wanted_login and self.headers.get("Authorization") is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        pause = threading.Event()
        for number in range(self.server.frames_per_connection):
            data = cv2.imencode(".jpg", draw_part(number))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            pause.wait(0.02)  # the camera's frame rate


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Mjpeg) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_an_mjpeg_stream(server: _Server) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}/video"
    with Stream(url, SystemClock()) as source:
        frames = [source.read() for _ in range(3)]
    assert [f.sequence for f in frames] == sorted({f.sequence for f in frames})
    assert frames[0].image.shape == (96, 128, 3)


def test_a_stream_with_a_login(server: _Server) -> None:
    server.wanted_login = "user"
    url = f"http://127.0.0.1:{server.server_address[1]}/video"
    with pytest.raises(SourceUnavailable, match="check the address in a player, and the user"):
        Stream(url, SystemClock()).open()
    with Stream(url, SystemClock(), user="us er", password="p@ss:w/rd") as source:
        assert source.read().image.shape == (96, 128, 3)


def test_a_stream_that_stops_says_so(server: _Server) -> None:
    server.frames_per_connection = 80
    url = f"http://127.0.0.1:{server.server_address[1]}/video"
    with Stream(url, SystemClock()) as source:
        frames = 0

        def read_all() -> None:
            nonlocal frames
            for _ in range(200):
                source.read()
                frames += 1

        with pytest.raises(SourceUnavailable, match="has stopped"):
            read_all()
    assert 0 < frames <= 80


def test_no_server() -> None:
    with pytest.raises(SourceUnavailable, match=r"stream http://127.0.0.1:9/ does not open"):
        Stream("http://127.0.0.1:9/", SystemClock()).open()
