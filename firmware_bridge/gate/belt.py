"""A belt with an encoder: counts as a function of time."""

from __future__ import annotations

import math

from firmware_bridge.clock import NS_PER_S


class Belt:
    """Moves at a speed that is set from time to time.

    Attributes:
        counts_per_s: present speed, negative backwards.
    """

    def __init__(self) -> None:
        self.counts_per_s = 0.0
        self._since_ns = 0
        self._position = 0.0

    def set_speed(self, counts_per_s: float, at_ns: int) -> None:
        """The belt moves at this speed from now on."""
        self._position = self._position_at(at_ns)
        self._since_ns = at_ns
        self.counts_per_s = counts_per_s

    def count(self, at_ns: int) -> int:
        """Whole counts at a moment, not before the last change of speed."""
        return math.floor(self._position_at(at_ns))

    def time_of(self, count: int) -> int | None:
        """When the count is reached at the present speed; None: never."""
        if count <= math.floor(self._position):
            return self._since_ns
        if self.counts_per_s <= 0:
            return None
        left = count - self._position
        at_ns = self._since_ns + math.ceil(left / self.counts_per_s * NS_PER_S)
        while self.count(at_ns) < count:  # the last bit of a float
            at_ns += 1
        return at_ns

    def time_below(self, count: int) -> int | None:
        """When the count falls below this at the present speed; None: never."""
        if self.counts_per_s >= 0:
            return None
        left = self._position - count
        return self._since_ns + max(0, math.ceil(left / -self.counts_per_s * NS_PER_S)) + 1

    def _position_at(self, at_ns: int) -> float:
        return self._position + self.counts_per_s * (at_ns - self._since_ns) / NS_PER_S


class BeltWatch:
    """Notices a belt that runs backwards, and an encoder that has stopped counting.

    Args:
        belt: to be watched.
        reverse_limit_counts: travel backwards that is too much.
        loss_triggers: triggers without a count in between that are too many.
        now_ns: when watching begins.
    """

    def __init__(
        self, belt: Belt, reverse_limit_counts: int, loss_triggers: int, now_ns: int
    ) -> None:
        self._belt = belt
        self._reverse_limit_counts = reverse_limit_counts
        self._loss_triggers = loss_triggers
        self.restart(now_ns)

    def restart(self, now_ns: int) -> None:
        """Forgets what has been seen."""
        self._furthest = self._count_at_trigger = self._belt.count(now_ns)
        self._triggers_without_count = 0

    def before_speed_change(self, now_ns: int) -> None:
        """The belt is about to change its speed, which is where it can be furthest."""
        self._furthest = max(self._furthest, self._belt.count(now_ns))

    def reverse_due_ns(self) -> int | None:
        """When the belt will have travelled backwards too far; None: it does not."""
        return self._belt.time_below(self._furthest - self._reverse_limit_counts)

    def lost_at(self, count: int) -> bool:
        """A trigger came at this count; True if that makes too many without a count."""
        if count != self._count_at_trigger:
            self._count_at_trigger = count
            self._triggers_without_count = 0
            return False
        self._triggers_without_count += 1
        return self._triggers_without_count >= self._loss_triggers
