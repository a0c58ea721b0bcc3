"""Time, as something that is handed in: the system's own, or a test's."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Monotonic time for machines, wall time for people, and waiting."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back."""

    def wall(self) -> datetime:
        """The date and time, in UTC."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until the event is set or the time is over; returns whether it is set."""


class SystemClock:
    """The clock of the machine."""

    def monotonic_ns(self) -> int:
        """See :class:`Clock`."""
        return time.monotonic_ns()

    def wall(self) -> datetime:
        """See :class:`Clock`."""
        return datetime.now(UTC)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """See :class:`Clock`."""
        return event.wait(timeout_s)
