from __future__ import annotations

import itertools

import pytest

from firmware_bridge.mcu.link import (
    LAST_NUMBER,
    LONGEST_TIMEOUT_NS,
    SHORTEST_TIMEOUT_NS,
    VERDICTS_PER_FRAME,
    CommandLink,
    TripTimer,
)
from firmware_bridge.wire import messages
from firmware_bridge.wire.codes import Result
from firmware_bridge.wire.frames import Frame, FrameParser

MS = 1_000_000


def decide(part: int) -> messages.Message:
    return messages.make(messages.DECIDE, part=part, verdict=0x0F)


def only_frame(wire: bytes) -> Frame:
    (frame,) = FrameParser().feed(wire)
    return frame


def test_one_frame_is_on_its_way_at_a_time():
    link = CommandLink()
    first = link.submit(messages.make(messages.CLEAR, reason=1))
    second = link.submit(messages.make(messages.RELEASE))
    assert only_frame(link.poll(0)).sequence == 1
    assert link.poll(1 * MS) == b""
    assert link.acknowledged(1, Result.DONE, 0, 3 * MS)
    assert first.result().result is Result.DONE
    assert not second.done()
    assert only_frame(link.poll(3 * MS)).sequence == 2


def test_verdicts_that_wait_travel_together():
    link = CommandLink()
    replies = [link.submit(decide(part)) for part in range(1, 9)]
    first = messages.decode(only_frame(link.poll(0)).content)
    assert [message["part"] for message in first] == [1, 2, 3, 4, 5][:VERDICTS_PER_FRAME]
    link.acknowledged(1, Result.DONE, 0, MS)
    assert [reply.done() for reply in replies] == [True] * 5 + [False] * 3
    second = messages.decode(only_frame(link.poll(MS)).content)
    assert [message["part"] for message in second] == [6, 7, 8]


def test_other_commands_travel_alone():
    link = CommandLink()
    link.submit(decide(1))
    link.submit(messages.make(messages.RELEASE))
    link.submit(decide(2))
    kinds = []
    for number in (1, 2, 3):
        kinds.append([m.kind.name for m in messages.decode(only_frame(link.poll(0)).content)])
        link.acknowledged(number, Result.DONE, 0, 0)
    assert kinds == [["decide"], ["release"], ["decide"]]


def test_the_same_bytes_again_until_acknowledged():
    link = CommandLink()
    link.submit(decide(1))
    wire = link.poll(0)
    sent_at = [0]
    now_ns = 0
    while len(sent_at) < 6:
        now_ns = link.due_ns
        assert link.poll(now_ns - 1) == b""
        assert link.poll(now_ns) == wire
        sent_at.append(now_ns)
    pauses = [b - a for a, b in itertools.pairwise(sent_at)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_TIMEOUT_NS
    assert link.retransmissions == 5


def test_an_acknowledgement_of_something_else_changes_nothing():
    link = CommandLink()
    assert not link.acknowledged(1, Result.DONE, 0, 0)
    link.submit(decide(1))
    link.poll(0)
    assert not link.acknowledged(2, Result.DONE, 0, MS)
    assert link.acknowledged(1, Result.DONE, 0, MS)
    assert not link.acknowledged(1, Result.DONE, 0, MS)


def test_numbers_go_round_without_zero():
    link = CommandLink()
    numbers = []
    for _ in range(LAST_NUMBER + 2):
        link.submit(decide(1))
        number = only_frame(link.poll(0)).sequence
        numbers.append(number)
        link.acknowledged(number, Result.DONE, 0, 0)
    assert numbers[-3:] == [LAST_NUMBER, 1, 2]
    assert 0 not in numbers


def test_a_new_session_cancels_what_was_queued():
    link = CommandLink()
    replies = [link.submit(decide(1)), link.submit(messages.make(messages.RELEASE))]
    link.poll(0)
    link.reset()
    assert all(reply.cancelled() for reply in replies)
    assert link.due_ns is None
    link.submit(decide(2))
    assert only_frame(link.poll(0)).sequence == 1


def test_a_wire_that_is_back_gets_the_open_frame_at_once():
    link = CommandLink()
    link.submit(decide(1))
    wire = link.poll(0)
    link.poll(link.due_ns)
    link.resume(7 * MS)
    assert link.poll(7 * MS) == wire


def test_the_timeout_follows_the_wire():
    timer = TripTimer()
    for _ in range(50):
        timer.measured(3 * MS)
    assert timer.timeout_ns(0) == SHORTEST_TIMEOUT_NS
    for _ in range(50):
        timer.measured(40 * MS)
    assert timer.timeout_ns(0) == pytest.approx(40 * MS, rel=0.1)
    assert timer.timeout_ns(1) == pytest.approx(2 * timer.timeout_ns(0), abs=2)
    assert timer.timeout_ns(30) == LONGEST_TIMEOUT_NS


def test_frames_sent_twice_measure_nothing():
    link = CommandLink()
    link.submit(decide(1))
    link.poll(0)
    link.poll(link.due_ns)
    link.acknowledged(1, Result.DONE, 0, 300 * MS)
    assert link.trips.smoothed_ns is None
