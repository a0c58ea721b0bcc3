"""The reader against sources that fail in every way that cameras do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.sources.base import Source
from edge_agent.sources.reader import FrameReader
from tests.clocks import ManualClock

Script = Callable[[], Iterator[np.ndarray]]
NOISE = np.random.default_rng(0).integers(40, 200, (200, 16, 16)).astype(np.uint8)


class ScriptedSource(Source):
    """Opens and reads as a generator says; an exception in it is the device's."""

    def __init__(self, script: Script, *, live: bool = True, resumable: bool = True) -> None:
        self.live, self.resumable = live, resumable
        self._script = script
        self._images: Iterator[np.ndarray] = iter(())
        self.opened = 0
        self.closed = 0

    def open(self) -> None:
        self.opened += 1
        self._images = self._script()

    def read(self) -> Frame | None:
        image = next(self._images, None)
        return None if image is None else Frame(image, 0, 0)

    def close(self) -> None:
        self.closed += 1


def _numbers(reader: FrameReader) -> list[int]:
    """First pixel of everything that comes out."""
    numbers = []
    while not reader.slot.finished:
        frame = reader.slot.take(5)
        if frame is not None:
            numbers.append(int(frame.image[0, 0]))
    return numbers


def test_every_image_of_a_recorded_source_comes_out() -> None:
    images = [np.full((16, 16), value, np.uint8) for value in range(100)]
    source = ScriptedSource(lambda: iter(images), live=False)
    with FrameReader(lambda: source, ManualClock()) as reader:
        # Black ones too: files are what somebody chose to inspect.
        assert _numbers(reader) == list(range(100))
    assert reader.frames == 100
    assert source.closed == 1


def test_a_source_that_never_opened_is_an_error_at_once() -> None:
    def refuse() -> Iterator[np.ndarray]:
        raise SourceUnavailable("there is no camera /dev/video9")

    with pytest.raises(SourceUnavailable, match="no camera /dev/video9"):
        FrameReader(lambda: ScriptedSource(refuse), ManualClock()).__enter__()


def test_a_camera_that_comes_and_goes_is_opened_again_with_growing_pauses() -> None:
    openings = iter(["works", "gone", "gone", "gone", "works", "ends"])

    def script() -> Iterator[np.ndarray]:
        state = next(openings)
        if state == "gone":
            raise SourceUnavailable("unplugged")

        def images() -> Iterator[np.ndarray]:
            yield NOISE[0]
            if state == "works":
                raise SourceUnavailable("unplugged")

        return images()

    clock = ManualClock()
    source = ScriptedSource(script, live=False)
    with FrameReader(lambda: source, clock, reconnect_max_s=1.5) as reader:
        assert len(_numbers(reader)) == 3
    # After frames came, the pauses start anew; without, they double up to the limit.
    assert clock.waits == [0.5, 1.0, 1.5, 1.5, 0.5]
    assert reader.reconnects == 5
    assert reader.problem is None


def test_a_list_of_files_is_not_begun_anew() -> None:
    def script() -> Iterator[np.ndarray]:
        yield NOISE[0]
        raise SourceUnavailable("too many unreadable files")

    source = ScriptedSource(script, live=False, resumable=False)
    with FrameReader(lambda: source, ManualClock()) as reader:
        assert len(_numbers(reader)) == 1
    assert source.opened == 1
    assert "too many" in str(reader.failure)


def _ends_after(first: list[np.ndarray]) -> Script:
    """The images, then, when opened again, the end."""
    openings = iter([first, []])
    return lambda: iter(next(openings))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ([NOISE[0]] * 40, "frozen"),
        ([np.full((16, 16), 3 + n % 2, np.uint8) for n in range(40)], "black"),
    ],
)
def test_black_and_frozen_cameras_are_opened_anew(
    images: list[np.ndarray], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(_ends_after(images))
    with FrameReader(lambda: source, ManualClock()) as reader:
        _numbers(reader)
    assert source.opened == 2
    assert sentence in caplog.text
    assert reader.frames < 15


def test_a_single_black_frame_is_passed_over() -> None:
    images = [NOISE[0], np.zeros((16, 16), np.uint8), NOISE[1]]
    source = ScriptedSource(lambda: iter(images))
    with FrameReader(lambda: source, ManualClock()) as reader:
        _numbers(reader)
    assert reader.frames == 3
    assert reader.unusable == 1
    assert reader.reconnects == 0


def test_a_stalled_driver_is_abandoned_with_its_thread() -> None:
    stalled = threading.Event()
    released = threading.Event()
    entered = threading.Event()

    def hang() -> Iterator[np.ndarray]:
        yield NOISE[0]
        entered.set()
        stalled.wait()
        released.set()
        yield NOISE[1]

    sources = [ScriptedSource(hang), ScriptedSource(lambda: iter([NOISE[2], NOISE[3]]))]
    waiting = iter(sources)
    clock = ManualClock()
    reader = FrameReader(lambda: next(waiting), clock, read_timeout_s=5)
    with reader:
        assert entered.wait(10)
        assert reader.slot.take(10) is not None
        clock.advance(4.9)
        reader.replace_if_stuck()
        assert sources[1].opened == 0
        clock.advance(0.2)
        reader.replace_if_stuck()
        while not reader.slot.finished:
            reader.slot.take(1)
        stalled.set()
        assert released.wait(10)
    assert sources[1].opened == 1
    assert reader.frames == 3  # what the abandoned driver delivers at last is not counted
    assert reader.reconnects == 1
