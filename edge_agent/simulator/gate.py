"""The end of the simulated line: a photo-eye, an encoder, a gate, and what really happens to parts.

The microcontroller is the virtual one of `firmware_bridge`. What it reports is one thing; what its
output did to the parts on the belt is told here, from the output's edges and the line's own plan.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.simulator.line import Line
from edge_agent.simulator.settings import SimulatorSettings
from firmware_bridge import Output, VirtualBoard

COUNTS_PER_PX = 10
"""Of the simulated encoder, per pixel of travel."""

_PARTS_WATCHED = 256


@dataclass
class _PartOnBelt:
    number: int
    at_gate_ns: int
    kicked: bool = False


class SimulatedGate:
    """A gate somewhere behind the camera of a simulated line.

    A pulse kicks off the part that is nearest to the gate when it begins, if it is there at all,
    and every part whose centre passes while it lasts. Threads may share it.

    Args:
        settings: of the line.
        travel_ms: how long a part's centre takes from the middle of the picture to the gate.
        on_gone: told each part's number, and whether it was kicked off, once it is far behind.

    Attributes:
        board: the microcontroller; connect to it.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        travel_ms: float,
        on_gone: Callable[[int, bool], None] = lambda number, kicked: None,
    ) -> None:
        self._line = Line(settings)
        self._travel_ns = round(travel_ms * 1e6)
        self._reach_ns = round(settings.part_diameter_px / 2 / settings.belt_speed_px_per_s * 1e9)
        self._on_gone = on_gone
        self._lock = threading.Lock()
        self._parts: deque[_PartOnBelt] = deque()
        self._gone: Counter[tuple[bool, bool]] = Counter()
        self._on_since_ns = 0
        self.board = VirtualBoard(on_output=self._output)
        self.board.set_belt_speed(self.counts_per_s(settings))

    @staticmethod
    def counts_per_s(settings: SimulatorSettings) -> float:
        """How fast the encoder of such a line counts."""
        return settings.belt_speed_px_per_s * COUNTS_PER_PX

    def photo_eye(self, number: int, at_ns: int) -> None:
        """A part will pass the photo-eye at this moment; to be told in order."""
        with self._lock:
            self._parts.append(_PartOnBelt(number, at_ns + self._travel_ns))
            while len(self._parts) > _PARTS_WATCHED:
                self._forget(self._parts.popleft())
        self.board.trigger(at_ns)

    @property
    def empty_at_ns(self) -> int:
        """When the last part that was announced will be behind the gate; 0 if none was."""
        with self._lock:
            return self._parts[-1].at_gate_ns + self._reach_ns if self._parts else 0

    def confusion(self, now_ns: int) -> dict[tuple[bool, bool], int]:
        """(truly defective, kicked off) -> number of parts, all that are behind the gate by now."""
        with self._lock:
            while self._parts and self._parts[0].at_gate_ns + self._reach_ns <= now_ns:
                self._forget(self._parts.popleft())
            return {(d, k): self._gone[d, k] for d in (False, True) for k in (False, True)}

    def _forget(self, part: _PartOnBelt) -> None:
        defective = self._line.part(part.number).defect is not None
        self._gone[defective, part.kicked] += 1
        self._on_gone(part.number, part.kicked)

    def _output(self, output: Output) -> None:
        if output.name != "gate":
            return
        with self._lock:
            if output.level:
                self._on_since_ns = output.at_ns
                nearest = min(
                    self._parts, key=lambda p: abs(p.at_gate_ns - output.at_ns), default=None
                )
                if nearest and abs(nearest.at_gate_ns - output.at_ns) <= self._reach_ns:
                    nearest.kicked = True
                return
            for part in self._parts:
                if self._on_since_ns < part.at_gate_ns <= output.at_ns:
                    part.kicked = True
