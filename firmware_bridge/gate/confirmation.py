"""The optional sensor that sees ejected parts fall: one edge for each, in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from firmware_bridge.wire.limits import CONFIRMATIONS_PENDING


@dataclass(frozen=True)
class _Expected:
    part: int
    deadline_ns: int


class Confirmations:
    """Ejected parts that have not been seen yet."""

    def __init__(self, within_ns: int) -> None:
        self._within_ns = within_ns
        self._expected: deque[_Expected] = deque()

    @property
    def due_ns(self) -> int | None:
        """The next deadline."""
        return self._expected[0].deadline_ns if self._expected else None

    def expect(self, part: int, fired_at_ns: int, now_ns: int) -> None:
        """The gate has acted on a part."""
        if not self._within_ns:
            return
        if len(self._expected) == CONFIRMATIONS_PENDING:
            # Too many at a time: the oldest counts as overdue now.
            self._expected[0] = replace(self._expected[0], deadline_ns=now_ns)
            return
        self._expected.append(_Expected(part, fired_at_ns + self._within_ns))

    def edge(self) -> bool:
        """The sensor has seen something; True if something was expected."""
        if not self._expected:
            return False
        self._expected.popleft()
        return True

    def overdue(self, now_ns: int) -> int | None:
        """A part that should have been seen by now, once."""
        if self._expected and now_ns >= self._expected[0].deadline_ns:
            return self._expected.popleft().part
        return None

    def restart(self) -> None:
        """Nothing is expected any more."""
        self._expected.clear()
