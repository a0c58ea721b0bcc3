"""The safe state is where the MCU starts, where every doubt leads, and what only clear ends."""

from __future__ import annotations

import pytest

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import ConfigurationError
from firmware_bridge.events import OutcomeKind, SafeAction, SafeReason, SafeStateChanged, Verdict
from firmware_bridge.wire import codes, messages
from firmware_bridge.wire.codes import ResetCause, Result
from tests.contract.rejector.test_decisions import after, judge
from tests.firmware_bridge import truth
from tests.firmware_bridge.bench import Bench

MS = NS_PER_MS
POWER_ON, EXTERNAL, BROWN_OUT = 1, 2, 4


def reason_of(bench) -> SafeReason:
    return bench.conversation.status().safe_reason


def test_it_begins_safe_and_runs_only_when_cleared(make_bench, board):
    bench = make_bench(clear=False)
    assert reason_of(bench) is SafeReason.NEW_CONFIGURATION
    assert truth.level(board, "fault")
    assert not truth.level(board, "run")
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.NG})
    bench.run(400 * MS)
    assert truth.pulses(board) == []
    assert bench.outcomes[1].kind is OutcomeKind.SKIPPED
    assert bench.clear().result is Result.DONE
    assert truth.level(board, "run")
    assert not truth.level(board, "fault")


def test_clear_must_name_the_present_reason(make_bench):
    bench = make_bench(clear=False)
    wrong = messages.make(messages.CLEAR, reason=codes.SAFE_REASONS[SafeReason.WATCHDOG])
    reply = bench.conversation._link.submit(wrong)
    bench.run(100 * MS)
    assert reply.result().result is Result.OTHER_REASON
    assert reply.result().detail == codes.SAFE_REASONS[SafeReason.NEW_CONFIGURATION]
    assert reason_of(bench) is SafeReason.NEW_CONFIGURATION


@pytest.mark.parametrize("action", list(SafeAction))
def test_a_host_that_falls_silent(make_bench, board, action):
    bench = make_bench(heartbeat_ms=200, safe_action=action, pulse_ms=10)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.OK})
    bench.run(100 * MS)
    died_ns = bench.now_ns
    bench.host_alive = False
    for n in range(4):
        board.trigger(after(bench, 100 + 50 * n))
    bench.run(800 * MS)

    (fault_ns,) = [at for at in truth.changes(board, "fault", True) if at > died_ns]
    # The last heartbeat was up to a ping's interval before, and some were on their way.
    assert 165 * MS < fault_ns - died_ns < 220 * MS
    assert len(truth.pulses(board)) == (5 if action is SafeAction.REJECT_ALL else 0)
    assert truth.level(board, "run") is (action is not SafeAction.STOP_LINE)

    bench.host_alive = True
    bench.run(700 * MS)
    status = bench.conversation.status()
    assert status.link.up
    assert (status.safe_reason, status.safe_action) == (SafeReason.HEARTBEAT_LOST, action)
    # The safe state rules the part whose verdict was known, too: it was not at the gate yet.
    assert (status.counts.triggers, status.counts.skipped) == (5, 5)


def test_ng_parts_in_flight_do_not_fire_in_a_safe_state_that_passes(make_bench, board):
    bench = make_bench(safe_action=SafeAction.PASS_ALL, heartbeat_ms=100)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.NG}, takes_ms=5)
    bench.run(60 * MS)
    bench.host_alive = False
    bench.run(400 * MS)
    assert truth.pulses(board) == []


def test_a_host_that_leaves_on_purpose(make_bench, board):
    bench = make_bench()
    reply = bench.conversation.release()
    bench.run(20 * MS)
    assert reply.result().result is Result.DONE
    bench.run(60 * MS)
    assert reason_of(bench) is SafeReason.HOST_LEFT
    assert not truth.level(board, "run")


@pytest.mark.parametrize(
    ("flags", "reason", "cause"),
    [
        (POWER_ON, SafeReason.POWER_ON, ResetCause.POWER_ON),
        (EXTERNAL, SafeReason.EXTERNAL_RESET, ResetCause.EXTERNAL),
        (BROWN_OUT, SafeReason.BROWN_OUT, ResetCause.BROWN_OUT),
    ],
)
def test_a_reset_in_mid_run(make_bench, board, flags, reason, cause):
    bench = make_bench(safe_action=SafeAction.PASS_ALL)
    bench.run(500 * MS)  # for the configuration to be stored
    for n in range(3):
        board.trigger(after(bench, 10 + 50 * n))
    judge(bench, dict.fromkeys(range(1, 4), Verdict.NG))
    bench.run(100 * MS)
    board.reset(flags)
    bench.run(500 * MS)

    assert truth.pulses(board) == []
    status = bench.conversation.status()
    assert (status.safe_reason, status.safe_action) == (reason, SafeAction.PASS_ALL)
    assert truth.level(board, "run")
    assert bench.conversation.identity.reset_cause is cause
    assert status.link.up
    assert status.link.sessions == 2
    counts = status.counts
    assert counts.triggers == counts.lost + counts.skipped + counts.in_flight == 3
    assert counts.lost >= 2

    bench.clear()
    board.trigger(after(bench, 10))
    judge(bench, {4: Verdict.NG})
    bench.run(400 * MS)
    assert bench.outcomes[4].kind is OutcomeKind.REJECTED


def test_a_damaged_store_stops_the_line(make_bench, board):
    bench = make_bench(safe_action=SafeAction.PASS_ALL)
    bench.run(500 * MS)
    bench.host_alive = False
    board.damage_store(9, 0x10)
    board.reset(POWER_ON)
    bench.run(100 * MS)
    assert not truth.level(board, "run")
    assert truth.level(board, "fault")

    bench.host_alive = True
    bench.run(600 * MS)
    # The host has sent its configuration again: a reason to look, not to go on.
    assert reason_of(bench) is SafeReason.NEW_CONFIGURATION


