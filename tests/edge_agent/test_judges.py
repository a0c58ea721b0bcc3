from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from calibration.errors import ImageMismatch
from edge_agent.judges import Judges

PATIENCE_S = 20


class Slow:
    """A detector whose inspections end when the test says so."""

    def __init__(self, gates: dict[int, threading.Event]) -> None:
        self._gates = gates

    def inspect(self, image: int) -> str:
        assert self._gates[image].wait(PATIENCE_S)
        if image == 13:
            raise ImageMismatch("another size")
        return f"judged {image}"


def _part(number: int) -> Any:
    return SimpleNamespace(number=number, image=number)


def test_parts_are_judged_side_by_side_and_told_in_order() -> None:
    gates = {number: threading.Event() for number in range(3)}
    told: list[tuple[int, Any]] = []
    all_told = threading.Event()

    def note(part: Any, judgement: Any) -> None:
        told.append((part.number, judgement))
        if len(told) == 3:
            all_told.set()

    detectors: list[Any] = [Slow(gates) for _ in range(3)]
    with Judges(detectors, note) as judges:
        for number in range(3):
            judges.feed(_part(number))
        gates[2].set()
        gates[1].set()
        assert told == []  # the first one is still being looked at
        gates[0].set()
        assert all_told.wait(PATIENCE_S)
    assert told == [(n, f"judged {n}") for n in range(3)]


def test_with_one_detector_everything_happens_in_the_callers_thread() -> None:
    gate = threading.Event()
    gate.set()
    threads = []
    detectors: list[Any] = [Slow({1: gate, 13: gate})]
    told: list[Any] = []

    def note(part: Any, judgement: Any) -> None:
        threads.append(threading.current_thread())
        told.append(judgement)

    with Judges(detectors, note) as judges:
        judges.feed(_part(1))
        judges.feed(_part(13))
    assert threads == [threading.current_thread()] * 2
    assert told[0] == "judged 1"
    assert isinstance(told[1], ImageMismatch)


@pytest.mark.parametrize("count", [1, 2])
def test_what_the_listener_raises_ends_the_work(count: int) -> None:
    gate = threading.Event()
    gate.set()
    detectors: list[Any] = [Slow({1: gate, 2: gate}) for _ in range(count)]
    told = []

    def refuse(part: Any, _judgement: Any) -> None:
        told.append(part.number)
        raise ValueError("not like this")

    def feed_all() -> None:
        with Judges(detectors, refuse) as judges:
            judges.feed(_part(1))
            judges.feed(_part(2))

    with pytest.raises(ValueError, match="not like this"):
        feed_all()
    assert told == [1]
