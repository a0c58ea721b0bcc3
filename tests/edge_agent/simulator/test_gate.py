"""The end of the simulated line: edges where the pictures say, and kicks where the pulses are."""

from __future__ import annotations

import pytest

from edge_agent.simulator import SimulatedLine, SimulatorSettings
from edge_agent.simulator.gate import SimulatedGate
from firmware_bridge import Output
from tests.clocks import ManualClock

SETTINGS = SimulatorSettings(parts=30, seed=4, belt_speed_px_per_s=960.0, defect_share=0.3)


def test_the_photo_eye_sees_a_part_when_the_picture_shows_it_in_the_middle() -> None:
    seen: dict[int, int] = {}

    def note(number: int, at_ns: int) -> None:
        # Announced in order, before it happens, and not long before.
        assert number == len(seen)
        assert clock.monotonic_ns() < at_ns <= clock.monotonic_ns() + 1_000_000_000
        seen[number] = at_ns

    clock = ManualClock()
    middles: dict[int, list[tuple[int, float]]] = {}
    with SimulatedLine(SETTINGS, clock, note) as line:
        while (frame := line.read()) is not None:
            for truth in frame.truths:
                assert truth.box is not None
                x, _, width, _ = truth.box
                if x > 0 and x + width < SETTINGS.width_px:
                    where = (frame.captured_at_ns, x + width / 2)
                    middles.setdefault(truth.part, []).append(where)
    assert sorted(seen) == sorted(middles) == list(range(30))
    for part, places in middles.items():
        at_ns, x = places[0]
        expected_x = x + (seen[part] - at_ns) / 1e9 * SETTINGS.belt_speed_px_per_s
        assert expected_x == pytest.approx(SETTINGS.width_px / 2, abs=2)


def _pulse(gate: SimulatedGate, on_ns: int, off_ns: int) -> None:
    gate._output(Output(on_ns, "gate", True))
    gate._output(Output(off_ns, "gate", False))


def test_a_pulse_kicks_what_is_at_the_gate_while_it_lasts() -> None:
    kicked: dict[int, bool] = {}
    gate = SimulatedGate(SETTINGS, 500, lambda number, kick: kicked.update({number: kick}))
    base, gap = gate.board._clock.now_ns() + 10**9, 400_000_000
    for number in range(6):
        gate.photo_eye(number, base + number * gap)
    at_gate = [base + number * gap + 500_000_000 for number in range(6)]
    _pulse(gate, at_gate[1], at_gate[1] + 40_000_000)  # exact
    _pulse(gate, at_gate[2] - 10_000_000, at_gate[2] + 10_000_000)  # early, for a slow actuator
    _pulse(gate, at_gate[4] - 1_000_000, at_gate[5] + 1_000_000)  # one for two parts
    assert gate.confusion(at_gate[3]) != {}
    total = gate.confusion(at_gate[5] + 10**9)
    assert kicked == {0: False, 1: True, 2: True, 3: False, 4: True, 5: True}
    assert sum(total.values()) == 6


def test_a_pulse_between_two_parts_kicks_nothing() -> None:
    gate = SimulatedGate(SETTINGS, 500)
    base = gate.board._clock.now_ns() + 10**9
    gate.photo_eye(0, base)
    gate.photo_eye(1, base + 800_000_000)
    _pulse(gate, base + 900_000_000, base + 940_000_000)
    confusion = gate.confusion(base + 10**10)
    assert confusion[False, True] + confusion[True, True] == 0


def test_parts_that_have_not_reached_the_gate_are_not_counted() -> None:
    gate = SimulatedGate(SETTINGS, 500)
    base = gate.board._clock.now_ns() + 10**9
    for number in range(3):
        gate.photo_eye(number, base + number * 400_000_000)
    assert sum(gate.confusion(base + 1_000_000_000).values()) == 1
    assert gate.empty_at_ns > base + 1_300_000_000
