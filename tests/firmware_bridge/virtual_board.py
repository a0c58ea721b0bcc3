"""The virtual MCU as a board for the bench: the same few verbs as the simavr board."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from firmware_bridge.gate.belt import Belt
from firmware_bridge.virtual.mcu import BYTE_TIME_NS, Output, VirtualMcu
from firmware_bridge.wire.codes import ResetCause
from tests.firmware_bridge.simavr_board import Edge

RESET_CAUSES = {1: ResetCause.POWER_ON, 2: ResetCause.EXTERNAL, 4: ResetCause.BROWN_OUT}


class VirtualBoard:
    """Times are in nanoseconds since its power came on."""

    byte_time_ns = BYTE_TIME_NS

    def __init__(self, drift_ppm: float = 0.0) -> None:
        self.now_ns = 0
        self.edges: list[Edge] = []
        self._true_belt = Belt()
        self.mcu = VirtualMcu(0, drift_ppm=drift_ppm, on_output=self._note)
        self._to_come: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def close(self) -> None:
        pass

    def run_until(self, until_ns: int) -> bytes:
        """Runs until then, or until a frame has been sent; the bytes that were sent."""
        until_ns = max(until_ns, self.now_ns)
        while True:
            moments = [until_ns]
            if self._to_come:
                moments.append(self._to_come[0][0])
            if (due_ns := self.mcu.due_ns) is not None:
                moments.append(max(due_ns, self.now_ns))
            self.now_ns = min(moments)
            while self._to_come and self._to_come[0][0] <= self.now_ns:
                heapq.heappop(self._to_come)[2]()
            if (data := self.mcu.sent(self.now_ns)) or self.now_ns >= until_ns:
                return data

    def send(self, data: bytes) -> None:
        self.mcu.receive(data, self.now_ns)

    def trigger(self, at_ns: int, width_ns: int = 0) -> None:
        self._at(at_ns, lambda: self._pass_eye(at_ns))

    def confirm(self, at_ns: int) -> None:
        self._at(at_ns, lambda: self.mcu.confirm(at_ns))

    def belt(self, counts_per_s: float, at_ns: int) -> None:
        self._at(at_ns, lambda: self._set_belt(counts_per_s, at_ns))

    def reset(self, flags: int) -> None:
        self.mcu.reset(RESET_CAUSES[flags], self.now_ns)

    def damage_store(self, address: int, bits: int) -> None:
        self.mcu.damage_store()

    def _at(self, at_ns: int, task: Callable[[], None]) -> None:
        heapq.heappush(self._to_come, (at_ns, next(self._order), task))

    def _set_belt(self, counts_per_s: float, at_ns: int) -> None:
        self._true_belt.set_speed(counts_per_s, at_ns)
        self.mcu.set_belt_speed(counts_per_s, at_ns)

    def _pass_eye(self, at_ns: int) -> None:
        self.edges.append(Edge(at_ns, "trigger", True, self._true_belt.count(at_ns)))
        self.mcu.trigger(at_ns)

    def _note(self, output: Output) -> None:
        position = self._true_belt.count(output.at_ns)
        self.edges.append(Edge(output.at_ns, output.name, output.level, position))
