"""The real firmware in real time: hosts that are killed, cables that are pulled.

Times that are judged are the board's own; the machine may be as slow as it likes.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import PortInUse
from firmware_bridge.events import (
    Event,
    LatePolicy,
    LinkChanged,
    Outcome,
    OutcomeKind,
    SafeReason,
    Trigger,
    Verdict,
)
from firmware_bridge.mcu.rejector import McuRejector, identify
from firmware_bridge.mcu.transport import SerialTransport
from tests.firmware_bridge import truth
from tests.firmware_bridge.host_process import CONFIGURATION
from tests.firmware_bridge.simavr_board import RealTimeBoard

pytestmark = pytest.mark.real

MS = NS_PER_MS
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RealTimeBoard]:
    made = RealTimeBoard(tmp_path)
    yield made
    made.close()


class Host:
    """A rejector whose events can be awaited."""

    def __init__(self, port: str, configuration: RejectConfiguration, verdict: Verdict) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._verdict = verdict
        self.rejector = McuRejector(SerialTransport(port), configuration, self._take)

    def _take(self, event: Event) -> None:
        if isinstance(event, Trigger):
            self.rejector.decide(event.part, self._verdict)
        self._events.put(event)

    def wait_for(self, wanted, limit_s: float = 20.0) -> Event:
        end_s = time.monotonic() + limit_s
        while True:
            event = self._events.get(timeout=max(0.01, end_s - time.monotonic()))
            if wanted(event):
                return event


def test_the_handshake_of_the_real_firmware(board):
    identity = identify(SerialTransport(board.port))
    assert identity.board == "Arduino Uno or Nano"
    assert identity.firmware == "1.0.0"
    assert identity.as_shipped
    assert identity.configuration_hash == 0


def test_a_host_killed_in_mid_run(board):
    command = [sys.executable, "-m", "tests.firmware_bridge.host_process", board.port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as host:
        assert host.stdout
        assert host.stdout.readline() == "ready\n"
        begin_ns = board.now_ns() + 100 * MS
        eye = [begin_ns + 120 * MS * n for n in range(20)]
        for at_ns in eye:
            board.trigger(at_ns)
        assert host.stdout.readline() == "1 rejected\n"
        assert host.stdout.readline() == "2 rejected\n"
        host.kill()

    fault = board.wait_for(lambda kind, edge: edge.pin == "fault" and edge.level)
    heir = Host(board.port, CONFIGURATION, Verdict.NG)
    with heir.rejector:
        status = heir.rejector.status()
        assert status.safe_reason is SafeReason.HEARTBEAT_LOST
        assert status.safe_action is CONFIGURATION.safe_action
        heir.rejector.clear(SafeReason.HEARTBEAT_LOST)
        cleared_ns = board.now_ns()
        later_ns = max(cleared_ns, eye[-1]) + 200 * MS
        board.trigger(later_ns)
        heir.wait_for(
            lambda event: isinstance(event, Outcome) and event.kind is OutcomeKind.REJECTED
        )
        board.wait_for(lambda kind, edge: edge.pin == "gate" and edge.at_ns > later_ns + 405 * MS)
        counts = heir.rejector.status().counts
        assert counts.triggers == counts.rejected + counts.skipped + counts.late + counts.in_flight
    board.close()

    trace = truth.read_vcd(board.vcd)
    heard_ns = max(at_ns for at_ns in trace.received_ns if at_ns < fault.at_ns)
    print(f"safe state {(fault.at_ns - heard_ns) / MS:.2f} ms after the last byte of the host")
    assert 299 * MS <= fault.at_ns - heard_ns <= 320 * MS
    risen = truth.changes(trace, "gate", True)
    assert not [at for at in risen if fault.at_ns < at < cleared_ns]
    moments = [at_ns + 400 * MS for at_ns in [*eye, later_ns]]
    fired_for = [min(range(len(moments)), key=lambda n: abs(moments[n] - at)) for at in risen]
    assert len(set(fired_for)) == len(fired_for), "a part was fired twice"
    assert max(abs(moments[n] - at) for n, at in zip(fired_for, risen, strict=True)) < 50_000
    assert {0, 1, 20} <= set(fired_for)


def test_a_cable_pulled_and_put_back(board):
    configuration = RejectConfiguration(
        delay_ms=1500,
        pulse_ms=10,
        heartbeat_ms=5000,
        late_policy=LatePolicy.PASS,
        worst_case_verdict_ms=50,
    )
    host = Host(board.port, configuration, Verdict.NG)
    with host.rejector:
        host.rejector.clear()
        board.unplug(400)
        down = host.wait_for(lambda event: isinstance(event, LinkChanged) and not event.up)
        assert "gone" in down.why
        pulled_s = time.monotonic()
        begin_ns = board.now_ns()
        board.trigger(begin_ns + 50 * MS)
        assert host.wait_for(lambda event: isinstance(event, LinkChanged)).up
        recovered_s = time.monotonic() - pulled_s
        print(
            f"recovered {recovered_s:.2f} s after the cable was pulled, 0.4 s of them without one"
        )
        assert recovered_s < 2.4
        # It passed while nobody was listening, and is judged in time all the same.
        outcome = host.wait_for(lambda event: isinstance(event, Outcome))
        assert outcome.kind is OutcomeKind.REJECTED
        status = host.rejector.status()
        assert status.safe_reason is SafeReason.NONE
        assert status.link.sessions == 1
        assert (status.counts.triggers, status.counts.rejected) == (1, 1)


def test_a_cable_pulled_for_longer_than_the_heartbeat(board):
    host = Host(board.port, CONFIGURATION, Verdict.NG)
    with host.rejector:
        host.rejector.clear()
        board.unplug(700)
        board.wait_for(lambda kind, edge: edge.pin == "fault" and edge.level)
        host.wait_for(lambda event: isinstance(event, LinkChanged) and not event.up)
        host.wait_for(lambda event: isinstance(event, LinkChanged) and event.up)
        assert host.rejector.status().safe_reason is SafeReason.HEARTBEAT_LOST
        host.rejector.clear(SafeReason.HEARTBEAT_LOST)
        assert host.rejector.status().safe_reason is SafeReason.NONE


def test_a_port_in_use(board):
    host = Host(board.port, CONFIGURATION, Verdict.NG)
    with host.rejector, pytest.raises(PortInUse, match="in use by another process"):
        identify(SerialTransport(board.port))
