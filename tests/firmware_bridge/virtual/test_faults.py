from __future__ import annotations

import random

import pytest

from firmware_bridge.virtual.faults import FaultyWire
from firmware_bridge.wire.frames import Frame, FrameParser

FRAMES = [Frame(n % 256, bytes([n % 256, 0, 1])) for n in range(400)]


def carried(wire: FaultyWire) -> list[Frame]:
    parser = FrameParser()
    return [found for frame in FRAMES for found in parser.feed(wire.carry(frame.encode()))]


def test_a_good_wire_changes_nothing():
    wire = FaultyWire(random.Random(1))
    assert carried(wire) == FRAMES
    assert wire.damaged == 0


def test_damage_costs_frames_and_makes_none_up():
    wire = FaultyWire(random.Random(1), damage=0.01)
    arrived = carried(wire)
    assert 0.8 * len(FRAMES) < len(arrived) < len(FRAMES)
    assert set(arrived) <= set(FRAMES)
    assert wire.damaged > 10


def test_repetition_and_reordering_lose_nothing():
    wire = FaultyWire(random.Random(1), repeat=0.2)
    arrived = carried(wire)
    assert len(arrived) > 1.1 * len(FRAMES)
    assert set(arrived) == set(FRAMES)
    wire = FaultyWire(random.Random(1), reorder=0.2)
    arrived = carried(wire)
    assert len(arrived) >= len(FRAMES) - 1
    assert arrived != FRAMES[: len(arrived)]


@pytest.mark.parametrize("step", [1, 3])
def test_frames_may_arrive_in_pieces(step):
    wire = FaultyWire(random.Random(2), repeat=0.3)
    stream = b"".join(frame.encode() for frame in FRAMES)
    parser = FrameParser()
    arrived = []
    for begin in range(0, len(stream), step):
        arrived += parser.feed(wire.carry(stream[begin : begin + step]))
    assert set(arrived) == set(FRAMES)
    assert parser.errors == 0


def test_what_was_kept_leaves_when_the_faults_end():
    wire = FaultyWire(random.Random(0), reorder=1.0)
    held = FRAMES[0].encode()
    assert wire.carry(held) == b""
    wire.reorder = 0
    assert FrameParser().feed(wire.carry(FRAMES[1].encode())) == FRAMES[:2]


def test_the_same_seed_brings_the_same_faults():
    first, second = (FaultyWire(random.Random(9), damage=0.05) for _ in range(2))
    assert carried(first) == carried(second)
