from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import OutcomeKind, Verdict
from firmware_bridge.mcu.rejector import identify
from firmware_bridge.mcu.transport import SerialTransport
from tests.firmware_bridge import truth
from tests.firmware_bridge.bench import HOST_EPOCH_NS, Bench
from tests.firmware_bridge.virtual_board import VirtualBoard

MS = NS_PER_MS
REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_clock_200_ppm_fast_is_noticed_and_allowed_for():
    board = VirtualBoard(drift_ppm=200)
    bench = Bench(
        board,
        RejectConfiguration(delay_ms=2000, pulse_ms=10, worst_case_verdict_ms=50),
    )
    bench.connect()
    bench.clear()
    bench.answer(lambda part: Verdict.NG, lambda: 20 * MS)
    bench.run(20_000 * MS)
    eye_ns = bench.now_ns + 10 * MS
    board.trigger(eye_ns)
    bench.run(2500 * MS)

    status = bench.conversation.status()
    assert status.link.clock_drift_ppm == pytest.approx(200, abs=20)
    (trigger,) = bench.triggers
    assert abs(trigger.triggered_at_ns - HOST_EPOCH_NS - eye_ns) <= trigger.uncertainty_ns
    # Two seconds on a fast clock are 400 us short; the MCU cannot know, and the gate is early.
    (error_us,) = truth.rising_errors_us(board, [eye_ns + 2000 * MS])
    assert error_us == pytest.approx(-400, abs=2)
    assert bench.outcomes[1].kind is OutcomeKind.REJECTED
    fired_at_ns = bench.outcomes[1].fired_at_ns - HOST_EPOCH_NS
    assert abs(fired_at_ns - truth.changes(board, "gate", True)[0]) <= trigger.uncertainty_ns


def test_the_command_line_serves_a_port(tmp_path):
    link = tmp_path / "gate"
    command = [sys.executable, "-m", "firmware_bridge.virtual", "--link", str(link)]
    command += ["--parts-per-s", "100", "--drift-ppm", "50"]
    # A shell makes jobs in the background ignore interrupts.
    command = ["env", "--default-signal=INT", *command]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            while not (line := process.stdout.readline()).startswith("serial port:"):
                assert line, "it has ended"
            assert line == f"serial port: {link}\n"
            assert identify(SerialTransport(str(link))).board == "virtual MCU"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
    assert not os.path.lexists(link)
