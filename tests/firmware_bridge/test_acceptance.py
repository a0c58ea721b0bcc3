"""The long runs of the reject gate, against the real firmware in simavr."""

from __future__ import annotations

import subprocess

import pytest

from tests.benchmarks.reject_gate import lines_to_measure
from tests.firmware_bridge import line as lines
from tests.firmware_bridge.fuzzing import fuzz
from tests.firmware_bridge.simavr_board import SimavrBoard, built
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
