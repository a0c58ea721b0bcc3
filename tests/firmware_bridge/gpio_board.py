"""Simulated GPIO lines as a board for the bench."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from firmware_bridge.clock import ManualClock
from firmware_bridge.gpio.simulated import SimulatedLines
from tests.firmware_bridge.simavr_board import Edge


class GpioBoard:
    """Times are in nanoseconds of the host's clock, which begins at 0."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.edges: list[Edge] = []
        self.lines = SimulatedLines(clock=self.clock, on_output=self._note)
        self._inputs: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def close(self) -> None:
        self.lines.close()

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    @property
    def next_input_ns(self) -> list[int]:
        return [self._inputs[0][0]] if self._inputs else []

    def move_inputs(self) -> None:
        while self._inputs and self._inputs[0][0] <= self.now_ns:
            heapq.heappop(self._inputs)[2]()

    def trigger(self, at_ns: int, width_ns: int = 0) -> None:
        self._at(at_ns, self._pass_eye)

    def confirm(self, at_ns: int) -> None:
        self._at(at_ns, self.lines.confirm)

    def _at(self, at_ns: int, task: Callable[[], None]) -> None:
        heapq.heappush(self._inputs, (at_ns, next(self._order), task))

    def _pass_eye(self) -> None:
        self.edges.append(Edge(self.now_ns, "trigger", True, 0))
        self.lines.trigger()

    def _note(self, name: str, level: bool, at_ns: int) -> None:
        self.edges.append(Edge(at_ns, name, level, 0))
