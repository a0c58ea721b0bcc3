"""A part on its way, and whom the gate tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.events import OutcomeKind, Verdict
from firmware_bridge.gate.safety import Safety


@dataclass
class Part:
    """A part between photo-eye and gate, and then what became of it.

    Attributes:
        number: counting from 1.
        triggered_at_ns: at the photo-eye.
        encoder_count: at the photo-eye.
        verdict: None until it is known.
        kind: how it ends; None until the point of no return.
        wanted: the gate is to act on it.
        planned: the gate knows.
        fired_at_ns: when the gate was on for it; None if it was not.
        error: of that edge, nanoseconds by time or counts by distance.
        merged: an earlier pulse was on.
        clipped: its pulse was shortened or late.
        missed: its moment had passed.
    """

    number: int
    triggered_at_ns: int
    encoder_count: int
    verdict: Verdict | None = None
    kind: OutcomeKind | None = None
    wanted: bool = False
    planned: bool = False
    fired_at_ns: int | None = None
    error: int = 0
    merged: bool = False
    clipped: bool = False
    missed: bool = False


@dataclass(frozen=True)
class Listener:
    """Whom the gate tells. Output is one of ``gate``, ``strobe``, ``run``, ``fault``."""

    on_output: Callable[[str, bool, int], None]
    on_trigger: Callable[[Part], None]
    on_outcome: Callable[[Part], None]
    on_safety: Callable[[Safety], None]


@dataclass
class GateCounters:
    """What is counted besides parts.

    Attributes:
        unlatched: triggers that found too many parts in flight.
        ignored_edges: of the photo-eye, within the dead time.
        late_verdicts: for parts that were decided, gone or unknown.
        confirmed: ejected parts that the sensor has seen in time.
    """

    unlatched: int = 0
    ignored_edges: int = 0
    late_verdicts: int = 0
    confirmed: int = 0
