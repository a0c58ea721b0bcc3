"""Whatever the wire does: no wrong part is fired, none twice, and the books balance."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.clock import NS_PER_MS, NS_PER_S
from firmware_bridge.events import LatePolicy, OutcomeKind, SafeReason, Verdict
from firmware_bridge.virtual.faults import FaultyWire
from firmware_bridge.wire import messages
from firmware_bridge.wire.frames import FrameParser
from tests.contract.rejector.test_decisions import after, judge
from tests.firmware_bridge import truth
from tests.firmware_bridge.bench import Bench

MS = NS_PER_MS


class BothWays:
    """A faulty wire in each direction, that is good until told otherwise."""

    def __init__(self, seed: int = 7) -> None:
        self.wires = {
            "to host": FaultyWire(random.Random(seed)),
            "to board": FaultyWire(random.Random(seed + 1)),
        }

    def __call__(self, data: bytes, direction: str) -> bytes:
        return self.wires[direction].carry(data)

    def set(self, **faults: float) -> None:
        for wire in self.wires.values():
            for name, share in faults.items():
                setattr(wire, name, share)


def run_parts(bench: Bench, board, parts: int, seed: int = 5) -> dict[int, Verdict]:
    """Parts at about 30 a second, judged after 5 to 60 ms; their verdicts by true number."""
    choose = random.Random(seed)
    verdicts = {n: choose.choice([Verdict.OK, Verdict.NG]) for n in range(1, parts + 1)}
    at_ns = after(bench, 10)
    for _ in range(parts):
        board.trigger(at_ns)
        at_ns += round(choose.uniform(12, 55) * MS)
    bench.answer(verdicts.__getitem__, lambda: choose.randrange(5 * MS, 60 * MS))
    bench.run_until(at_ns + 700 * MS)
    return verdicts


def fired_for(board, bench: Bench, travel_ns: int) -> set[int]:
    """Parts at whose moment the gate was on, from the pins alone."""
    eye = truth.changes(board, "trigger", True)
    pulses = truth.pulses(board)
    return {
        number
        for number, at in enumerate(eye, start=1)
        if any(p.on_ns <= at + travel_ns + 10_000 < p.off_ns for p in pulses)
    }


@pytest.mark.parametrize(
    "faults",
    [
        {"damage": 0.01},
        {"repeat": 0.2},
        {"reorder": 0.1},
        {"damage": 0.01, "repeat": 0.1, "reorder": 0.05},
    ],
    ids="+".join,
)
def test_no_wrong_part_is_fired(make_bench, board, faults):
    both = BothWays()
    bench = make_bench(
        bench={"wire": both}, late_policy=LatePolicy.PASS, pulse_ms=5, minimum_gap_ms=3
    )
    both.set(**faults)
    verdicts = run_parts(bench, board, 120)
    both.set(damage=0, repeat=0, reorder=0)
    bench.run(300 * MS)

    fired = fired_for(board, bench, 300 * MS)
    assert fired <= {part for part, verdict in verdicts.items() if verdict is Verdict.NG}
    outcomes = bench.outcomes
    assert sorted(outcomes) == sorted(verdicts)
    assert {part for part, outcome in outcomes.items() if outcome.fired} == fired
    for part, outcome in outcomes.items():
        named = {Verdict.OK: OutcomeKind.PASSED, Verdict.NG: OutcomeKind.REJECTED}[verdicts[part]]
        assert outcome.kind in (named, OutcomeKind.LATE)
    counts = bench.conversation.status().counts
    assert counts.triggers == counts.passed + counts.rejected + counts.late == 120
    # The wire was bad, but not so bad that verdicts should come late by the dozen.
    assert counts.late <= 3


def test_lost_reports_are_asked_for_again(make_bench, board):
    lost = {messages.TRIGGER: {2, 3}, messages.OUTCOME: {1, 4}}
    parser = FrameParser()

    def lose(data: bytes, direction: str) -> bytes:
        if direction == "to board":
            return data
        kept = b""
        for frame in parser.feed(data):
            (report,) = messages.decode(frame.content)
            if report.kind in lost and report["part"] in lost[report.kind]:
                lost[report.kind].remove(report["part"])
            else:
                kept += frame.encode()
        return kept

    bench = make_bench(bench={"wire": lose})
    for n in range(4):
        board.trigger(after(bench, 10 + 60 * n))
    judge(bench, {1: Verdict.NG, 2: Verdict.OK, 3: Verdict.NG, 4: Verdict.OK})
    bench.run(700 * MS)
    assert lost == {messages.TRIGGER: set(), messages.OUTCOME: set()}
    assert [bench.outcomes[part].kind.value for part in (1, 2, 3, 4)] == [
        "rejected",
        "passed",
        "rejected",
        "passed",
    ]
    assert bench.conversation.status().link.reports_asked_again >= 2


def test_a_command_is_executed_once_however_often_it_arrives(make_bench, board):
    parser = FrameParser()
    tests_sent = []

    def repeat(data: bytes, direction: str) -> bytes:
        if direction == "to host":
            return data
        repeated = b""
        for frame in parser.feed(data):
            repeated += frame.encode()
            if any(m.kind is messages.REJECT_TEST for m in messages.decode(frame.content)):
                tests_sent.append(frame)
                repeated += frame.encode() * 3
        return repeated

    bench = make_bench(bench={"wire": repeat})
    reply = bench.conversation.reject_test(5)
    bench.run(200 * MS)
    assert reply.result().result.name == "DONE"
    assert tests_sent
    assert len(truth.pulses(board)) == 1


def test_acknowledgements_that_are_lost_cost_retransmissions_only(make_bench, board):
    losing = {"on": False}
    parser = FrameParser()

    def lose(data: bytes, direction: str) -> bytes:
        if direction == "to board" or not losing["on"]:
            return data
        frames = parser.feed(data)
        return b"".join(f.encode() for f in frames if f.content[0] != messages.ACK.code)

    bench = make_bench(bench={"wire": lose})
    losing["on"] = True
    reply = bench.conversation.reject_test(5)
    bench.run(400 * MS)
    assert not reply.done()
    losing["on"] = False
    bench.run(300 * MS)
    assert reply.result().result.name == "DONE"
    assert len(truth.pulses(board)) == 1
    assert 2 <= bench.conversation.status().link.retransmissions <= 12


def test_the_wire_is_cut_and_comes_back_before_anyone_minds(make_bench, board):
    cut = {"on": False}
    bench = make_bench(
        bench={"wire": lambda data, way: b"" if cut["on"] else data},
        heartbeat_ms=1500,
        delay_ms=1000,
    )
    for n in range(6):
        board.trigger(after(bench, 10 + 100 * n))
    judge(bench, {n: Verdict.NG if n % 2 else Verdict.OK for n in range(1, 7)})
    bench.run(150 * MS)
    cut["on"] = True
    bench.conversation.closed("The cable was pulled.")
    bench.run(400 * MS)
    cut["on"] = False
    bench.open()
    back_ns = bench.now_ns
    bench.run_while(lambda: not bench.ready, 2 * NS_PER_S)
    assert bench.now_ns - back_ns < 100 * MS
    bench.run(1500 * MS)
    status = bench.conversation.status()
    assert status.link.sessions == 1
    assert status.safe_reason is SafeReason.NONE
    assert (status.counts.passed, status.counts.rejected) == (3, 3)
    assert len(truth.pulses(board)) == 3


def test_another_host_takes_over(make_bench, board):
    bench = make_bench(heartbeat_ms=2000)
    eye = after(bench, 10)
    board.trigger(eye)
    judge(bench, {1: Verdict.NG})
    bench.run(100 * MS)
    bench.host_alive = False

    # The first host is gone, but its verdict was given: it counts, and fires once.
    heir = Bench(board, bench.conversation._configuration, seed=99)
    heir.connect()
    assert heir.conversation.status().safe_reason is SafeReason.NONE
    board.trigger(after(heir, 50))
    judge(heir, {1: Verdict.OK})
    heir.run(600 * MS)
    assert [abs(p.on_ns - eye - 300 * MS) < 5_000 for p in truth.pulses(board)] == [True]
    assert heir.outcomes[1].kind is OutcomeKind.PASSED
    assert heir.conversation.status().counts.triggers == 1
