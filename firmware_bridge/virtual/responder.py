"""The MCU's end of the conversation: sessions, numbered frames, and what each message asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware_bridge.wire import messages
from firmware_bridge.wire.codes import Result
from firmware_bridge.wire.frames import Frame, FrameParser
from firmware_bridge.wire.messages import Direction, Message

LAST_NUMBER = 255

Refusal = tuple[Result, int]
"""A result with its detail."""

DONE: Refusal = (Result.DONE, 0)


class Device(Protocol):
    """What answers to the messages."""

    def command(self, message: Message) -> Refusal:
        """Executes one command."""
        ...

    def heartbeat(self) -> None:
        """The host is alive."""
        ...

    def identity(self, session: int) -> Message:
        """Who this is."""
        ...

    def pong(self, token: int) -> Message:
        """The answer to a ping."""
        ...

    def counters_report(self) -> Message:
        """What is counted."""
        ...

    def parts_again(self, first: int, count: int) -> list[Message]:
        """The reports of these parts, as far as they are remembered."""
        ...

    @property
    def next_part(self) -> int:
        """Number of the next part."""
        ...


class Responder:
    """Takes what the host sends and answers it.

    Attributes:
        session: in force; 0: none.
        bad_frames: damaged, or with content that is none of ours.
    """

    def __init__(self, device: Device, transmit: Callable[[Frame], None]) -> None:
        self.session = 0
        self.bad_frames = 0
        self._device = device
        self._transmit = transmit
        self._parser = FrameParser()
        self._sequence = 0
        self._number = 0
        self._answer: Refusal = DONE

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        for frame in self._parser.feed(data):
            if frame.sequence:
                self._numbered(frame)
            else:
                self._unnumbered(frame)

    def report(self, message: Message) -> None:
        """Sends a report."""
        self._transmit(Frame(self._sequence, message.encode()))
        self._sequence = (self._sequence + 1) % 0x100

    @property
    def damaged(self) -> int:
        """Frames that were no good, for whatever reason."""
        return self.bad_frames + self._parser.errors

    def _unnumbered(self, frame: Frame) -> None:
        queries = _only(messages.decode(frame.content), Direction.QUERY)
        if queries is None:
            self.bad_frames += 1
            return
        for query in queries:
            self._query(query)

    def _query(self, query: Message) -> None:
        device, kind = self._device, query.kind
        if kind is messages.IDENTIFY:
            self.report(device.identity(self.session))
        elif kind is messages.CONNECT:
            self._connect(query["session"])
        elif not self.session or query["session"] != self.session:
            self.report(device.identity(self.session))
        elif kind is messages.PING:
            device.heartbeat()
            self.report(device.pong(query["token"]))
        elif kind is messages.ASK:
            for report in device.parts_again(query["part"], query["count"]):
                self.report(report)
        elif kind is messages.ASK_COUNTERS:
            self.report(device.counters_report())

    def _connect(self, session: int) -> None:
        if not session:
            return
        if session != self.session:
            self.session, self._number = session, 0
        next_part = self._device.next_part
        self.report(messages.make(messages.CONNECTED, session=session, next_part=next_part))

    def _numbered(self, frame: Frame) -> None:
        if not self.session:
            self._acknowledge(frame.sequence, (Result.NO_SESSION, 0))
            return
        if frame.sequence == self._number:
            self._device.heartbeat()
            self._acknowledge(self._number, self._answer)
        elif frame.sequence == self._number % LAST_NUMBER + 1:
            self._device.heartbeat()
            self._number, self._answer = frame.sequence, self._execute(frame.content)
            self._acknowledge(self._number, self._answer)

    def _execute(self, content: bytes) -> Refusal:
        commands = _only(messages.decode(content), Direction.COMMAND)
        if commands is None:
            return Result.UNKNOWN_MESSAGE, content[0] if content else 0
        for command in commands:
            answer = self._device.command(command)
            if answer != DONE:
                return answer
        return DONE

    def _acknowledge(self, number: int, answer: Refusal) -> None:
        result, detail = answer
        values = {"number": number, "result": int(result), "detail": detail}
        self.report(messages.make(messages.ACK, **values))


def _only(found: list[Message] | None, direction: Direction) -> list[Message] | None:
    """The messages, if all of them go this way."""
    if found is None or any(message.kind.direction is not direction for message in found):
        return None
    return found
