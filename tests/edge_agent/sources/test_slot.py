from __future__ import annotations

import threading

import numpy as np

from edge_agent.frame import Frame
from edge_agent.sources.slot import FrameSlot

IMAGE = np.zeros((2, 2), np.uint8)


def _frame(number: int) -> Frame:
    return Frame(IMAGE, number, number)


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    slot = FrameSlot(newest_wins=True)
    for number in range(5):
        slot.put(_frame(number))
    taken = slot.take(0)
    assert taken is not None
    assert taken.sequence == 4
    assert slot.dropped == 4
    assert slot.take(0) is None


def test_without_newest_wins_every_frame_arrives_in_order() -> None:
    slot = FrameSlot(newest_wins=False)

    def fill() -> None:
        for number in range(50):
            slot.put(_frame(number))
        slot.close()

    thread = threading.Thread(target=fill)
    thread.start()
    numbers = []
    while (frame := slot.take()) is not None:
        numbers.append(frame.sequence)
    thread.join()
    assert numbers == list(range(50))
    assert slot.dropped == 0
    assert slot.finished


def test_closing_wakes_both_sides() -> None:
    slot = FrameSlot(newest_wins=False)
    slot.put(_frame(0))
    writer = threading.Thread(target=slot.put, args=(_frame(1),))
    writer.start()
    slot.close()
    writer.join()
    last = slot.take()
    assert last is not None
    assert last.sequence == 0
    assert slot.take() is None


def test_an_abandoned_writer_gives_its_frame_up() -> None:
    slot = FrameSlot(newest_wins=False)
    slot.put(_frame(0))
    slot.put(_frame(1), abandoned=lambda: True)
    kept = slot.take(0)
    assert kept is not None
    assert kept.sequence == 0


def test_waking_ends_a_wait_once_and_loses_no_frame() -> None:
    slot = FrameSlot(newest_wins=True)
    slot.wake()
    assert slot.take(None) is None
    assert slot.take(0) is None
    slot.put(_frame(7))
    slot.wake()
    taken = slot.take(None)
    assert taken is not None
    assert taken.sequence == 7
