"""With an encoder the gate follows the belt, at any speed; and a belt that errs is noticed."""

from __future__ import annotations

import pytest

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import EncoderKind
from firmware_bridge.events import OutcomeKind, SafeAction, SafeReason, Verdict
from tests.contract.rejector.test_decisions import after, judge
from tests.firmware_bridge import truth

MS = NS_PER_MS


@pytest.fixture
def make_belt_bench(make_bench):
    def make(**values):
        settings = {
            "delay_ms": None,
            "distance_counts": 3000,
            "encoder": EncoderKind.QUADRATURE,
            "maximum_counts_per_s": 10_000,
        }
        return make_bench(**(settings | values))

    return make


def positions(board, pin: str) -> list[int]:
    return [edge.position for edge in board.edges if edge.pin == pin and edge.level]


def fires_within_a_count(board, distance: int) -> None:
    wanted = [position + distance for position in positions(board, "trigger")]
    fired = positions(board, "gate")
    assert len(fired) == len(wanted)
    assert max(abs(f - w) for f, w in zip(fired, wanted, strict=True)) <= 1


@pytest.mark.parametrize("encoder", [EncoderKind.QUADRATURE, EncoderKind.SINGLE])
@pytest.mark.parametrize("counts_per_s", [10_000, 1_500])
def test_the_gate_follows_the_belt(make_belt_bench, board, encoder, counts_per_s):
    bench = make_belt_bench(encoder=encoder)
    board.belt(counts_per_s, after(bench, 1))
    for n in range(5):
        board.trigger(after(bench, 50 + 43.7 * n))
    judge(bench, dict.fromkeys(range(1, 6), Verdict.NG))
    bench.run(2600 * MS)
    fires_within_a_count(board, 3000)
    assert all(abs(o.error_counts) <= 1 for o in bench.outcomes.values())
    assert [o.kind for o in bench.outcomes.values()] == [OutcomeKind.REJECTED] * 5


def test_a_belt_that_stops_keeps_its_parts(make_belt_bench, board):
    bench = make_belt_bench()
    board.belt(10_000, after(bench, 1))
    board.trigger(after(bench, 50))
    board.belt(0, after(bench, 150))
    board.belt(4_000, after(bench, 5000))
    judge(bench, {1: Verdict.NG})
    bench.run(4900 * MS)
    assert truth.pulses(board) == []
    assert bench.conversation.status().counts.in_flight == 1
    bench.run(1000 * MS)
    fires_within_a_count(board, 3000)


def test_the_lead_time_becomes_counts_at_the_present_speed(make_belt_bench, board):
    bench = make_belt_bench(lead_ms=20)
    board.belt(10_000, after(bench, 1))
    board.trigger(after(bench, 200))
    judge(bench, {1: Verdict.NG})
    bench.run(600 * MS)
    fires_within_a_count(board, 3000 - 200)


def test_pulses_by_distance_are_merged(make_belt_bench, board):
    bench = make_belt_bench(pulse_ms=20, minimum_gap_ms=6)
    board.belt(10_000, after(bench, 1))
    for at in (50, 60, 150, 174, 300):
        board.trigger(after(bench, at))
    judge(bench, dict.fromkeys(range(1, 6), Verdict.NG))
    bench.run(900 * MS)
    lengths = [p.length_ms for p in truth.pulses(board)]
    assert lengths == pytest.approx([30, 44, 20], abs=0.3)
    assert [bench.outcomes[part].merged for part in range(1, 6)] == [0, 1, 0, 1, 0]
    assert all(outcome.fired for outcome in bench.outcomes.values())


def test_a_part_without_a_verdict_is_late_by_distance_too(make_belt_bench, board):
    bench = make_belt_bench()
    board.belt(10_000, after(bench, 1))
    board.trigger(after(bench, 50))
    bench.run(500 * MS)
    assert bench.outcomes[1].kind is OutcomeKind.LATE
    assert bench.outcomes[1].fired
    fires_within_a_count(board, 3000)


def test_a_command_for_the_past_never_fires_by_distance(make_belt_bench, board):
    bench = make_belt_bench()
    board.belt(10_000, after(bench, 1))
    board.trigger(after(bench, 50))
    judge(bench, {1: Verdict.OK})
    bench.at(after(bench, 400), lambda: bench.conversation.decide(1, Verdict.NG))
    bench.run(900 * MS)
    assert truth.pulses(board) == []


def test_reverse_motion_leads_to_the_safe_state(make_belt_bench, board):
    bench = make_belt_bench(reverse_limit_counts=30, safe_action=SafeAction.PASS_ALL)
    board.belt(5_000, after(bench, 1))
    board.belt(-1_000, after(bench, 100))
    bench.run(125 * MS)
    assert bench.conversation.status().safe_reason is SafeReason.NONE
    bench.run(40 * MS)
    status = bench.conversation.status()
    assert (status.safe_reason, status.safe_action) == (
        SafeReason.REVERSE_MOTION,
        SafeAction.PASS_ALL,
    )
    assert truth.level(board, "fault")
    assert truth.level(board, "run")


def test_a_belt_that_trembles_does_not_travel(make_belt_bench, board):
    bench = make_belt_bench()
    for n in range(50):
        board.belt(2_000 if n % 2 else -2_000, after(bench, 1 + n))
    board.belt(0, after(bench, 51))
    bench.run(100 * MS)
    status = bench.conversation.status()
    assert status.safe_reason is SafeReason.NONE
    assert abs(status.encoder_count) <= 3


@pytest.mark.parametrize("action", [SafeAction.PASS_ALL, SafeAction.REJECT_ALL])
def test_triggers_without_counts_mean_a_lost_encoder(make_belt_bench, board, action):
    bench = make_belt_bench(encoder_loss_triggers=3, safe_action=action)
    board.belt(5_000, after(bench, 1))
    board.trigger(after(bench, 50))
    board.belt(0, after(bench, 60))
    for n in range(4):
        board.trigger(after(bench, 100 + 20 * n))
    bench.run(145 * MS)
    assert bench.conversation.status().safe_reason is SafeReason.NONE
    bench.run(100 * MS)
    status = bench.conversation.status()
    assert status.safe_reason is SafeReason.ENCODER_LOST
    # Nobody can reject all parts without knowing where they are: the line stops instead.
    stops = action is SafeAction.REJECT_ALL
    assert truth.level(board, "run") is not stops
