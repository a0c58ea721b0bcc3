"""The simulated line behaves as a source does: in real time, or as fast as it is read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import SourceUnavailable
from edge_agent.simulator import SimulatedLine, SimulatorSettings

PERIOD_NS = 1_000_000_000 // 25


class HandClock:
    """A clock that a test moves; waiting moves it too, at once."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000
        self.waits_s: list[float] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall(self) -> datetime:
        return datetime(2024, 1, 1, tzinfo=UTC)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waits_s.append(timeout_s)
        if not event.is_set():
            self.now_ns += round(timeout_s * 1e9)
        return event.is_set()


class StoppedClock(HandClock):
    """A clock on which nothing but the event ends a wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waiting.set()
        return event.wait(60)


def line(clock: HandClock, **changes: Any) -> SimulatedLine:
    chosen: dict[str, Any] = {"frames_per_s": 25.0, "parts": 2, "belt_speed_px_per_s": 1000.0}
    return SimulatedLine(SimulatorSettings(**{**chosen, **changes}), clock)


@pytest.mark.parametrize("paced", [True, False])
def test_a_paced_line_is_live(paced: bool) -> None:
    assert line(HandClock(), paced=paced).live is paced


@pytest.mark.parametrize("paced", [True, False])
def test_it_ends_after_the_last_part_and_counts_its_frames(paced: bool) -> None:
    source = line(HandClock(), paced=paced, parts=3)
    sequences, parts = [], set()
    with source:
        while (frame := source.read()) is not None:
            sequences.append(frame.sequence)
            parts |= {truth.part for truth in frame.truths}
        assert source.read() is None
    assert sequences == list(range(len(sequences)))
    assert len(sequences) == source.frames
    assert parts == {0, 1, 2}


def test_an_unpaced_line_does_not_wait() -> None:
    clock = HandClock()
    with line(clock, paced=False, parts=None) as source:
        for sequence in range(50):
            clock.now_ns += 7
            frame = source.read()
            assert frame is not None
            assert (frame.sequence, frame.captured_at_ns) == (sequence, clock.now_ns)
    assert clock.waits_s == []


def test_a_paced_line_waits_for_each_frame() -> None:
    clock = HandClock()
    with line(clock) as source:
        start_ns = clock.now_ns
        for sequence in range(10):
            frame = source.read()
            assert frame is not None
            assert frame.captured_at_ns == clock.now_ns == start_ns + sequence * PERIOD_NS
    assert clock.waits_s == pytest.approx([0.04] * 9)


def test_time_that_the_reader_needs_counts() -> None:
    clock = HandClock()
    with line(clock) as source:
        source.read()
        clock.now_ns += 30_000_000
        source.read()
        clock.now_ns += 45_000_000
        frame = source.read()
    assert clock.waits_s == pytest.approx([0.01])
    assert frame is not None
    assert frame.sequence == 2


def test_a_reader_that_is_too_slow_misses_frames() -> None:
    clock = HandClock()
    with line(clock, parts=None) as source:
        start_ns = clock.now_ns
        source.read()
        clock.now_ns += 10 * PERIOD_NS + 1000
        late, after = source.read(), source.read()
    assert late is not None
    assert after is not None
    assert (late.sequence, after.sequence) == (10, 11)
    assert late.captured_at_ns == start_ns + 10 * PERIOD_NS


def test_a_line_that_ended_while_nobody_looked_is_at_its_end() -> None:
    clock = HandClock()
    with line(clock) as source:
        assert source.read() is not None
        clock.now_ns += 3600 * 10**9
        assert source.read() is None


def test_frames_are_the_same_paced_and_unpaced_and_when_opened_again() -> None:
    def run(source: SimulatedLine) -> list[tuple[int, bytes, tuple[int, ...]]]:
        found = []
        with source:
            for _ in range(12):
                frame = source.read()
                assert frame is not None
                numbers = tuple(truth.part for truth in frame.truths)
                found.append((frame.sequence, frame.image.tobytes(), numbers))
        return found

    paced, unpaced = line(HandClock()), line(HandClock(), paced=False)
    first = run(paced)
    assert first[0][0] == 0
    assert run(paced) == first
    assert run(unpaced) == first


def test_close_ends_a_read_that_waits_in_another_thread() -> None:
    clock = StoppedClock()
    source = line(clock)
    source.open()
    assert source.read() is not None
    results: list[object] = ["still waiting"]

    def read() -> None:
        results[0] = source.read()

    reader = threading.Thread(target=read)
    reader.start()
    assert clock.waiting.wait(30)
    source.close()
    reader.join(30)
    assert not reader.is_alive()
    assert results == [None]


def test_reading_a_closed_line_gives_the_end() -> None:
    source = line(HandClock())
    with source:
        source.read()
    source.close()
    assert source.read() is None


def test_reading_a_line_that_was_never_opened_is_an_error() -> None:
    with pytest.raises(SourceUnavailable, match="open it before reading"):
        line(HandClock()).read()


def test_truths_follow_the_share_of_defects() -> None:
    source = line(HandClock(), paced=False, parts=20, defect_share=0.25, belt_speed_px_per_s=9000.0)
    fates: dict[int, str | None] = {}
    with source:
        while (frame := source.read()) is not None:
            for truth in frame.truths:
                assert fates.setdefault(truth.part, truth.defect) == truth.defect
                assert truth.is_defective == (truth.mask is not None)
            assert np.ptp(frame.image) > 100
    assert len(fates) == 20
    assert sum(fate is not None for fate in fates.values()) == 5
