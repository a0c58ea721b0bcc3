"""A reject gate on a microcontroller: the conversation, with a port and a thread."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NoReply
from functools import partial

from firmware_bridge.clock import NS_PER_S, Clock, MonotonicClock
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import (
    BridgeError,
    CommandRefused,
    HandshakeError,
    NoAnswer,
    NotOurFirmware,
    PortError,
    PortLost,
)
from firmware_bridge.events import Event, SafeReason, Verdict
from firmware_bridge.mcu.conversation import Conversation
from firmware_bridge.mcu.identity import Identity
from firmware_bridge.mcu.link import Reply
from firmware_bridge.mcu.transport import Transport
from firmware_bridge.rejector import EventHandler, Rejector
from firmware_bridge.status import Status
from firmware_bridge.wire import codes
from firmware_bridge.wire.codes import Result

HANDSHAKE_S = 5.0
"""An Uno's boot loader waits up to two seconds before it starts our firmware."""

REOPEN_S = 0.2
REPLY_S = 2.0
LONGEST_WAIT_S = 0.5
SHORTEST_TEST_MS = 1.0

_log = logging.getLogger(__name__)


def new_session() -> int:
    """A random session number."""
    return secrets.randbelow((1 << 32) - 1) + 1


def identify(
    transport: Transport, *, clock: Clock | None = None, patience_s: float = HANDSHAKE_S
) -> Identity:
    """Who is at the other end of a port; changes nothing there.

    Raises:
        PortError: the port cannot be opened.
        HandshakeError: nothing answers, or nothing of ours.
    """
    clock = clock or MonotonicClock()
    conversation = Conversation(None, new_session=new_session)
    transport.open()
    try:
        conversation.opened(clock.now_ns())
        end_ns = clock.now_ns() + round(patience_s * NS_PER_S)
        while conversation.identity is None and clock.now_ns() < end_ns:
            if conversation.failure:
                raise conversation.failure
            if data := conversation.poll(clock.now_ns()):
                transport.write(data)
            due_ns = conversation.due_ns or end_ns
            received = transport.read((due_ns - clock.now_ns()) / NS_PER_S)
            conversation.receive(received, clock.now_ns())
    finally:
        transport.close()
    if conversation.failure:
        raise conversation.failure
    if conversation.identity is None:
        raise _no_handshake(transport.name, conversation, patience_s)
    return conversation.identity


