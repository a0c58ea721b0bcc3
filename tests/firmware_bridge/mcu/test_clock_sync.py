from __future__ import annotations

import random

import pytest

from firmware_bridge.mcu.clock_sync import NS_PER_TICK, WRAP, ClockSync

MS = 1_000_000
PING_NS = 25 * MS


class Mcu:
    """A clock that runs fast, behind a wire that takes its time."""

    def __init__(self, drift_ppm: float, started_ns: int, ticks_at_start: int = 0) -> None:
        self.rate = 1 + drift_ppm * 1e-6
        self.started_ns = started_ns
        self.ticks_at_start = ticks_at_start

    def ticks(self, host_ns: float) -> int:
        passed = (host_ns - self.started_ns) * self.rate / NS_PER_TICK
        return int(passed + self.ticks_at_start) % WRAP


def synchronised(mcu: Mcu, seconds: float, trip_us, seed: int = 3):
    """A ClockSync after so long, and the host's time by then."""
    chance = random.Random(seed)
    sync = ClockSync()
    now_ns = mcu.started_ns + 50 * MS
    for _ in range(round(seconds * 1e9 / PING_NS)):
        there_ns, back_ns = (trip_us(chance) * 1000 for _ in range(2))
        turnaround_ns = chance.randrange(0, 500_000)
        read_ns = now_ns + there_ns
        sync.add(
            now_ns,
            round(read_ns + turnaround_ns + back_ns),
            mcu.ticks(read_ns),
            turnaround_ns // NS_PER_TICK,
        )
        now_ns += PING_NS
    return sync, now_ns


def usual(chance: random.Random) -> float:
    return chance.uniform(200, 900)


def with_outliers(chance: random.Random) -> float:
    return chance.uniform(200, 500) if chance.random() < 0.7 else chance.uniform(5_000, 60_000)


def slow_one_way(chance: random.Random) -> float:
    """A USB adapter that keeps bytes until a timer ends."""
    return chance.choice([150.0, 4_000.0]) + chance.uniform(0, 200)


@pytest.mark.parametrize("drift_ppm", [0, 200, -150])
@pytest.mark.parametrize("trip_us", [usual, with_outliers, slow_one_way])
@pytest.mark.parametrize("seconds", [0.2, 2, 30])
def test_the_truth_lies_within_the_uncertainty(drift_ppm, trip_us, seconds):
    mcu = Mcu(drift_ppm, started_ns=7_000_000_000)
    sync, now_ns = synchronised(mcu, seconds, trip_us)
    assert sync.ready
    for past_ms in (0, 10, 100, 400):
        moment_ns = now_ns - past_ms * MS
        found_ns, uncertainty_ns = sync.to_host_ns(mcu.ticks(moment_ns))
        assert abs(found_ns - moment_ns) <= uncertainty_ns


def test_drift_is_found_and_uncertainty_is_modest():
    sync, _ = synchronised(Mcu(200, 0), 60, usual)
    estimate = sync.estimate
    assert estimate is not None
    assert estimate.drift_ppm == pytest.approx(200, abs=15)
    assert estimate.uncertainty_ns < 600_000


def test_outliers_do_not_widen_the_uncertainty():
    clean, _ = synchronised(Mcu(50, 0), 30, lambda chance: chance.uniform(200, 500))
    dirty, _ = synchronised(Mcu(50, 0), 30, with_outliers)
    assert clean.estimate
    assert dirty.estimate
    assert dirty.estimate.uncertainty_ns < 2 * clean.estimate.uncertainty_ns


def test_the_clock_may_turn_around():
    mcu = Mcu(100, 0, ticks_at_start=WRAP - 4_000_000)
    sync, now_ns = synchronised(mcu, 5, usual)
    for moment_ns in (now_ns, now_ns - 4_000 * MS):
        found_ns, uncertainty_ns = sync.to_host_ns(mcu.ticks(moment_ns))
        assert abs(found_ns - moment_ns) <= uncertainty_ns


def test_a_few_pings_are_enough_and_fewer_are_not():
    mcu = Mcu(0, 0)
    sync, _ = synchronised(mcu, 0.05, lambda chance: 300)
    assert not sync.ready
    assert sync.estimate is None
    sync, _ = synchronised(mcu, 0.15, lambda chance: 300)
    assert sync.ready


def test_a_long_pause_does_not_confuse_it():
    mcu = Mcu(200, 0)
    sync, now_ns = synchronised(mcu, 5, usual)
    later_ns = now_ns + 10 * 60 * 1000 * MS
    found_ns, uncertainty_ns = sync.to_host_ns(mcu.ticks(later_ns))
    assert abs(found_ns - later_ns) <= uncertainty_ns
