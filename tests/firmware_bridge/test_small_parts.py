from __future__ import annotations

import select
import time

import pytest

from firmware_bridge.clock import ManualClock, MonotonicClock
from firmware_bridge.events import OutcomeKind
from firmware_bridge.gate.belt import Belt
from firmware_bridge.jitter import EDGES, JitterMeter
from firmware_bridge.ledger import Ledger
from firmware_bridge.waker import Waker


def test_the_books_close_each_account_once():
    ledger = Ledger()
    for part in (1, 2, 3):
        ledger.opened(part)
    ledger.closed(1, OutcomeKind.PASSED)
    ledger.closed(3, OutcomeKind.REJECTED)
    ledger.lost(2)
    counts = ledger.counts
    assert (counts.triggers, counts.passed, counts.rejected) == (5, 1, 1)
    assert (counts.lost, counts.in_flight) == (2, 1)
    with pytest.raises(ValueError, match="ended before"):
        ledger.closed(1, OutcomeKind.LATE)
    with pytest.raises(ValueError, match="already"):
        ledger.opened(2)


def test_jitter_is_of_the_latest_edges():
    meter = JitterMeter()
    assert meter.jitter is None
    for error_us in range(EDGES + 50):
        meter.add(-error_us)
    jitter = meter.jitter
    assert jitter is not None
    assert jitter.edges == EDGES
    assert jitter.p50_us == pytest.approx(50 + EDGES / 2, abs=1)
    assert jitter.p99_us == pytest.approx(50 + EDGES * 0.99, abs=1)
    assert jitter.maximum_us == EDGES + 49


def test_clocks():
    clock = ManualClock(5)
    clock.sleep_until_ns(7)
    clock.sleep_until_ns(6)
    assert clock.now_ns() == 7
    real = MonotonicClock()
    before_ns = time.monotonic_ns()
    real.sleep_until_ns(before_ns + 2_000_000)
    assert real.now_ns() >= before_ns + 2_000_000
    real.sleep_until_ns(before_ns)


def test_a_waker_wakes_until_it_is_drained_and_minds_no_end():
    waker = Waker()
    for _ in range(1_000_00):
        waker.wake()
    assert select.select([waker], [], [], 0)[0] == [waker]
    waker.drain()
    assert select.select([waker], [], [], 0)[0] == []
    waker.close()
    waker.wake()


def test_a_belt_in_both_directions():
    belt = Belt()
    assert belt.time_of(1) is None
    belt.set_speed(1000, 0)
    assert belt.count(1_999_999) == 1
    assert belt.time_of(5) == 5_000_000
    assert belt.time_below(0) is None
    belt.set_speed(-500, 10_000_000)
    assert belt.count(12_000_001) == 8
    assert belt.time_of(11) is None
    below_ns = belt.time_below(8)
    assert below_ns is not None
    assert belt.count(below_ns) == 7
