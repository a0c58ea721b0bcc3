"""Commands to the MCU: numbered, acknowledged, retransmitted, executed once.

One frame is on its way at a time. That is enough (a trip takes 2 to 8 ms, a frame carries five
verdicts, and 100 parts/s need a tenth of it), and it makes "executed once" a matter of one number
on each side: the MCU executes the number after the last, and only acknowledges the last again.

The timeout adapts to the wire as in RFC 6298: smoothed trip time plus four deviations, doubled for
each retransmission, no measurement from frames that were sent twice.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.wire import messages
from firmware_bridge.wire.codes import Result
from firmware_bridge.wire.frames import Frame
from firmware_bridge.wire.messages import Message

INITIAL_TIMEOUT_NS = 50 * NS_PER_MS
SHORTEST_TIMEOUT_NS = 8 * NS_PER_MS
LONGEST_TIMEOUT_NS = 200 * NS_PER_MS

VERDICTS_PER_FRAME = 5
"""More would fit, but on a bad wire a long frame is damaged more often than two short ones."""

LAST_NUMBER = 255
"""Numbers run from 1 to this; 0 marks a frame that is not numbered."""


@dataclass(frozen=True)
class Reply:
    """What the MCU answered to a command.

    Attributes:
        result: what became of it.
        detail: see the result.
    """

    result: Result
    detail: int


@dataclass
class TripTimer:
    """Smoothed trip time and its deviation, and the timeout that follows from them."""

    smoothed_ns: float | None = None
    deviation_ns: float = 0.0

    def measured(self, trip_ns: int) -> None:
        """One trip of a frame that was sent once."""
        if self.smoothed_ns is None:
            self.smoothed_ns, self.deviation_ns = float(trip_ns), trip_ns / 2
            return
        self.deviation_ns += (abs(trip_ns - self.smoothed_ns) - self.deviation_ns) / 4
        self.smoothed_ns += (trip_ns - self.smoothed_ns) / 8

    def timeout_ns(self, retransmissions: int) -> int:
        """How long to wait before sending again."""
        if self.smoothed_ns is None:
            base = float(INITIAL_TIMEOUT_NS)
        else:
            base = max(self.smoothed_ns + 4 * self.deviation_ns, SHORTEST_TIMEOUT_NS)
        return int(min(base * 2.0**retransmissions, LONGEST_TIMEOUT_NS))


@dataclass
class _Command:
    message: Message
    reply: Future[Reply] = field(default_factory=Future)


@dataclass
class _InFlight:
    number: int
    wire: bytes
    commands: list[_Command]
    sent_ns: int
    due_ns: int
    retransmissions: int = 0


class CommandLink:
    """Sends commands one frame at a time. Knows nothing of ports; not for several threads.

    Attributes:
        trips: what is known about trip times.
        retransmissions: frames sent again, since the beginning.
    """

    def __init__(self) -> None:
        self.trips = TripTimer()
        self.retransmissions = 0
        self._waiting: deque[_Command] = deque()
        self._in_flight: _InFlight | None = None
        self._number = 0

    def submit(self, message: Message) -> Future[Reply]:
        """Queues a command; the future ends with the MCU's reply, or is cancelled by a reset."""
        command = _Command(message)
        self._waiting.append(command)
        return command.reply

    def reset(self) -> None:
        """A new session: what was queued is void, numbers begin at 1."""
        abandoned = list(self._waiting)
        if self._in_flight:
            abandoned += self._in_flight.commands
        for command in abandoned:
            command.reply.cancel()
        self._waiting.clear()
        self._in_flight = None
        self._number = 0

    def resume(self, now_ns: int) -> None:
        """The wire is back and the session still stands: sends at once what was not answered."""
        if self._in_flight:
            self._in_flight.due_ns = now_ns

    @property
    def due_ns(self) -> int | None:
        """When ``poll`` will next have something to send; None: not before a submission."""
        if self._in_flight:
            return self._in_flight.due_ns
        return 0 if self._waiting else None

    def poll(self, now_ns: int) -> bytes:
        """The bytes to send now, if any."""
        flight = self._in_flight
        if flight is None:
            return self._send_next(now_ns) if self._waiting else b""
        if now_ns < flight.due_ns:
            return b""
        flight.retransmissions += 1
        self.retransmissions += 1
        flight.due_ns = now_ns + self.trips.timeout_ns(flight.retransmissions)
        return flight.wire

    def acknowledged(self, number: int, result: Result, detail: int, now_ns: int) -> bool:
        """The MCU's acknowledgement; False if it is for none that is on its way."""
        flight = self._in_flight
        if flight is None or number != flight.number:
            return False
        if flight.retransmissions == 0:
            self.trips.measured(now_ns - flight.sent_ns)
        self._in_flight = None
        for command in flight.commands:
            if command.reply.set_running_or_notify_cancel():
                command.reply.set_result(Reply(result, detail))
        return True

    def _send_next(self, now_ns: int) -> bytes:
        commands = [self._waiting.popleft()]
        if commands[0].message.kind is messages.DECIDE:
            room = VERDICTS_PER_FRAME - 1
            while room and self._waiting and self._waiting[0].message.kind is messages.DECIDE:
                commands.append(self._waiting.popleft())
                room -= 1
        self._number = self._number % LAST_NUMBER + 1
        content = b"".join(command.message.encode() for command in commands)
        wire = Frame(self._number, content).encode()
        due_ns = now_ns + self.trips.timeout_ns(0)
        self._in_flight = _InFlight(self._number, wire, commands, now_ns, due_ns)
        return wire
