"""The real firmware, on simavr in lockstep: time passes only when a test says so."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import firmware_bridge
from tests import real_parts

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware"
RECORD = struct.Struct("<BQIi")
CYCLES_PER_US = 16

PINS = ("trigger", "encoder_a", "encoder_b", "confirmation", "gate", "strobe", "run", "fault")


@dataclass(frozen=True)
class Edge:
    """A pin has changed; ``position`` is the belt's, in counts."""

    at_ns: int
    pin: str
    level: bool
    position: int


def built(target: str = "simavr") -> Path:
    """Builds the firmware and its runner once; the folder with both."""
    real_parts.require("avr-gcc", "it builds the firmware (Debian: gcc-avr avr-libc)")
    real_parts.require("simavr", "it runs the firmware (Debian: simavr libsimavr-dev)")
    make = real_parts.require("make", "it builds the firmware")
    compiler = real_parts.require("cc", "it builds the runner")
    folder = FIRMWARE / "build"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for goal in ("build/firmware.hex", target):
            done = subprocess.run(
                [make, "-C", str(FIRMWARE), f"CC={compiler}", goal],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                pytest.fail(f"make {goal}:\n{done.stdout}{done.stderr}", pytrace=False)
    return folder


class SimavrBoard:
    """An Uno with our firmware. Times are in nanoseconds since its power came on."""

    byte_time_ns = 44_000

    def __init__(self, vcd: Path | None = None) -> None:
        folder = built()
        command = [str(folder / "simavr_board"), str(folder / "firmware.elf")]
        if vcd:
            command += ["--vcd", str(vcd)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._now_cycle = 0
        self.longest_interrupts_off_us = 0.0
        self.edges: list[Edge] = []

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()

    # Time and the wire.

    @property
    def now_ns(self) -> int:
        return _ns(self._now_cycle)

    def run_until(self, until_ns: int) -> bytes:
        """Runs until then, or until the firmware has sent a frame; the bytes it has sent."""
        cycle = max(_cycle(until_ns), self._now_cycle)
        self._tell("R", cycle, 1)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.flush()
        sent = bytearray()
        while True:
            record = self._process.stdout.read(RECORD.size)
            if len(record) < RECORD.size:
                pytest.fail("simavr_board has ended; its message is above", pytrace=False)
            kind, at, value, position = RECORD.unpack(record)
            if kind == ord("."):
                self._now_cycle = at
                self.longest_interrupts_off_us = value / CYCLES_PER_US
                return bytes(sent)
            if kind == ord("u"):
                sent.append(value)
            else:
                edge = Edge(_ns(at), PINS[value >> 8], bool(value & 1), position)
                self.edges.append(edge)

    def send(self, data: bytes, at_ns: int | None = None) -> None:
        """Bytes to the firmware's serial port."""
        cycle = self._now_cycle if at_ns is None else _cycle(at_ns)
        for byte in data:
            self._tell("U", cycle, byte)

    # The world around the board.

    def trigger(self, at_ns: int, width_ns: int = 500_000) -> None:
        self._tell("P", _cycle(at_ns), _pin("trigger", 1))
        self._tell("P", _cycle(at_ns + width_ns), _pin("trigger", 0))

    def confirm(self, at_ns: int) -> None:
        self._tell("P", _cycle(at_ns), _pin("confirmation", 1))
        self._tell("P", _cycle(at_ns + 500_000), _pin("confirmation", 0))

    def belt(self, counts_per_s: float, at_ns: int) -> None:
        cycles = round(CYCLES_PER_US * 1e6 / counts_per_s) if counts_per_s else 0
        self._tell("E", _cycle(at_ns), cycles & 0xFFFFFFFF)

    def reset(self, flags: int) -> None:
        self._tell("X", 0, flags)

    def damage_store(self, address: int, bits: int) -> None:
        self._tell("M", 0, address << 8 | bits)

    def _tell(self, kind: str, cycle: int, value: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(RECORD.pack(ord(kind), cycle, value, 0))


class RealTimeBoard:
    """The same in real time, with its serial port on a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        built_in = built()
        self.port = str(folder / "port")
        self.vcd = folder / "trace.vcd"
        self._process = subprocess.Popen(
            [
                str(built_in / "simavr_board"),
                str(built_in / "firmware.elf"),
                *("--vcd", str(self.vcd), "--pty", self.port),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._pending = b""
        self.wait_for(lambda kind, edge: kind == ".")

    def close(self) -> None:
        """Ends it; the trace is complete then. Does nothing the second time."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()

    def now_ns(self) -> int:
        self._tell("R", 0, 0)
        return self.wait_for(lambda kind, edge: kind == ".").at_ns

    def trigger(self, at_ns: int) -> None:
        self._tell("P", _cycle(at_ns), _pin("trigger", 1))
        self._tell("P", _cycle(at_ns + 500_000), _pin("trigger", 0))

    def belt(self, counts_per_s: float) -> None:
        self._tell("E", 0, round(CYCLES_PER_US * 1e6 / counts_per_s))

    def unplug(self, milliseconds: int) -> None:
        self._tell("H", 0, milliseconds)

    def wait_for(self, wanted: Callable[[str, Edge], bool], limit_s: float = 20.0) -> Edge:
        """Reads what the board tells until something is as wanted."""
        assert self._process.stdout
        end_s = time.monotonic() + limit_s
        while True:
            while len(self._pending) >= RECORD.size:
                kind, at, value, position = RECORD.unpack_from(self._pending)
                self._pending = self._pending[RECORD.size :]
                pin = PINS[value >> 8] if kind == ord("p") else ""
                edge = Edge(_ns(at), pin, bool(value & 1), position)
                if wanted(chr(kind), edge):
                    return edge
            left_s = end_s - time.monotonic()
            if not select.select([self._process.stdout], [], [], max(0, left_s))[0]:
                pytest.fail(f"the board has not done what was awaited within {limit_s:g} s")
            self._pending += os.read(self._process.stdout.fileno(), 65536)

    def _tell(self, kind: str, cycle: int, value: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(RECORD.pack(ord(kind), cycle, value, 0))


def _cycle(at_ns: int) -> int:
    return -(-at_ns * CYCLES_PER_US // 1000)


def _ns(cycle: int) -> int:
    return cycle * 1000 // CYCLES_PER_US


def _pin(name: str, level: int) -> int:
    return PINS.index(name) << 8 | level
