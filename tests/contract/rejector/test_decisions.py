"""The right part is kicked off, at the right moment, once; and every part ends in one outcome."""

from __future__ import annotations

import pytest

from firmware_bridge.clock import NS_PER_MS, NS_PER_US
from firmware_bridge.events import LatePolicy, OutcomeKind, SafeReason, Verdict
from tests.contract.rejector.conftest import ALL_GATES
from tests.firmware_bridge import truth

pytestmark = pytest.mark.parametrize("board", ALL_GATES, indirect=True)

MS = NS_PER_MS
EXACT_US = 5


def after(bench, milliseconds: float) -> int:
    return bench.now_ns + round(milliseconds * MS)


def judge(bench, verdicts: dict[int, Verdict], takes_ms: float = 20) -> None:
    """Answers the parts that are named, and no others."""

    def on_event(event) -> None:
        if getattr(event, "triggered_at_ns", None) and event.part in verdicts:
            bench.at(
                after(bench, takes_ms),
                lambda: bench.conversation.decide(event.part, verdicts[event.part]),
            )

    bench.on_event = on_event


def test_ng_fires_at_trigger_plus_delay_and_ok_does_not(make_bench, board):
    bench = make_bench()
    eye = [after(bench, 10), after(bench, 110), after(bench, 150)]
    for at in eye:
        board.trigger(at)
    judge(bench, {1: Verdict.NG, 2: Verdict.OK, 3: Verdict.NG})
    bench.run(600 * MS)

    errors = truth.rising_errors_us(board, [eye[0] + 300 * MS, eye[2] + 300 * MS])
    assert max(map(abs, errors)) < EXACT_US
    assert [round(p.length_ms, 2) for p in truth.pulses(board)] == [10.0, 10.0]
    kinds = {part: outcome.kind for part, outcome in bench.outcomes.items()}
    assert kinds == {
        1: OutcomeKind.REJECTED,
        2: OutcomeKind.PASSED,
        3: OutcomeKind.REJECTED,
    }
    first = bench.outcomes[1]
    assert first.fired
    assert abs(first.error_us) < EXACT_US
    assert not bench.outcomes[2].fired


def test_reported_times_hold_within_their_uncertainty(make_bench, board):
    bench = make_bench()
    eye = [after(bench, 10 + 40 * n) for n in range(10)]
    for at in eye:
        board.trigger(at)
    judge(bench, dict.fromkeys(range(1, 11), Verdict.NG))
    bench.run(900 * MS)

    offset = bench.host_ns - bench.now_ns
    for trigger, at in zip(bench.triggers, eye, strict=True):
        assert abs(trigger.triggered_at_ns - offset - at) <= trigger.uncertainty_ns
        fired_at = bench.outcomes[trigger.part].fired_at_ns
        assert abs(fired_at - offset - at - 300 * MS) <= trigger.uncertainty_ns


def test_lead_time_makes_the_gate_act_earlier(make_bench, board):
    bench = make_bench(lead_ms=12.5)
    eye = after(bench, 10)
    board.trigger(eye)
    judge(bench, {1: Verdict.NG})
    bench.run(400 * MS)
    (error,) = truth.rising_errors_us(board, [eye + 300 * MS - 12_500 * NS_PER_US])
    assert abs(error) < EXACT_US


@pytest.mark.parametrize(
    ("policy", "fires", "reason"),
    [
        (LatePolicy.REJECT, True, SafeReason.NONE),
        (LatePolicy.PASS, False, SafeReason.NONE),
        (LatePolicy.STOP, False, SafeReason.LATE_VERDICT),
    ],
)
def test_a_part_without_a_verdict_is_late(make_bench, board, policy, fires, reason):
    bench = make_bench(late_policy=policy)
    board.trigger(after(bench, 10))
    bench.run(400 * MS)
    outcome = bench.outcomes[1]
    assert outcome.kind is OutcomeKind.LATE
    assert outcome.fired is fires
    assert len(truth.pulses(board)) == fires
    assert bench.conversation.status().safe_reason is reason
    assert truth.level(board, "run") is (policy is not LatePolicy.STOP)


@pytest.mark.parametrize("policy", [LatePolicy.REJECT, LatePolicy.PASS])
def test_a_skipped_part_is_named_so_and_ruled_by_the_late_policy(make_bench, board, policy):
    bench = make_bench(late_policy=policy)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.SKIPPED})
    bench.run(400 * MS)
    assert bench.outcomes[1].kind is OutcomeKind.SKIPPED
    assert bench.outcomes[1].fired is (policy is LatePolicy.REJECT)


@pytest.mark.parametrize("takes_ms", [296, 310, 500])
def test_a_command_for_the_past_never_fires(make_bench, board, takes_ms):
    bench = make_bench(late_policy=LatePolicy.PASS)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.NG}, takes_ms=takes_ms)
    bench.run(900 * MS)
    assert truth.pulses(board) == []
    assert bench.outcomes[1].kind is OutcomeKind.LATE


def test_a_verdict_in_the_last_moment_counts(make_bench, board):
    bench = make_bench(late_policy=LatePolicy.PASS)
    eye = after(bench, 10)
    board.trigger(eye)
    # The gap of 5 ms and 2 ms to commit end the time for verdicts at 293 ms; the wire takes 3.
    judge(bench, {1: Verdict.NG}, takes_ms=284)
    bench.run(400 * MS)
    assert max(map(abs, truth.rising_errors_us(board, [eye + 300 * MS]))) < EXACT_US


