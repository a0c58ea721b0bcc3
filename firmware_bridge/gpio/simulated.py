"""Lines that are not there: as good as the kernel's, in real or simulated time."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from firmware_bridge.clock import Clock, MonotonicClock
from firmware_bridge.errors import LineError
from firmware_bridge.gpio.lines import InputEdge


class SimulatedLines:
    """A chip with the lines of a gate. Inputs may be moved from any thread.

    Args:
        clock: of the time stamps.
        on_output: is told of every change of an output: name, level, moment.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        on_output: Callable[[str, bool, int], None] = lambda name, level, at_ns: None,
    ) -> None:
        self.name = "the simulated chip"
        self._clock = clock or MonotonicClock()
        self._on_output = on_output
        self._levels: dict[str, bool] = {}
        self._edges: deque[InputEdge] = deque()
        self._sequences: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._woken = False
        self._open = False

    # The world around it.

    def trigger(self, at_ns: int | None = None) -> None:
        """A part passes the photo-eye, now or at a moment just past."""
        self._edge("trigger", at_ns)

    def confirm(self, at_ns: int | None = None) -> None:
        """An ejected part passes the confirmation sensor."""
        self._edge("confirmation", at_ns)

    def lose_triggers(self, count: int) -> None:
        """So many edges come while the kernel's buffer is full."""
        self._sequences["trigger"] += count

    # What a gate uses.

    def open(self) -> None:
        """Always possible, once at a time."""
        if self._open:
            raise LineError(f"{self.name} is held already.")
        self._open = True

    def close(self) -> None:
        """Puts the outputs to rest."""
        if self._open:
            for name in list(self._levels):
                self.put(name, False)
        self._open = False

    def edges(self, timeout_s: float) -> list[InputEdge]:
        """What has come, or nothing after this time or a ``wake``."""
        with self._changed:
            self._changed.wait_for(lambda: self._edges or self._woken, max(0.0, timeout_s))
            self._woken = False
            found = list(self._edges)
            self._edges.clear()
            return found

    def put(self, name: str, level: bool) -> None:
        """Sets an output, while open."""
        if self._open and self._levels.get(name, False) != level:
            self._levels[name] = level
            self._on_output(name, level, self._clock.now_ns())

    def wake(self) -> None:
        """Lets the present or next ``edges`` return at once."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _edge(self, name: str, at_ns: int | None) -> None:
        with self._changed:
            self._sequences[name] += 1
            at_ns = self._clock.now_ns() if at_ns is None else at_ns
            self._edges.append(InputEdge(name, at_ns, self._sequences[name]))
            self._changed.notify_all()