class McuRejector(Rejector):
    """A reject gate on a microcontroller, real or virtual.

    One thread, from ``open`` to ``close``, owns the port. When the port goes away it is opened
    again as soon as it is back; the MCU watches over the gate meanwhile.
    """

    def __init__(
        self,
        transport: Transport,
        configuration: RejectConfiguration,
        on_event: EventHandler,
        *,
        clock: Clock | None = None,
        session_numbers: Callable[[], int] = new_session,
        patience_s: float = HANDSHAKE_S,
    ) -> None:
        super().__init__(configuration, on_event)
        self._transport = transport
        self._clock = clock or MonotonicClock()
        self._conversation = Conversation(
            configuration, new_session=session_numbers, byte_time_ns=transport.byte_time_ns
        )
        self._changed = threading.Condition()
        """Guards the conversation; notified after everything that comes in."""
        self._stopping = threading.Event()
        self._patience_s = patience_s
        self._failure: BridgeError | None = None
        self._thread: threading.Thread | None = None

    @property
    def identity(self) -> Identity | None:
        """Who answered the handshake; None before it."""
        return self._conversation.identity

    def open(self) -> None:
        """Opens the port, shakes hands, configures, and learns the MCU's clock.

        Raises:
            PortError: the port cannot be opened.
            HandshakeError: what answers is not our firmware, or nothing does.
            ConfigurationError: the MCU refuses the configuration.
        """
        self._transport.open()
        self._thread = threading.Thread(target=self._run, name="rejector", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(self._settled, self._patience_s)
            ready = self._conversation.ready
            failure = self._failure or self._conversation.failure
        if not ready:
            self._stop()
            raise failure or _no_handshake(
                self._transport.name, self._conversation, self._patience_s
            )

    def close(self) -> None:
        """Tells the MCU that the host leaves, and closes the port."""
        if self._thread is None:
            return
        if self._conversation.up:
            try:
                self._do(self._conversation.release)
            except CommandRefused as error:
                _log.warning("The MCU was not told that the host leaves: %s", error)
        self._stop()

    def decide(self, part: int, verdict: Verdict) -> None:
        """The verdict on a part. Never waits; one that comes too late changes nothing."""
        with self._changed:
            self._conversation.decide(part, verdict)
        self._transport.wake()

    def clear(self, expected: SafeReason | None = None) -> None:
        """Leaves the safe state, on purpose; returns when the MCU has done so."""
        self._do(lambda: self._conversation.clear(expected))
        with self._changed:
            self._changed.wait_for(self._running, REPLY_S)

    def reject_test(self, pulse_ms: float) -> None:
        """Fires one pulse, for commissioning."""
        longest_ms = self.configuration.maximum_on_ms
        if not SHORTEST_TEST_MS <= pulse_ms <= longest_ms:
            raise CommandRefused(
                f"A pulse of {pulse_ms:g} ms is outside {SHORTEST_TEST_MS:g} .. {longest_ms:g} ms,"
                " the longest that the gate may be on."
            )
        self._do(lambda: self._conversation.reject_test(pulse_ms))

    def prove_watchdog(self) -> None:
        """Hangs the firmware on purpose; its watchdog must bring it back in the safe state."""
        with self._changed:
            self._conversation.hang(interrupts=False)
        self._transport.wake()

    def status(self) -> Status:
        """Everything at this moment."""
        with self._changed:
            return self._conversation.status()

    def _settled(self) -> bool:
        conversation = self._conversation
        return conversation.ready or bool(self._failure or conversation.failure)

    def _running(self) -> bool:
        return self._conversation.status().safe_reason is SafeReason.NONE

    def _do(self, submit: Callable[[], Future[Reply]]) -> None:
        """Sends one command and waits for the MCU's reply."""
        with self._changed:
            if not self._conversation.up:
                raise CommandRefused(
                    f"The MCU on {self._transport.name} cannot be reached at the moment."
                )
            reply = submit()
        self._transport.wake()
        try:
            answer = reply.result(REPLY_S)
        except (NoReply, CancelledError):
            raise CommandRefused(
                f"The MCU on {self._transport.name} has not answered within {REPLY_S:g} s."
            ) from None
        if answer.result is not Result.DONE:
            raise CommandRefused(_refusal(answer))

    def _stop(self) -> None:
        self._stopping.set()
        self._transport.wake()
        if self._thread:
            self._thread.join()
            self._thread = None
        self._transport.close()

    # The thread.

    def _run(self) -> None:
        is_open = True
        while not self._stopping.is_set():
            try:
                if not is_open:
                    self._transport.open()
                    is_open = True
                with self._changed:
                    self._conversation.opened(self._clock.now_ns())
                self._talk()
            except PortError as error:
                self._transport.close()
                is_open = False
                self._tell(self._after(partial(self._conversation.closed, str(error))))
                self._stopping.wait(REOPEN_S)
        self._tell(self._after(self._conversation.ended))

    def _talk(self) -> None:
        while not self._stopping.is_set():
            now_ns = self._clock.now_ns()
            with self._changed:
                if self._conversation.silent(now_ns):
                    raise PortLost(f"Nothing has been heard on {self._transport.name}.")
                data = self._conversation.poll(now_ns)
                due_ns = self._conversation.due_ns
            if data:
                self._transport.write(data)
            wait_s = LONGEST_WAIT_S if due_ns is None else (due_ns - now_ns) / NS_PER_S
            received = self._transport.read(min(wait_s, LONGEST_WAIT_S))
            now_ns = self._clock.now_ns()
            self._tell(self._after(partial(self._conversation.receive, received, now_ns)))
            if failure := self._conversation.failure:
                self._failure = failure
                raise PortLost(str(failure))

    def _after(self, change: Callable[[], None]) -> list[Event]:
        """What a change of the conversation leads to."""
        with self._changed:
            change()
            self._changed.notify_all()
            return self._conversation.take_events()

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            try:
                self._on_event(event)
            except Exception:
                _log.exception("The handler of %s has failed; the gate goes on.", event)


def _no_handshake(name: str, conversation: Conversation, patience_s: float) -> HandshakeError:
    if conversation.garbage:
        return NotOurFirmware(
            f"What answers on {name} is not our firmware. Is it the right port? If it is, flash"
            " the board: make -C firmware_bridge/firmware flash"
        )
    return NoAnswer(
        f"Nothing answers on {name} within {patience_s:g} s. Is it the right port, and is our"
        " firmware on the board? make -C firmware_bridge/firmware flash"
    )


def _refusal(answer: Reply) -> str:
    if answer.result is Result.NOT_NOW:
        return (
            "The MCU refused: parts are in flight, or the gate is busy. Wait until the belt is"
            " empty."
        )
    if answer.result is Result.OTHER_REASON:
        present = codes.SAFE_REASONS.word(answer.detail)
        name = present.value if present else str(answer.detail)
        return f"The safe state has another reason by now: {name}. Look, then clear again."
    return f"The MCU refused: {answer.result.name.lower().replace('_', ' ')}."
