"""The gate's pulses: one at a time, planned ahead.

::

    resting ──planned──► rising ──on_at──► on ──off_at──► resting

A pulse that would begin before another has ended and rested is merged into it; the maximum on-time
cuts whatever would be longer.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.gate.timing import Timing

SHORTEST_PULSE_NS = NS_PER_MS
"""A pulse that the minimum gap leaves shorter than this is not begun."""


class Answer(enum.Enum):
    """What becomes of a wish for a pulse."""

    PLANNED = "planned"
    """It will rise for this part."""
    MERGED = "merged"
    """It is or will be on already at that time."""
    BUSY = "busy"
    """Ask again when the present pulse has ended; this one begins long after."""
    MISSED = "missed"
    """Too late, or no time within the maximum on-time."""


class Phase(enum.Enum):
    """Where the gate stands."""

    RESTING = "resting"
    RISING = "rising"
    ON = "on"


@dataclass(frozen=True)
class Plan:
    """The answer, and whether the pulse had to be shortened or delayed."""

    answer: Answer
    clipped: bool = False


class Pulses:
    """Plans pulses; the owner calls ``rise`` and ``fall`` when they are due."""

    def __init__(self, timing: Timing) -> None:
        self.phase = Phase.RESTING
        self.on_at_ns = 0
        self.off_at_ns = 0
        self._rested_at_ns = 0
        self._cut = False
        self._timing = timing

    @property
    def due_ns(self) -> int | None:
        """The next edge; None while resting."""
        if self.phase is Phase.RESTING:
            return None
        return self.on_at_ns if self.phase is Phase.RISING else self.off_at_ns

    def plan(self, at_ns: int, length_ns: int, now_ns: int) -> Plan:
        """Wishes for a pulse of this length at this time."""
        end_ns = at_ns + length_ns
        if self._overlaps(at_ns):
            beyond = at_ns >= self.on_at_ns + self._timing.maximum_on_ns
            return Plan(Answer.MISSED if beyond else Answer.MERGED, self._extend(end_ns))
        if self.phase is not Phase.RESTING:
            return Plan(Answer.BUSY)
        clipped = at_ns < self._rested_at_ns
        at_ns = max(at_ns, self._rested_at_ns)
        if at_ns <= now_ns or end_ns - at_ns < SHORTEST_PULSE_NS:
            return Plan(Answer.MISSED, clipped)
        self._begin(at_ns, end_ns)
        return Plan(Answer.PLANNED, clipped)

    def hold(self, expected_ns: int) -> None:
        """A part by distance is expected then: the gate stays on if it would have to rest too
        briefly before."""
        if self._overlaps(expected_ns):
            self._extend(expected_ns + min(self._timing.pulse_ns, self._timing.gap_ns))

    def begin_now(self, now_ns: int) -> Plan:
        """A part by distance is at the gate."""
        if self.phase is Phase.ON:
            return Plan(Answer.MERGED, self._extend(now_ns + self._timing.pulse_ns))
        at_ns = max(now_ns, self._rested_at_ns)
        self._begin(at_ns, at_ns + self._timing.pulse_ns)
        return Plan(Answer.PLANNED, at_ns > now_ns)

    def rise(self) -> None:
        """The gate has gone on."""
        self.phase = Phase.ON

    def fall(self) -> bool:
        """The gate has gone off; True if the maximum on-time cut it short."""
        self.phase = Phase.RESTING
        self._rested_at_ns = self.off_at_ns + self._timing.gap_ns
        return self._cut

    def abandon(self, now_ns: int) -> bool:
        """Takes back a pulse that has not begun, and shortens one under way; True if taken back."""
        taken_back = self.phase is Phase.RISING
        if taken_back:
            self.phase = Phase.RESTING
        elif self.phase is Phase.ON:
            self.off_at_ns = min(self.off_at_ns, now_ns + self._timing.pulse_ns)
        return taken_back

    def _begin(self, on_at_ns: int, off_at_ns: int) -> None:
        self.phase = Phase.RISING
        self._cut = False
        self.on_at_ns, self.off_at_ns = on_at_ns, off_at_ns

    def _overlaps(self, at_ns: int) -> bool:
        resting = self.phase is Phase.RESTING
        return not resting and at_ns < self.off_at_ns + self._timing.gap_ns

    def _extend(self, end_ns: int) -> bool:
        limit_ns = self.on_at_ns + self._timing.maximum_on_ns
        cut = end_ns > limit_ns
        self._cut = self._cut or cut
        self.off_at_ns = max(self.off_at_ns, min(end_ns, limit_ns))
        return cut