def test_the_latest_verdict_counts(make_bench, board):
    bench = make_bench()
    board.trigger(after(bench, 10))
    bench.at(after(bench, 40), lambda: bench.conversation.decide(1, Verdict.NG))
    bench.at(after(bench, 60), lambda: bench.conversation.decide(1, Verdict.OK))
    bench.run(400 * MS)
    assert truth.pulses(board) == []
    assert bench.outcomes[1].kind is OutcomeKind.PASSED


def test_overlapping_pulses_are_merged(make_bench, board):
    bench = make_bench(pulse_ms=20, minimum_gap_ms=6)
    # 15 ms: overlapping. 24 ms: not overlapping, but too short a rest. 30 ms: two pulses.
    eye = [after(bench, at) for at in (10, 25, 110, 134, 210, 240)]
    for at in eye:
        board.trigger(at)
    judge(bench, dict.fromkeys(range(1, 7), Verdict.NG))
    bench.run(700 * MS)
    starts = [eye[n] + 300 * MS for n in (0, 2, 4, 5)]
    assert max(map(abs, truth.rising_errors_us(board, starts))) < EXACT_US
    assert [round(p.length_ms, 1) for p in truth.pulses(board)] == [35, 44, 20, 20]
    assert [bench.outcomes[part].merged for part in range(1, 7)] == [0, 1, 0, 1, 0, 0]
    assert all(o.kind is OutcomeKind.REJECTED and o.fired for o in bench.outcomes.values())


def test_the_gate_is_never_on_for_longer_than_allowed(make_bench, board):
    bench = make_bench(pulse_ms=20, maximum_on_ms=60)
    for n in range(8):
        board.trigger(after(bench, 10 + 10 * n))
    judge(bench, dict.fromkeys(range(1, 9), Verdict.NG))
    bench.run(600 * MS)
    assert max(p.length_ms for p in truth.pulses(board)) <= 60.1
    assert bench.conversation.status().safe_reason is SafeReason.MAXIMUM_ON_TIME
    assert not truth.level(board, "run")
    assert bench.conversation.status().counts.in_flight == 0


def test_bounces_of_the_photo_eye_are_not_parts(make_bench, board):
    bench = make_bench(dead_time_ms=4)
    eye = after(bench, 10)
    for bounce_ms in (0, 1, 2, 3.5):
        board.trigger(eye + round(bounce_ms * MS), width_ns=200_000)
    judge(bench, {1: Verdict.OK})
    bench.run(1500 * MS)
    status = bench.conversation.status()
    assert status.counts.triggers == 1
    if status.mcu:
        assert status.mcu.ignored_edges == 3


def test_the_strobe_follows_the_trigger(make_bench, board):
    bench = make_bench(strobe_delay_ms=0.4, strobe_ms=1.5, dead_time_ms=3)
    eye = [after(bench, 10), after(bench, 14), after(bench, 60)]
    for at in eye:
        board.trigger(at)
    bench.run(200 * MS)
    strobes = truth.pulses(board, "strobe")
    late_ns = [strobe.on_ns - at - 400_000 for strobe, at in zip(strobes, eye, strict=True)]
    assert max(map(abs, late_ns)) < EXACT_US * 1000
    assert [round(s.length_ms, 2) for s in strobes] == [1.5] * 3


def test_32_parts_fly_and_the_33rd_stops_the_line(make_bench, board):
    bench = make_bench()
    for n in range(33):
        board.trigger(after(bench, 10 + 5 * n))
    judge(bench, dict.fromkeys(range(1, 34), Verdict.OK))
    bench.run(250 * MS)
    status = bench.conversation.status()
    assert status.safe_reason is SafeReason.TOO_MANY_PARTS
    assert not truth.level(board, "run")
    assert status.counts.in_flight == 32
    bench.run(500 * MS)
    counts = bench.conversation.status().counts
    assert (counts.triggers, counts.lost, counts.skipped, counts.in_flight) == (33, 1, 32, 0)


def test_the_books_balance(make_bench, board):
    bench = make_bench(late_policy=LatePolicy.PASS)
    for n in range(40):
        board.trigger(after(bench, 10 + 25 * n))
    kinds = [Verdict.OK, Verdict.NG, Verdict.SKIPPED, None]
    judge(bench, {n: kinds[n % 4] for n in range(1, 41) if kinds[n % 4]})
    bench.run(1500 * MS)
    counts = bench.conversation.status().counts
    assert (counts.triggers, counts.passed, counts.rejected) == (40, 10, 10)
    assert (counts.skipped, counts.late, counts.lost, counts.in_flight) == (10, 10, 0, 0)
    assert sorted(bench.outcomes) == list(range(1, 41))


def test_a_test_pulse_needs_an_empty_belt(make_bench, board):
    bench = make_bench()
    reply = bench.conversation.reject_test(15)
    bench.run(100 * MS)
    assert reply.result().result.name == "DONE"
    assert [round(p.length_ms, 2) for p in truth.pulses(board)] == [15.0]

    board.trigger(after(bench, 10))
    bench.run(50 * MS)
    reply = bench.conversation.reject_test(15)
    bench.run(50 * MS)
    assert reply.result().result.name == "NOT_NOW"
    assert len(truth.pulses(board)) == 1


def test_a_test_pulse_longer_than_the_gate_may_be_on_is_refused(make_bench, board):
    bench = make_bench(maximum_on_ms=100)
    reply = bench.conversation.reject_test(101)
    bench.run(300 * MS)
    assert reply.result().result.name == "NOT_NOW"
    assert truth.pulses(board) == []