@pytest.mark.parametrize("interrupts", [False, True])
def test_the_watchdog_ends_a_hang(make_bench, board, interrupts):
    bench = make_bench(pulse_ms=200, minimum_gap_ms=5, delay_ms=300)
    bench.run(500 * MS)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.NG})
    bench.run(350 * MS)
    assert truth.level(board, "gate")
    hangs_ns = bench.now_ns
    bench.conversation.hang(interrupts=interrupts)
    bench.run(700 * MS)
    (fault_ns,) = [at for at in truth.changes(board, "fault", True) if at > hangs_ns]
    assert 55 * MS < fault_ns - hangs_ns < 120 * MS
    # The gate is let go of before that: the timer needs no software to switch it off.
    assert truth.pulses(board)[0].off_ns - hangs_ns < 45 * MS
    assert reason_of(bench) is SafeReason.WATCHDOG
    assert bench.conversation.identity.reset_cause is ResetCause.WATCHDOG


def test_a_hang_must_be_meant(make_bench, board):
    bench = make_bench()
    reply = bench.conversation._link.submit(
        messages.make(messages.HANG, key=codes.HANG_KEY ^ 1, interrupts=1)
    )
    bench.run(300 * MS)
    assert reply.result().result is Result.NOT_NOW
    assert reason_of(bench) is SafeReason.NONE


def test_consecutive_rejects_stop_the_line_after_the_last_was_ejected(make_bench, board):
    bench = make_bench(reject_limit=3, safe_action=SafeAction.PASS_ALL)
    for n in range(7):
        board.trigger(after(bench, 10 + 40 * n))
    verdicts = dict.fromkeys(range(1, 8), Verdict.NG) | {3: Verdict.OK}
    judge(bench, verdicts)
    bench.run(800 * MS)
    status = bench.conversation.status()
    assert status.safe_reason is SafeReason.CONSECUTIVE_REJECTS
    assert status.safe_action is SafeAction.STOP_LINE
    assert len(truth.pulses(board)) == 5  # 1, 2, then 4, 5, 6
    assert [round(p.length_ms) for p in truth.pulses(board)] == [10] * 5
    (change,) = [
        event
        for event in bench.events
        if isinstance(event, SafeStateChanged) and event.reason is SafeReason.CONSECUTIVE_REJECTS
    ]
    assert change.part == 6


def test_ejected_parts_are_confirmed(make_bench, board):
    bench = make_bench(confirmation_ms=100)
    eye = [after(bench, 10 + 150 * n) for n in range(3)]
    for at in eye:
        board.trigger(at)
    judge(bench, dict.fromkeys((1, 2, 3), Verdict.NG))
    for at in eye[:2]:
        board.confirm(at + 360 * MS)
    bench.run(690 * MS)
    assert reason_of(bench) is SafeReason.NONE
    bench.run(800 * MS)
    status = bench.conversation.status()
    assert status.safe_reason is SafeReason.NOT_CONFIRMED
    assert status.mcu.confirmed == 2
    assert not truth.level(board, "run")


def test_within_the_safe_state_only_a_stop_escalates(make_bench, board):
    bench = make_bench(safe_action=SafeAction.PASS_ALL, heartbeat_ms=200)
    for n in range(34):
        board.trigger(after(bench, 200 + 5 * n))
    bench.host_alive = False
    bench.run(300 * MS)
    assert truth.level(board, "run")
    bench.run(150 * MS)
    assert not truth.level(board, "run")
    bench.host_alive = True
    bench.run(700 * MS)
    assert reason_of(bench) is SafeReason.TOO_MANY_PARTS


def test_a_bad_configuration_is_refused_and_leads_to_the_safe_state(make_bench, board):
    bench = make_bench(safe_action=SafeAction.PASS_ALL)
    values = bench.conversation._configure
    bad = messages.make(
        messages.CONFIGURE,
        **{f.name: values[f.name] for f in messages.CONFIGURE.fields} | {"pulse_us": 999},
    )
    reply = bench.conversation._link.submit(bad)
    bench.run(100 * MS)
    assert reply.result().result is Result.BAD_CONFIGURATION
    assert reply.result().detail == 3
    assert reason_of(bench) is SafeReason.BAD_CONFIGURATION
    assert truth.level(board, "fault")


def test_a_configuration_that_only_the_mcu_refuses_is_an_error_with_a_sentence(board, monkeypatch):
    monkeypatch.setattr(RejectConfiguration, "check", lambda self: None)
    impossible = RejectConfiguration(delay_ms=5, minimum_gap_ms=5)
    bench = Bench(board, impossible)
    with pytest.raises(ConfigurationError, match="delay too short"):
        bench.connect()


def test_another_configuration_ends_the_parts_in_flight(make_bench, board):
    bench = make_bench(safe_action=SafeAction.PASS_ALL)
    board.trigger(after(bench, 10))
    judge(bench, {1: Verdict.NG})
    bench.run(100 * MS)
    values = bench.conversation._configure
    other = messages.make(
        messages.CONFIGURE,
        **{f.name: values[f.name] for f in messages.CONFIGURE.fields} | {"delay_us": 400_000},
    )
    reply = bench.conversation._link.submit(other)
    bench.run(500 * MS)
    assert reply.result().result is Result.DONE
    assert truth.pulses(board) == []
    assert bench.outcomes[1].kind is OutcomeKind.SKIPPED
    assert reason_of(bench) is SafeReason.NEW_CONFIGURATION
