"""Heartbeats, and the moments that make each of them a sample for the clock."""

from __future__ import annotations

from firmware_bridge.mcu.clock_sync import ClockSync
from firmware_bridge.wire import messages
from firmware_bridge.wire.frames import OVERHEAD, WIRE_OVERHEAD
from firmware_bridge.wire.messages import Message, MessageType

REMEMBERED = 16
"""An answer to a ping older than this is no use any more."""


class Pings:
    """Pings on their way. Not for several threads.

    Args:
        byte_time_ns: how long a byte takes on the wire; 0 where it takes none.
    """

    def __init__(self, byte_time_ns: int) -> None:
        self._byte_time_ns = byte_time_ns
        self._token = 0
        self._sent_ns: dict[int, int] = {}

    def forget(self) -> None:
        """No answer will come any more."""
        self._sent_ns.clear()

    def next(self, session: int, now_ns: int) -> Message:
        """A ping to be sent now; its last byte will have left when all have taken their time."""
        self._token = (self._token + 1) % 0x10000
        self._sent_ns[self._token] = now_ns + self._time_on_wire_ns(messages.PING)
        while len(self._sent_ns) > REMEMBERED:
            del self._sent_ns[next(iter(self._sent_ns))]
        return messages.make(messages.PING, session=session, token=self._token)

    def answered(self, pong: Message, now_ns: int, clock: ClockSync) -> None:
        """An answer has come whole; its first byte came earlier."""
        sent_ns = self._sent_ns.pop(pong["token"], None)
        if sent_ns is not None:
            received_ns = now_ns - self._time_on_wire_ns(messages.PONG)
            clock.add(sent_ns, received_ns, pong["received_at"], pong["turnaround"])

    def _time_on_wire_ns(self, kind: MessageType) -> int:
        return (kind.size + OVERHEAD + WIRE_OVERHEAD) * self._byte_time_ns
