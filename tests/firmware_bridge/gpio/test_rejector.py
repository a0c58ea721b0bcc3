"""The gate on lines with its threads, in real time, on the simulated chip."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager

import pytest

from firmware_bridge.clock import ManualClock
from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.errors import CommandRefused, ConfigurationError, LineError
from firmware_bridge.events import (
    LatePolicy,
    LinkChanged,
    Outcome,
    OutcomeKind,
    SafeReason,
    SafeStateChanged,
    Trigger,
    Verdict,
)
from firmware_bridge.gpio.gate import TOLERANCE_NS, GpioGate
from firmware_bridge.gpio.rejector import GpioRejector
from firmware_bridge.gpio.simulated import SimulatedLines
from tests.firmware_bridge.mcu.test_rejector import Inbox

MS = 1_000_000
CONFIGURATION = RejectConfiguration(
    delay_ms=150, worst_case_verdict_ms=50, late_policy=LatePolicy.PASS
)


@contextmanager
def running(lines=None, configuration=CONFIGURATION):
    inbox = Inbox()
    lines = lines or SimulatedLines()
    with GpioRejector(lines, configuration, inbox.put) as rejector:
        rejector.clear()
        yield rejector, lines, inbox


def test_a_part_from_trigger_to_outcome_and_the_jitter_is_measured():
    levels: queue.SimpleQueue = queue.SimpleQueue()
    lines = SimulatedLines(on_output=lambda *change: levels.put(change))
    with running(lines) as (rejector, lines, inbox):
        lines.trigger()
        trigger = inbox.wait_for(Trigger)
        rejector.decide(trigger.part, Verdict.NG)
        outcome = inbox.wait_for(Outcome)
        # A machine that is busy may make the edge late, or too late: named, not promised.
        assert outcome.kind in (OutcomeKind.REJECTED, OutcomeKind.LATE)
        status = rejector.status()
        if outcome.fired:
            measured_ns = outcome.fired_at_ns - trigger.triggered_at_ns - 150 * MS
            assert outcome.error_us == pytest.approx(measured_ns / 1000, abs=1)
            assert 0 <= outcome.error_us <= TOLERANCE_NS / 1000
            assert status.jitter.edges == 1
            assert status.jitter.maximum_us == pytest.approx(outcome.error_us)
    assert not [t for t in threading.enumerate() if t.name in ("gate", "gate events")]


def test_it_leaves_safe_and_every_part_has_an_outcome():
    levels: dict[str, bool] = {}
    lines = SimulatedLines(on_output=lambda name, level, at_ns: levels.update({name: level}))
    inbox = Inbox()
    with GpioRejector(lines, CONFIGURATION, inbox.put) as rejector:
        assert levels == {"fault": True}
        rejector.clear(SafeReason.POWER_ON)
        assert (levels["run"], levels["fault"]) == (True, False)
        lines.trigger()
        inbox.wait_for(Trigger)
    assert inbox.wait_for(Outcome).kind is OutcomeKind.SKIPPED
    assert rejector.status().counts.in_flight == 0
    assert not any(levels.values())


def test_a_gap_in_the_sequence_is_lost_triggers():
    with running() as (rejector, lines, inbox):
        lines.trigger()
        inbox.wait_for(Trigger)
        lines.lose_triggers(3)
        lines.trigger(at_ns=rejector._clock.now_ns() + 10 * MS)
        inbox.wait_for(Trigger)
        counts = rejector.status().counts
        assert (counts.triggers, counts.lost) == (5, 3)


def test_refusals():
    with running() as (rejector, lines, inbox):
        with pytest.raises(CommandRefused, match="another reason by now: running"):
            rejector.clear(SafeReason.WATCHDOG)
        with pytest.raises(CommandRefused, match=r"outside 1 \.\. 500"):
            rejector.reject_test(501)
        lines.trigger()
        inbox.wait_for(Trigger)
        with pytest.raises(CommandRefused, match="Parts are in flight"):
            rejector.reject_test(10)


def test_confirmation_and_consecutive_rejects_stop_the_line():
    configuration = RejectConfiguration(
        delay_ms=100, worst_case_verdict_ms=40, confirmation_ms=50, reject_limit=9
    )
    with running(configuration=configuration) as (_, lines, inbox):
        lines.trigger()
        inbox.wait_for(Trigger)
        assert inbox.wait_for(Outcome).kind is OutcomeKind.LATE
        inbox.wait_for(SafeStateChanged, reason=SafeReason.NOT_CONFIRMED)


def test_an_edge_that_linux_cannot_make_in_time_is_not_made():
    clock = ManualClock()
    levels = []
    lines = SimulatedLines(clock=clock, on_output=lambda *change: levels.append(change))
    gate = GpioGate(CONFIGURATION, lines, clock)
    lines.open()
    gate.clear(None)
    lines.trigger()
    gate.take(lines.edges(0))
    gate.decide(1, Verdict.NG)
    clock.sleep_until_ns(145 * MS)
    gate.advance()
    clock.sleep_until_ns(150 * MS + TOLERANCE_NS + 1)
    gate.advance()
    (outcome,) = [event for event in gate.take_events() if isinstance(event, Outcome)]
    assert outcome.kind is OutcomeKind.LATE
    assert outcome.missed
    assert not outcome.fired
    assert not [change for change in levels if change[0] == "gate"]
    lines.close()


@pytest.mark.parametrize(
    "values",
    [
        {"distance_counts": 3000, "maximum_counts_per_s": 10_000.0},
        {"delay_ms": 300.0},
    ],
)
def test_a_belt_needs_a_microcontroller(values):
    configuration = RejectConfiguration(
        encoder=EncoderKind.SINGLE, worst_case_verdict_ms=50, **values
    )
    with pytest.raises(ConfigurationError, match="has no encoder"):
        GpioRejector(SimulatedLines(), configuration, lambda event: None)


def test_lines_that_are_held_already():
    lines = SimulatedLines()
    lines.open()
    rejector = GpioRejector(lines, CONFIGURATION, lambda event: None)
    with pytest.raises(LineError, match="held already"), rejector:
        pytest.fail("must not be opened")
    rejector.close()
    lines.close()


def test_lines_that_fail_are_told():
    lines = SimulatedLines()
    with running(lines) as (_, lines, inbox):

        def fail(timeout_s: float):
            raise LineError("pulled out")

        lines.edges = fail
        lines.wake()
        assert "pulled out" in inbox.wait_for(LinkChanged, up=False).why
