"""A clock that moves when it is told to, or when somebody waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Waiting takes no time: it moves the clock on by the whole timeout."""

    def __init__(self) -> None:
        self._ns = 1_000_000_000
        self.waits: list[float] = []

    def monotonic_ns(self) -> int:
        return self._ns

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._ns / 1000)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        if not event.is_set():
            self.advance(timeout_s)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        self._ns += int(seconds * 1e9)
