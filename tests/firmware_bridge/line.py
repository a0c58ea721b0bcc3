"""A line of parts at random spacing past a board, and what the pins say about each of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from firmware_bridge.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.events import LatePolicy, OutcomeKind, Verdict
from firmware_bridge.status import Status
from firmware_bridge.virtual.faults import FaultyWire
from tests.firmware_bridge.bench import Bench

MS = NS_PER_MS

SPACING_MS = 4.0
"""Between two parts at least; a pulse of 1 ms and a gap of 2 ms fit in between, so that every NG
part has a rising edge of its own."""


@dataclass(frozen=True)
class Line:
    """What passes the board.

    Attributes:
        parts: how many.
        parts_per_s: on average.
        travel_ms: photo-eye to gate.
        counts_per_s: of the encoder; None: the gate works by time.
        damage: share of bytes on the wire that are changed, lost or doubled, each way.
        ng: share of parts that are bad.
        verdict_ms: shortest and longest time to a verdict.
        seed: of all chance.
    """

    parts: int
    parts_per_s: float
    travel_ms: float = 400.0
    counts_per_s: float | None = None
    damage: float = 0.0
    ng: float = 0.4
    verdict_ms: tuple[float, float] = (5.0, 60.0)
    seed: int = 2024

    def configuration(self) -> RejectConfiguration:
        common = {
            "pulse_ms": 1.0,
            "minimum_gap_ms": 2.0,
            "late_policy": LatePolicy.PASS,
            "worst_case_verdict_ms": self.verdict_ms[1],
        }
        if self.counts_per_s is None:
            return RejectConfiguration(delay_ms=self.travel_ms, **common)
        return RejectConfiguration(
            distance_counts=round(self.travel_ms / 1000 * self.counts_per_s),
            encoder=EncoderKind.QUADRATURE,
            maximum_counts_per_s=self.counts_per_s,
            **common,
        )


@dataclass
class Run:
    """What happened, from the pins and from the reports.

    Attributes:
        errors: of each rising edge: microseconds by time, counts by distance.
        unfired: NG parts in time whose moment passed without a rising edge.
        wrong: rising edges for parts that are not NG, or for none, or the second for a part.
        late: parts that the MCU named late.
        status: the bridge's own account, at the end.
        damaged: bytes that were damaged on the wire.
        simulated_s: how long it all took on the board.
    """

    errors: list[float] = field(default_factory=list)
    unfired: int = 0
    wrong: int = 0
    late: int = 0
    status: Status | None = None
    damaged: int = 0
    simulated_s: float = 0.0


def run(board, line: Line) -> Run:
    """Runs the line past a board that has just been switched on."""
    chance = random.Random(line.seed)
    wires = {
        way: FaultyWire(random.Random(line.seed + n))
        for n, way in enumerate(("to host", "to board"))
    }
    bench = Bench(
        board,
        line.configuration(),
        wire=lambda data, way: wires[way].carry(data),
        latency_ns=lambda: chance.randrange(300 * NS_PER_US, 2 * MS),
        seed=line.seed,
    )
    bench.connect()
    if line.counts_per_s:
        board.belt(line.counts_per_s, bench.now_ns + MS)
        bench.run(300 * MS)
    bench.clear()
    for wire in wires.values():
        wire.damage = line.damage

    at_ns = bench.now_ns + 20 * MS
    verdicts = {}
    for part in range(1, line.parts + 1):
        verdicts[part] = Verdict.NG if chance.random() < line.ng else Verdict.OK
        board.trigger(at_ns, width_ns=MS)
        rest_ms = 1000 / line.parts_per_s - SPACING_MS
        at_ns += round((SPACING_MS + chance.expovariate(1 / rest_ms)) * MS)
    shortest, longest = (round(ms * MS) for ms in line.verdict_ms)
    bench.answer(verdicts.__getitem__, lambda: chance.randrange(shortest, longest))
    bench.run_until(at_ns + round(line.travel_ms * MS) + 300 * MS)
    for wire in wires.values():
        wire.damage = 0.0
    bench.run(300 * MS)

    result = Run(status=bench.conversation.status(), simulated_s=bench.now_ns / NS_PER_S)
    result.damaged = sum(wire.damaged for wire in wires.values())
    outcomes = bench.outcomes
    assert sorted(outcomes) == sorted(verdicts), "a part ended in no outcome"
    result.late = sum(outcome.kind is OutcomeKind.LATE for outcome in outcomes.values())
    in_time = {
        part
        for part, verdict in verdicts.items()
        if verdict is Verdict.NG and outcomes[part].kind is not OutcomeKind.LATE
    }
    _match(board, line, in_time, result)
    return result


def _match(board, line: Line, ng_in_time: set[int], result: Run) -> None:
    """Gives every rising edge of the gate to the part whose moment is nearest."""
    triggers = [edge for edge in board.edges if edge.pin == "trigger" and edge.level]
    configuration = line.configuration()
    if line.counts_per_s is None:
        travel = round(line.travel_ms * MS)
        moments = {n: edge.at_ns + travel for n, edge in enumerate(triggers, start=1)}
        edges = [edge.at_ns for edge in board.edges if edge.pin == "gate" and edge.level]
        unit = NS_PER_US
    else:
        distance = configuration.distance_counts or 0
        moments = {n: edge.position + distance for n, edge in enumerate(triggers, start=1)}
        edges = [edge.position for edge in board.edges if edge.pin == "gate" and edge.level]
        unit = 1
    waiting = dict(moments)
    for edge in edges:
        if not waiting:
            result.wrong += 1
            continue
        part = min(waiting, key=lambda number: abs(waiting[number] - edge))
        error = (edge - waiting.pop(part)) / unit
        if part not in ng_in_time or abs(error) > SPACING_MS * MS / 2 / unit:
            result.wrong += 1
        else:
            result.errors.append(error)
    result.unfired = len(ng_in_time) - len(result.errors)


def percentile(values: list[float], share: float) -> float:
    """Of the absolute values."""
    ordered = sorted(abs(value) for value in values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
