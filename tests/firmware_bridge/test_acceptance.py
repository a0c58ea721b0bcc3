"""The long runs of the reject gate, against the real firmware in simavr."""

from __future__ import annotations

import random
import subprocess
import threading

import pytest

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import Event, LatePolicy, Outcome, OutcomeKind, Trigger, Verdict
from firmware_bridge.mcu.rejector import McuRejector
from firmware_bridge.mcu.transport import SerialTransport
from tests.benchmarks.reject_gate import lines_to_measure
from tests.firmware_bridge import line as lines
from tests.firmware_bridge import truth
from tests.firmware_bridge.fuzzing import fuzz
from tests.firmware_bridge.simavr_board import RealTimeBoard, SimavrBoard, built
from tests.firmware_bridge.test_firmware import judge

pytestmark = [pytest.mark.acceptance, pytest.mark.real]

LINES = lines_to_measure(2000)


@pytest.mark.parametrize("name", LINES)
def test_a_long_line(name):
    board = SimavrBoard()
    try:
        judge(lines.run(board, LINES[name]), LINES[name])
    finally:
        board.close()


def test_ten_million_bytes_under_the_sanitizers():
    fuzzer = built("fuzz") / "fuzz"
    done = subprocess.run([str(fuzzer), "10000000"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


def test_ten_million_bytes_into_the_real_firmware():
    board = SimavrBoard()
    try:
        account = fuzz(board, 10_000_000)
    finally:
        board.close()
    print(account)
    assert account.pulses <= account.allowed


def test_a_line_in_real_time(tmp_path):
    """Threads, a serial port and the wall clock: 600 parts at 30 a second."""
    chance = random.Random(1)
    parts = 600
    verdicts = {part: chance.choice([Verdict.OK, Verdict.NG]) for part in range(1, parts + 1)}
    outcomes: dict[int, Outcome] = {}
    all_ended = threading.Event()
    configuration = RejectConfiguration(
        delay_ms=500,
        pulse_ms=1,
        minimum_gap_ms=2,
        late_policy=LatePolicy.PASS,
        heartbeat_ms=2000,
        worst_case_verdict_ms=60,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, Trigger):
            takes_s = chance.uniform(0.005, 0.06)
            verdict = verdicts[event.part]
            threading.Timer(takes_s, rejector.decide, (event.part, verdict)).start()
        elif isinstance(event, Outcome):
            outcomes[event.part] = event
            if len(outcomes) == parts:
                all_ended.set()

    board = RealTimeBoard(tmp_path)
    try:
        rejector = McuRejector(SerialTransport(board.port), configuration, on_event)
        with rejector:
            rejector.clear()
            eye = [board.now_ns() + 300 * NS_PER_MS]
            while len(eye) < parts:
                eye.append(eye[-1] + round((4 + chance.expovariate(1 / 29.3)) * NS_PER_MS))
            for at_ns in eye:
                board.trigger(at_ns)
            board.wait_for(lambda kind, edge: edge.at_ns > eye[-1] and edge.pin == "trigger", 120)
            assert all_ended.wait(10)
            status = rejector.status()
    finally:
        board.close()

    print(status)
    late = {part for part, outcome in outcomes.items() if outcome.kind is OutcomeKind.LATE}
    wanted = [
        at_ns + 500 * NS_PER_MS
        for part, at_ns in enumerate(eye, start=1)
        if verdicts[part] is Verdict.NG and part not in late
    ]
    errors = truth.rising_errors_us(truth.read_vcd(board.vcd), wanted)
    print(f"{len(late)} late; {len(errors)} fired, at most {max(map(abs, errors)):.2f} us off")
    assert max(map(abs, errors)) <= 50
    assert status.counts.triggers == parts
