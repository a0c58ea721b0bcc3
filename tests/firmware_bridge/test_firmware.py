"""The firmware as such: its size, its name, its parser under fire."""

from __future__ import annotations

import re
import subprocess

import pytest

from firmware_bridge.mcu.identity import FIRMWARE_SOURCES, shipped_build
from tests import real_parts
from tests.firmware_bridge import line as lines
from tests.firmware_bridge.bench import Bench
from tests.firmware_bridge.fuzzing import fuzz
from tests.firmware_bridge.line import Line, percentile
from tests.firmware_bridge.simavr_board import SimavrBoard, built

pytestmark = pytest.mark.real

FLASH, RAM = 32_768, 2_048


@pytest.fixture
def board():
    made = SimavrBoard()
    yield made
    made.close()


def sizes() -> dict[str, int]:
    """Bytes of each section of the image."""
    size = real_parts.require("avr-size", "it measures the firmware (Debian: binutils-avr)")
    image = built() / "firmware.elf"
    text = subprocess.run([size, "-A", str(image)], capture_output=True, text=True, check=True)
    rows = re.findall(r"^\.(\w+)\s+(\d+)", text.stdout, re.MULTILINE)
    return {name: int(count) for name, count in rows}


def test_the_image_leaves_room():
    found = sizes()
    flash = found["text"] + found["data"]
    ram = found["data"] + found["bss"] + found["noinit"]
    print(f"flash {flash} bytes, {flash / FLASH:.1%}; RAM {ram} bytes, {ram / RAM:.1%}")
    assert flash <= 0.6 * FLASH
    assert ram <= 0.6 * RAM


def test_stack_and_time_leave_room(board):
    run = lines.run(board, Line(300, 100, travel_ms=180, counts_per_s=10_000, damage=0.01))
    assert run.status
    assert run.status.mcu
    used = RAM - run.status.mcu.free_bytes
    print(f"RAM with the deepest stack: {used} bytes, {used / RAM:.1%}")
    assert used <= 0.6 * RAM
    # The point of no return leaves two milliseconds for one pass of the main loop.
    assert run.status.mcu.loop_us <= 1200
    # A byte arrives every 40 us and two of them wait; a count comes every 100 us.
    assert board.longest_interrupts_off_us <= 40


def test_the_build_has_the_name_that_the_host_expects():
    makefile_hash = subprocess.run(
        "cat $(ls *.c *.h | LC_ALL=C sort) Makefile | sha256sum | cut -c1-16",
        shell=True,
        cwd=FIRMWARE_SOURCES,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert shipped_build() == makefile_hash


def test_the_core_survives_noise_under_the_sanitizers():
    fuzzer = built("fuzz") / "fuzz"
    done = subprocess.run([str(fuzzer), "400000", "7"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 400_000


def test_the_real_firmware_survives_noise(board):
    account = fuzz(board, 60_000)
    assert account.rounds == 3
    assert account.pulses <= account.allowed


@pytest.mark.parametrize(
    "line",
    [
        Line(250, 30),
        Line(250, 30, counts_per_s=10_000),
        Line(250, 100, travel_ms=180),
        Line(250, 30, damage=0.01),
    ],
    ids=["by time", "by distance", "100 parts/s", "bad wire"],
)
def test_a_short_line(board, line):
    judge(lines.run(board, line), line)


def judge(run: lines.Run, line: Line) -> None:
    assert (run.wrong, run.unfired) == (0, 0)
    assert run.status
    counts = run.status.counts
    assert counts.triggers == counts.passed + counts.rejected + counts.late == line.parts
    assert run.late <= (0.01 * line.parts if line.damage else 0)
    limit = 50 if line.counts_per_s is None else 1
    assert percentile(run.errors, 1.0) <= limit


def test_a_board_without_an_answering_host_stays_safe(board):
    bench = Bench(board, None)
    bench.open()
    bench.host_alive = False
    board.trigger(10_000_000)
    bench.run(2_000_000_000)
    assert [edge.pin for edge in board.edges if edge.pin not in ("trigger",)] == ["fault"]
