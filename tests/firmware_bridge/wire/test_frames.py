from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.wire.frames import (
    MAXIMUM_CONTENT,
    MAXIMUM_LENGTH,
    WIRE_OVERHEAD,
    Frame,
    FrameParser,
    stuff,
    unstuff,
)

contents = st.binary(max_size=MAXIMUM_CONTENT)
frames = st.builds(Frame, st.integers(0, 255), contents)


@given(st.binary(max_size=253))
def test_stuffing_leaves_no_zero_and_loses_nothing(body):
    stuffed = stuff(body)
    assert 0 not in stuffed
    assert len(stuffed) == len(body) + 1
    assert unstuff(stuffed) == body


@pytest.mark.parametrize("stuffed", [b"\x05ab", b"\x02", b"\xff" + b"a" * 10])
def test_what_no_stuffing_makes_is_refused(stuffed):
    assert unstuff(stuffed) is None


def test_a_frame_byte_by_byte():
    wire = Frame(7, b"\x11\x00\xf0").encode()
    assert wire == bytes.fromhex("00 04 07 07 11 04 f0 bc b9 00")
    assert len(wire) == 3 + 4 + WIRE_OVERHEAD


@given(st.lists(frames, max_size=8), st.integers(1, 40))
def test_frames_survive_any_cutting(sent, step):
    wire = b"".join(frame.encode() for frame in sent)
    parser = FrameParser()
    found = []
    for begin in range(0, len(wire), step):
        found += parser.feed(wire[begin : begin + step])
    assert found == sent
    assert parser.errors == 0


@given(st.binary(max_size=300), frames)
def test_after_any_noise_the_next_frame_is_found(noise, frame):
    parser = FrameParser()
    parser.feed(noise)
    assert parser.feed(frame.encode())[-1] == frame


@given(frames, st.data())
def test_a_changed_byte_never_makes_another_frame(frame, data):
    wire = bytearray(frame.encode())
    position = data.draw(st.integers(1, len(wire) - 2))
    wire[position] ^= data.draw(st.integers(1, 255))
    assert FrameParser().feed(bytes(wire)) in ([], [frame])


def test_a_frame_that_is_too_long_is_refused_at_both_ends():
    with pytest.raises(ValueError, match="bytes of content"):
        Frame(0, bytes(MAXIMUM_CONTENT + 1)).encode()
    parser = FrameParser()
    assert parser.feed(b"\0" + b"\x01" * (2 * MAXIMUM_LENGTH) + b"\0") == []
    assert parser.errors == 1


def test_reset_forgets_what_has_begun():
    wire = Frame(1, b"\x01").encode()
    parser = FrameParser()
    parser.feed(wire[:4])
    parser.reset()
    assert parser.feed(wire) == [Frame(1, b"\x01")]
    assert parser.errors == 0
