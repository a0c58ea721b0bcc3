"""Time, as something that is handed in: tests turn the hands themselves."""

from __future__ import annotations

import time
from typing import Protocol

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """A monotonic clock, and a way to wait for it."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment; never goes back."""
        ...

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Returns at or shortly after this moment."""
        ...


class MonotonicClock:
    """The system's monotonic clock."""

    def now_ns(self) -> int:
        """Nanoseconds since the system started, more or less."""
        return time.monotonic_ns()

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Sleeps, if the moment has not passed."""
        left_ns = moment_ns - time.monotonic_ns()
        if left_ns > 0:
            time.sleep(left_ns / NS_PER_S)


class ManualClock:
    """Stands still until it is set; sleeping sets it. For simulations and tests, one thread."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """The moment it was set to last."""
        return self._now_ns

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Sets the clock to this moment, never back."""
        self._now_ns = max(self._now_ns, moment_ns)
