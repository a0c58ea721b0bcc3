from __future__ import annotations

import itertools

import pytest

from firmware_bridge.wire import codes, generate, messages
from firmware_bridge.wire.frames import MAXIMUM_CONTENT
from firmware_bridge.wire.limits import CONFIGURATION_LIMITS


def test_header_and_page_are_what_the_table_says(capsys):
    stale = generate.main(["--check"])
    assert not stale, f"{capsys.readouterr().out}run: python -m firmware_bridge.wire.generate"


def test_every_message_fits_a_frame_and_has_a_code_of_its_own():
    assert max(kind.size for kind in messages.MESSAGES) <= MAXIMUM_CONTENT
    assert len({kind.code for kind in messages.MESSAGES}) == len(messages.MESSAGES)
    for kind in messages.MESSAGES:
        assert (kind.code >= 0x80) == (kind.direction is messages.Direction.REPORT)


@pytest.mark.parametrize("kind", messages.MESSAGES, ids=lambda kind: kind.name)
def test_a_message_comes_back_as_it_went(kind):
    values = {
        field.name: bytes(range(1, field.size + 1)) if field.kind.startswith("bytes") else 1 + n
        for n, field in enumerate(kind.fields)
    }
    message = messages.make(kind, **values)
    assert len(message.encode()) == kind.size
    assert messages.decode(message.encode() * 2) == [message, message]


def test_a_message_needs_all_its_fields_and_no_others():
    with pytest.raises(KeyError):
        messages.make(messages.DECIDE, part=1)
    with pytest.raises(KeyError, match="has no field colour"):
        messages.make(messages.DECIDE, part=1, verdict=2, colour=3)
    with pytest.raises(KeyError, match="no field"):
        messages.make(messages.CONNECT, session=1)["part"]


def test_half_a_message_is_none():
    whole = messages.make(messages.DECIDE, part=1, verdict=2).encode()
    assert messages.decode(whole + whole[:3]) is None
    assert messages.decode(b"\x7f") is None
    assert messages.decode(b"") == []


def test_no_small_damage_turns_a_verdict_into_another():
    for one, other in itertools.combinations([code for _, code in codes.VERDICTS.items()], 2):
        assert (one ^ other).bit_count() >= 4


def test_words_and_codes_go_both_ways():
    for table in (codes.VERDICTS, codes.OUTCOMES, codes.SAFE_REASONS, codes.SAFE_ACTIONS):
        for word, code in table.items():
            assert table.word(code) is word
        assert table.word(0xEE) is None


def test_every_limit_holds_a_range_that_its_type_can():
    widths = {"u8": 8, "u16": 16, "u32": 32}
    for limit in CONFIGURATION_LIMITS:
        assert 0 <= limit.minimum <= limit.maximum < 1 << widths[limit.kind], limit.name
        # The firmware counts microseconds in ticks of half a microsecond, 31 bits of them.
        if limit.name.endswith("_us"):
            assert limit.maximum * messages.TICKS_PER_US < 1 << 31


def test_the_page_complains_when_its_marks_are_gone():
    with pytest.raises(ValueError, match="has lost the mark"):
        generate.page("nothing here")
