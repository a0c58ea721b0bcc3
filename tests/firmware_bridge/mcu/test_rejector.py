"""The rejector with its thread, in real time, against the virtual board."""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import (
    CommandRefused,
    ConfigurationError,
    NoAnswer,
    NotOurFirmware,
    OtherProtocol,
    PortError,
    PortNotFound,
)
from firmware_bridge.events import (
    Event,
    LinkChanged,
    Outcome,
    OutcomeKind,
    SafeReason,
    SafeStateChanged,
    Trigger,
    Verdict,
)
from firmware_bridge.mcu.rejector import McuRejector, identify
from firmware_bridge.mcu.transport import SerialTransport
from firmware_bridge.virtual.board import VirtualBoard
from firmware_bridge.virtual.pty import VirtualPty
from firmware_bridge.virtual.transport import VirtualTransport
from firmware_bridge.wire import messages
from firmware_bridge.wire.codes import ResetCause

CONFIGURATION = RejectConfiguration(delay_ms=300, worst_case_verdict_ms=50, heartbeat_ms=5000)


class Inbox:
    """Events that can be awaited."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.put = self._events.put

    def wait_for(self, kind, limit_s: float = 10.0, **values):
        end_s = time.monotonic() + limit_s
        while True:
            event = self._events.get(timeout=max(0.01, end_s - time.monotonic()))
            if isinstance(event, kind) and all(getattr(event, n) == v for n, v in values.items()):
                return event


@contextmanager
def running(board: VirtualBoard, configuration=CONFIGURATION) -> Iterator[tuple]:
    inbox = Inbox()
    with McuRejector(VirtualTransport(board), configuration, inbox.put) as rejector:
        rejector.clear()
        yield rejector, inbox


def test_a_part_from_trigger_to_outcome():
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        assert rejector.identity.board == "virtual MCU"
        board.trigger()
        trigger = inbox.wait_for(Trigger)
        assert abs(time.monotonic_ns() - trigger.triggered_at_ns) < 1e9
        rejector.decide(trigger.part, Verdict.NG)
        outcome = inbox.wait_for(Outcome)
        assert outcome.kind is OutcomeKind.REJECTED
        between_us = (outcome.fired_at_ns - trigger.triggered_at_ns) / 1000
        assert between_us == pytest.approx(300_000, abs=5_000)
        status = rejector.status()
        assert status.real_time
        assert status.counts.rejected == status.counts.triggers == 1


def test_parts_announced_beforehand_come_at_their_moments():
    board = VirtualBoard()
    with running(board) as (_, inbox):
        soon_ns = time.monotonic_ns() + 100_000_000
        moments = [soon_ns, soon_ns + 5_000_000, soon_ns + 200_000_000]
        for at_ns in moments:
            board.trigger(at_ns)
        for number, at_ns in enumerate(moments, start=1):
            trigger = inbox.wait_for(Trigger, part=number)
            assert abs(trigger.triggered_at_ns - at_ns) <= trigger.uncertainty_ns


@pytest.mark.parametrize("linked", [False, True])
def test_the_same_through_a_serial_port(tmp_path, linked):
    board = VirtualBoard()
    inbox = Inbox()
    with VirtualPty(board, link=tmp_path / "gate" if linked else None) as port:
        assert identify(SerialTransport(port.path)).board == "virtual MCU"
        with McuRejector(SerialTransport(port.path), CONFIGURATION, inbox.put) as rejector:
            rejector.clear()
            board.trigger()
            rejector.decide(inbox.wait_for(Trigger).part, Verdict.OK)
            assert inbox.wait_for(Outcome).kind is OutcomeKind.PASSED
            board.unplug()
            inbox.wait_for(LinkChanged, up=False)
            if linked:
                board.plug()
                inbox.wait_for(LinkChanged, up=True)


def test_it_begins_safe_and_leaves_safe():
    levels: dict[str, bool] = {}
    board = VirtualBoard(on_output=lambda output: levels.update({output.name: output.level}))
    inbox = Inbox()
    with McuRejector(VirtualTransport(board), CONFIGURATION, inbox.put) as rejector:
        assert rejector.status().safe_reason is SafeReason.NEW_CONFIGURATION
        assert levels.get("run", False) is False
        rejector.clear()
        assert levels["run"] is True
        assert rejector.status().safe_reason is SafeReason.NONE
    assert levels["run"] is False


def test_every_part_has_an_outcome_at_the_end():
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        board.trigger()
        inbox.wait_for(Trigger)
    assert inbox.wait_for(Outcome).kind is OutcomeKind.LOST
    counts = rejector.status().counts
    assert (counts.triggers, counts.lost, counts.in_flight) == (1, 1, 0)


def test_clear_only_what_was_meant():
    with running(VirtualBoard()) as (rejector, _), pytest.raises(CommandRefused, match="running"):
        rejector.clear(SafeReason.WATCHDOG)


class StuckTransport(VirtualTransport):
    """A port whose writes may be held up."""

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__(board)
        self.free = threading.Event()
        self.free.set()
        self.stuck = threading.Event()

    def write(self, data: bytes) -> None:
        if not self.free.is_set():
            self.stuck.set()
            assert self.free.wait(20)
        super().write(data)


def test_deciding_does_not_wait_for_a_wire_that_is_stuck():
    board, inbox = VirtualBoard(), Inbox()
    transport = StuckTransport(board)
    with McuRejector(transport, CONFIGURATION, inbox.put) as rejector:
        rejector.clear()
        board.trigger()
        part = inbox.wait_for(Trigger).part
        transport.free.clear()
        assert transport.stuck.wait(20)  # the next ping
        decided = threading.Thread(target=rejector.decide, args=(part, Verdict.NG))
        decided.start()
        decided.join(20)
        assert not decided.is_alive()
        transport.free.set()
        assert inbox.wait_for(Outcome).kind in (OutcomeKind.REJECTED, OutcomeKind.LATE)


def test_a_test_pulse_and_its_limits():
    levels: queue.SimpleQueue[bool] = queue.SimpleQueue()
    board = VirtualBoard(
        on_output=lambda output: levels.put(output.level) if output.name == "gate" else None
    )
    with running(board) as (rejector, inbox):
        rejector.reject_test(20)
        assert [levels.get(timeout=5), levels.get(timeout=5)] == [True, False]
        with pytest.raises(CommandRefused, match=r"60000 ms is outside 1 .. 500 ms"):
            rejector.reject_test(60_000)
        board.trigger()
        inbox.wait_for(Trigger)
        with pytest.raises(CommandRefused, match="parts are in flight"):
            rejector.reject_test(20)


def test_a_reset_in_mid_run_loses_parts_and_is_recovered_from():
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        board.trigger()
        inbox.wait_for(Trigger)
        board.reset(ResetCause.BROWN_OUT)
        assert inbox.wait_for(Outcome).kind is OutcomeKind.LOST
        inbox.wait_for(LinkChanged, up=True)
        assert rejector.status().safe_reason is SafeReason.BROWN_OUT
        rejector.clear(SafeReason.BROWN_OUT)
        board.trigger()
        assert inbox.wait_for(Trigger).part == 2


def test_the_watchdog_is_proved():
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        rejector.prove_watchdog()
        inbox.wait_for(SafeStateChanged, reason=SafeReason.WATCHDOG)


def test_a_cable_that_is_pulled():
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        board.unplug()
        inbox.wait_for(LinkChanged, up=False)
        with pytest.raises(CommandRefused, match="cannot be reached"):
            rejector.clear()
        board.trigger()
        board.plug()
        inbox.wait_for(LinkChanged, up=True)
        rejector.decide(inbox.wait_for(Trigger).part, Verdict.OK)
        inbox.wait_for(Outcome)
        assert rejector.status().link.sessions == 1


def test_it_may_be_closed_while_the_cable_is_out():
    board = VirtualBoard()
    with running(board) as (_, inbox):
        board.unplug()
        inbox.wait_for(LinkChanged, up=False)
    assert not [thread for thread in threading.enumerate() if thread.name == "rejector"]


def test_a_handler_that_fails_does_not_stop_the_gate(caplog):
    board = VirtualBoard()
    seen: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def fail() -> None:
        raise OSError("out of paper")

    def handler(event: Event) -> None:
        seen.put(event)
        if isinstance(event, Trigger):
            fail()

    caplog.set_level(logging.ERROR)
    with McuRejector(VirtualTransport(board), CONFIGURATION, handler) as rejector:
        rejector.clear()
        board.trigger()
        while not isinstance(event := seen.get(timeout=5), Trigger):
            pass
        rejector.decide(event.part, Verdict.OK)
        while not isinstance(seen.get(timeout=5), Outcome):
            pass
    assert "out of paper" in caplog.text


def test_a_bad_wire_in_real_time():
    board = VirtualBoard(drift_ppm=200, seed=5)
    with running(board) as (rejector, inbox):
        for wire in (board.to_host, board.to_board):
            wire.damage = wire.repeat = 0.01
        for part in range(1, 6):
            board.trigger()
            assert inbox.wait_for(Trigger).part == part
            rejector.decide(part, Verdict.NG)
            assert inbox.wait_for(Outcome).kind is OutcomeKind.REJECTED


def test_nothing_answers():
    board = VirtualBoard()
    board.mute()
    with pytest.raises(NoAnswer, match="Nothing answers"):
        identify(VirtualTransport(board), patience_s=0.3)
    rejector = McuRejector(
        VirtualTransport(board), CONFIGURATION, lambda event: None, patience_s=0.3
    )
    with pytest.raises(NoAnswer), rejector:
        pytest.fail("must not be opened")


def test_something_else_answers():
    """An echo, to everything: a loopback plug, a modem."""
    master, slave = os.openpty()
    tty.setraw(slave)
    done_read, done_write = os.pipe()

    def echo() -> None:
        while done_read not in (ready := select.select([master, done_read], [], [])[0]):
            os.write(master, os.read(ready[0], 100))

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        with pytest.raises(NotOurFirmware, match="not our firmware"):
            identify(SerialTransport(os.ttyname(slave)), patience_s=0.3)
    finally:
        os.write(done_write, b"!")
        thread.join()
        for end in (master, slave, done_read, done_write):
            os.close(end)


def test_a_board_with_another_protocol_version(monkeypatch):
    board = VirtualBoard()
    with running(board) as (rejector, inbox):
        with monkeypatch.context() as other:
            other.setattr(messages, "PROTOCOL_VERSION", 9)
            board.reset()
            assert "version 9" in inbox.wait_for(LinkChanged, up=False).why
            with pytest.raises(OtherProtocol, match="version 9"):
                identify(VirtualTransport(board))
        board.reset()
        inbox.wait_for(LinkChanged, up=True)
        rejector.clear()


def test_no_such_port_and_no_port_at_all(tmp_path):
    with pytest.raises(PortNotFound, match="There is no /dev/ttyGATE"):
        identify(SerialTransport("/dev/ttyGATE"))
    plain = tmp_path / "file"
    plain.write_text("")
    with pytest.raises(PortError, match="cannot be used as a serial port"):
        identify(SerialTransport(str(plain)))
    board = VirtualBoard()
    board.unplug()
    rejector = McuRejector(VirtualTransport(board), CONFIGURATION, lambda event: None)
    with pytest.raises(PortNotFound), rejector:
        pytest.fail("must not be opened")


def test_a_bad_configuration_is_refused_before_the_port_is_opened():
    with pytest.raises(ConfigurationError, match="too near"):
        McuRejector(
            VirtualTransport(VirtualBoard()),
            RejectConfiguration(delay_ms=60, worst_case_verdict_ms=100),
            lambda event: None,
        )


def test_the_mcu_has_the_last_word_on_a_configuration(monkeypatch):
    monkeypatch.setattr(RejectConfiguration, "check", lambda self: None)
    rejector = McuRejector(
        VirtualTransport(VirtualBoard()),
        RejectConfiguration(delay_ms=5, minimum_gap_ms=5),
        lambda event: None,
    )
    with pytest.raises(ConfigurationError, match="The MCU refused"), rejector:
        pytest.fail("must not be opened")
