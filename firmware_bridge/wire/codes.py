"""The numbers that stand for words on the wire; part of the one table, see ``messages``."""

from __future__ import annotations

import enum
from collections.abc import ItemsView, Mapping
from typing import Generic, TypeVar

from firmware_bridge.events import LatePolicy, OutcomeKind, SafeAction, SafeReason, Verdict

HANG_KEY = 0x57AC_4D06
"""A hang on purpose must be meant: no other content of that message is obeyed."""

Word = TypeVar("Word", bound=enum.Enum)


class Codes(Generic[Word]):
    """Words and their numbers, both ways."""

    def __init__(self, codes: Mapping[Word, int]) -> None:
        self._codes = dict(codes)
        self._words = {code: word for word, code in codes.items()}

    def __getitem__(self, word: Word) -> int:
        return self._codes[word]

    def word(self, code: int) -> Word | None:
        """The word for a number; None for a number that means nothing."""
        return self._words.get(code)

    def items(self) -> ItemsView[Word, int]:
        """All pairs, in order."""
        return self._codes.items()


class Result(enum.IntEnum):
    """What became of a numbered frame; the detail is named by each."""

    DONE = 0
    NO_SESSION = 1
    """The MCU has been reset since, or another host has taken over."""
    BAD_CONFIGURATION = 2
    """Detail: position of the field in ``configure``, or 128 + a rule's number."""
    NOT_NOW = 3
    """Not in this state: parts in flight, or no valid configuration."""
    OTHER_REASON = 4
    """``clear`` named a reason that is not the present one; detail: the present one."""
    UNKNOWN_MESSAGE = 5
    """Detail: the code."""


class ResetCause(enum.IntEnum):
    """Why the MCU started."""

    POWER_ON = 1
    EXTERNAL = 2
    BROWN_OUT = 3
    WATCHDOG = 4


class Rule(enum.IntEnum):
    """Rules between fields of a configuration that the MCU checks, whatever the host says."""

    DELAY_OR_DISTANCE = 0
    """Exactly one of ``delay_us`` and ``distance_counts`` is set; a distance needs an encoder."""
    DELAY_TOO_SHORT = 1
    """``delay_us`` must exceed ``lead_us + minimum_gap_us`` by the commit margin."""
    PULSE_TOO_LONG = 2
    """``pulse_us`` must not exceed ``maximum_on_us``."""
    STROBE_TOO_LONG = 3
    """``strobe_delay_us + strobe_us`` must end within ``dead_time_us``."""


class Option(enum.IntFlag):
    """Bits of ``options`` in a configuration."""

    TRIGGER_FALLING = 1
    GATE_ACTIVE_LOW = 2
    STROBE_ACTIVE_LOW = 4
    ENCODER = 8
    ENCODER_QUADRATURE = 16
    ENCODER_REVERSED = 32
    CONFIRMATION_FALLING = 64


class OutcomeFlag(enum.IntFlag):
    """Bits of ``flags`` in an outcome."""

    FIRED = 1
    """The gate was on for this part, whatever the kind."""
    MERGED = 2
    """The gate was on already for an earlier part: there is no edge of its own."""
    CLIPPED = 4
    """The pulse was shortened or begun late to keep the minimum gap or the maximum on-time."""
    MISSED = 8
    """The moment had passed when the gate could be served; it was not fired."""


VERDICTS = Codes({Verdict.OK: 0x0F, Verdict.NG: 0xF0, Verdict.SKIPPED: 0x33})
"""At least four bits apart, so that no small damage turns one into another."""

OUTCOMES = Codes(
    {
        OutcomeKind.PASSED: 1,
        OutcomeKind.REJECTED: 2,
        OutcomeKind.LATE: 3,
        OutcomeKind.LOST: 4,
        OutcomeKind.SKIPPED: 5,
    }
)

LATE_POLICIES = Codes({LatePolicy.REJECT: 0, LatePolicy.PASS: 1, LatePolicy.STOP: 2})

SAFE_ACTIONS = Codes({SafeAction.PASS_ALL: 0, SafeAction.REJECT_ALL: 1, SafeAction.STOP_LINE: 2})

SAFE_REASONS = Codes(
    {
        SafeReason.NONE: 0,
        SafeReason.POWER_ON: 1,
        SafeReason.EXTERNAL_RESET: 2,
        SafeReason.BROWN_OUT: 3,
        SafeReason.WATCHDOG: 4,
        SafeReason.NO_CONFIGURATION: 5,
        SafeReason.BAD_CONFIGURATION: 6,
        SafeReason.NEW_CONFIGURATION: 7,
        SafeReason.HOST_LEFT: 8,
        SafeReason.HEARTBEAT_LOST: 9,
        SafeReason.LATE_VERDICT: 10,
        SafeReason.REVERSE_MOTION: 11,
        SafeReason.ENCODER_LOST: 12,
        SafeReason.NOT_CONFIRMED: 13,
        SafeReason.CONSECUTIVE_REJECTS: 14,
        SafeReason.MAXIMUM_ON_TIME: 15,
        SafeReason.TOO_MANY_PARTS: 16,
    }
)
