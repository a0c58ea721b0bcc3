"""What really happened, from the pins alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.clock import NS_PER_US
from tests.firmware_bridge.simavr_board import Edge


@dataclass(frozen=True)
class Pulse:
    """An output was on."""

    on_ns: int
    off_ns: int
    on_position: int

    @property
    def length_ms(self) -> float:
        return (self.off_ns - self.on_ns) / 1e6


def pulses(board, pin: str = "gate") -> list[Pulse]:
    """All whole pulses of an output."""
    found, begun = [], None
    for edge in board.edges:
        if edge.pin != pin:
            continue
        if edge.level:
            begun = edge
        elif begun:
            found.append(Pulse(begun.at_ns, edge.at_ns, begun.position))
            begun = None
    return found


def level(board, pin: str) -> bool:
    """The present level of a pin."""
    levels = [edge.level for edge in board.edges if edge.pin == pin]
    return levels[-1] if levels else False


def changes(board, pin: str, level: bool) -> list[int]:
    """When a pin went to this level."""
    return [edge.at_ns for edge in board.edges if edge.pin == pin and edge.level == level]


def rising_errors_us(board, wanted_ns: list[int]) -> list[float]:
    """For each wanted rising edge of the gate, how far off it was. The numbers must match."""
    risen = changes(board, "gate", True)
    assert len(risen) == len(wanted_ns), f"{len(risen)} pulses for {len(wanted_ns)} wanted"
    return [(at - wanted) / NS_PER_US for at, wanted in zip(risen, wanted_ns, strict=True)]


def merged_starts(starts_ns: list[int], pulse_ns: int, gap_ns: int) -> list[int]:
    """The rising edges that remain when pulses too close to one another are merged."""
    remaining: list[int] = []
    off_ns = None
    for start_ns in sorted(starts_ns):
        if off_ns is None or start_ns >= off_ns + gap_ns:
            remaining.append(start_ns)
        off_ns = start_ns + pulse_ns
    return remaining


@dataclass(frozen=True)
class Trace:
    """A trace in the VCD format: the board's pins, and the bytes that it was sent."""

    edges: list[Edge]
    received_ns: list[int]


def read_vcd(path: Path) -> Trace:
    """A trace of ``simavr_board``; its time scale is a nanosecond."""
    names: dict[str, str] = {}
    edges: list[Edge] = []
    received_ns: list[int] = []
    now_ns = 0
    for line in path.read_text("ascii").splitlines():
        words = line.split()
        if line.startswith("$var"):
            names[words[3]] = words[4]
        elif line.startswith("#"):
            now_ns = int(line[1:])
        elif line.startswith("b"):
            received_ns.append(now_ns)
        elif line and line[0] in "01":
            edges.append(Edge(now_ns, names[line[1]], line[0] == "1", 0))
    return Trace(edges, received_ns)
