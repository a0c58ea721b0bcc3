"""What the bridge tells: triggers, outcomes, and the words they are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What the host says about a part."""

    OK = "OK"
    """Let it pass."""

    NG = "NG"
    """Kick it off."""

    SKIPPED = "SKIPPED"
    """There will be no verdict (no picture, overload): the late policy rules the gate."""


class OutcomeKind(enum.Enum):
    """How a part ended. Every trigger ends in exactly one of these."""

    PASSED = "passed"
    """Verdict OK, and the gate left it alone."""

    REJECTED = "rejected"
    """Verdict NG, and the gate fired."""

    LATE = "late"
    """No verdict by the point of no return: the late policy ruled the gate. Or the gate itself
    could not act in time."""

    LOST = "lost"
    """What happened to it is not known, or it could not be tracked at all."""

    SKIPPED = "skipped"
    """No verdict was to be had, or the safe state ruled the gate."""


class LatePolicy(enum.Enum):
    """What happens at the gate to a part without a verdict."""

    REJECT = "reject"
    PASS = "pass"
    STOP = "stop"
    """The part passes, and the line stops."""


class SafeAction(enum.Enum):
    """What the outputs do in the safe state."""

    PASS_ALL = "pass-all"
    """The gate stays off; the line may run."""

    REJECT_ALL = "reject-all"
    """Every part is kicked off; the line may run."""

    STOP_LINE = "stop-line"
    """The gate stays off; the line may not run."""


class SafeReason(enum.Enum):
    """Why the safe state was entered; it stays until somebody clears it."""

    NONE = "running"
    POWER_ON = "power-on"
    EXTERNAL_RESET = "external-reset"
    """The reset button, or the serial port of an Uno being opened."""
    BROWN_OUT = "brown-out"
    WATCHDOG = "watchdog"
    """The firmware had hung."""
    NO_CONFIGURATION = "no-configuration"
    """Nothing valid was stored."""
    BAD_CONFIGURATION = "bad-configuration"
    """The host sent one outside the limits."""
    NEW_CONFIGURATION = "new-configuration"
    HOST_LEFT = "host-left"
    HEARTBEAT_LOST = "heartbeat-lost"
    LATE_VERDICT = "late-verdict"
    """A part without a verdict, and the late policy is to stop."""
    REVERSE_MOTION = "reverse-motion"
    ENCODER_LOST = "encoder-lost"
    NOT_CONFIRMED = "not-confirmed"
    """An ejected part was not seen by the confirmation sensor."""
    CONSECUTIVE_REJECTS = "consecutive-rejects"
    MAXIMUM_ON_TIME = "maximum-on-time"
    """The gate was asked to be on for longer than it may be."""
    TOO_MANY_PARTS = "too-many-parts"
    """More parts between photo-eye and gate than can be tracked."""


ALWAYS_STOP = frozenset(
    {
        SafeReason.NO_CONFIGURATION,
        SafeReason.LATE_VERDICT,
        SafeReason.NOT_CONFIRMED,
        SafeReason.CONSECUTIVE_REJECTS,
        SafeReason.MAXIMUM_ON_TIME,
        SafeReason.TOO_MANY_PARTS,
    }
)
"""Reasons that stop the line whatever safe action is configured: bad parts may have got past."""

BELT_UNKNOWN = frozenset({SafeReason.REVERSE_MOTION, SafeReason.ENCODER_LOST})
"""Reasons for which rejecting all parts is beyond us, for want of a belt to follow: where that is
configured, the line stops instead."""


@dataclass(frozen=True)
class Trigger:
    """A part has passed the photo-eye.

    Attributes:
        part: its number, counting from 1 in the life of a rejector.
        triggered_at_ns: the edge, on the host's monotonic clock.
        uncertainty_ns: that time is right within this.
        encoder_count: at the edge; None without an encoder.
    """

    part: int
    triggered_at_ns: int
    uncertainty_ns: int
    encoder_count: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a part ended.

    Attributes:
        part: as in its trigger.
        kind: one of five.
        fired: whether the gate was on for this part (a late part may well be rejected).
        fired_at_ns: when the gate went on for it, on the host's monotonic clock; None if unfired.
        error_us: of that moment against trigger + delay - lead; None where the part has no edge of
            its own, or the gate works by distance.
        error_counts: of the rising edge against trigger + distance; None as above.
        merged: an earlier part's pulse was on already.
        clipped: the pulse was shortened or begun late by the minimum gap or maximum on-time.
        missed: the gate should have acted on it, and could not in time.
    """

    part: int
    kind: OutcomeKind
    fired: bool = False
    fired_at_ns: int | None = None
    error_us: float | None = None
    error_counts: int | None = None
    merged: bool = False
    clipped: bool = False
    missed: bool = False


@dataclass(frozen=True)
class SafeStateChanged:
    """The safe state was entered, escalated or left.

    Attributes:
        reason: why; ``NONE`` when it was left.
        action: what the outputs do; None when it was left.
        part: the part that led to it, if there was one.
    """

    reason: SafeReason
    action: SafeAction | None
    part: int | None = None


@dataclass(frozen=True)
class LinkChanged:
    """The link to the MCU came up or went down.

    Attributes:
        up: whether it is up now.
        why: one sentence.
    """

    up: bool
    why: str


Event = Trigger | Outcome | SafeStateChanged | LinkChanged
