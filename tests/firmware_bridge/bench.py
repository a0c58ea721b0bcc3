"""A host and a board in simulated time: everything happens in order, nothing waits for a clock."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from concurrent.futures import Future

from firmware_bridge.clock import NS_PER_MS, NS_PER_S
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import CommandRefused
from firmware_bridge.events import Event, Outcome, SafeReason, Trigger, Verdict
from firmware_bridge.gpio.gate import GpioGate
from firmware_bridge.mcu.conversation import Conversation, Phase
from firmware_bridge.mcu.link import Reply
from firmware_bridge.wire.codes import Result

HOST_EPOCH_NS = 1_000 * NS_PER_S
"""The host's clock when the board's power comes on: the two have nothing in common."""


class Timeline:
    """What is to happen and what has happened."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.host_alive = True
        self.on_event: Callable[[Event], None] = lambda event: None
        self._tasks: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def now_ns(self) -> int:
        """Of the board."""
        raise NotImplementedError

    def _step(self, until_ns: int) -> None:
        """Goes on to that moment, or to an earlier one at which something happens."""
        raise NotImplementedError

    def at(self, when_ns: int, task: Callable[[], None]) -> None:
        """Does something at a time of the board."""
        heapq.heappush(self._tasks, (when_ns, next(self._order), task))

    def run(self, duration_ns: int) -> None:
        self.run_until(self.now_ns + duration_ns)

    def run_until(self, until_ns: int) -> None:
        while self.now_ns < until_ns:
            self._step(until_ns)

    @property
    def _next_task_ns(self) -> list[int]:
        return [self._tasks[0][0]] if self._tasks else []

    def _do_tasks(self) -> None:
        while self._tasks and self._tasks[0][0] <= self.now_ns:
            heapq.heappop(self._tasks)[2]()

    def _note(self, events: list[Event]) -> None:
        for event in events:
            self.events.append(event)
            self.on_event(event)

    @property
    def triggers(self) -> list[Trigger]:
        return [event for event in self.events if isinstance(event, Trigger)]

    @property
    def outcomes(self) -> dict[int, Outcome]:
        found = {}
        for event in self.events:
            if isinstance(event, Outcome):
                assert event.part not in found, f"part {event.part} ended twice"
                found[event.part] = event
        return found


class Bench(Timeline):
    """Drives a conversation and a board in lockstep.

    Args:
        board: has ``run_until``, ``send`` and ``now_ns``.
        configuration: of the gate.
        wire: changes bytes on their way; called with the bytes and the direction.
        latency_ns: gives the time that bytes take through the operating system, each way.
    """

    def __init__(
        self,
        board,
        configuration: RejectConfiguration | None,
        *,
        wire: Callable[[bytes, str], bytes] = lambda data, way: data,
        latency_ns: Callable[[], int] = lambda: 300_000,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.board = board
        chance = random.Random(seed)
        self.conversation = Conversation(
            configuration,
            new_session=lambda: chance.randrange(1, 1 << 32),
            byte_time_ns=board.byte_time_ns,
        )
        self._wire = wire
        self._latency_ns = latency_ns
        self._arriving_until_ns = 0

    @property
    def now_ns(self) -> int:
        return self.board.now_ns

    @property
    def host_ns(self) -> int:
        return HOST_EPOCH_NS + self.board.now_ns

    @property
    def ready(self) -> bool:
        return self.conversation.ready

    def open(self) -> None:
        self.conversation.opened(self.host_ns)

    def connect(self) -> None:
        """Until the handshake is done and the clock is known."""
        self.open()
        self.run_while(lambda: not self.ready, 3 * NS_PER_S)
        if self.conversation.failure:
            raise self.conversation.failure
        assert self.ready, self.conversation.phase

    def clear(self) -> Reply:
        reply = self.conversation.clear()
        self.run_while(lambda: not reply.done(), NS_PER_S)
        self.run_while(
            lambda: self.conversation.status().safe_reason is not SafeReason.NONE, NS_PER_S
        )
        return reply.result()

    def run_while(self, condition: Callable[[], bool], limit_ns: int) -> None:
        end_ns = self.now_ns + limit_ns
        while condition() and self.now_ns < end_ns and not self.conversation.failure:
            self._step(min(end_ns, self.now_ns + 5 * NS_PER_MS))

    def answer(self, verdict_of: Callable[[int], Verdict], takes_ns: Callable[[], int]) -> None:
        """Has every trigger judged, after the time that takes."""

        def judge(event: Event) -> None:
            if isinstance(event, Trigger):
                part = event.part
                self.at(
                    self.now_ns + takes_ns(),
                    lambda: self.host_alive and self.conversation.decide(part, verdict_of(part)),
                )

        self.on_event = judge

    def _step(self, until_ns: int) -> None:
        self._poll()
        until_ns = min([until_ns, *self._next_task_ns])
        if self.host_alive and (due_ns := self.conversation.due_ns) is not None:
            until_ns = min(until_ns, max(due_ns - HOST_EPOCH_NS, self.now_ns + 1_000))
        sent = self.board.run_until(until_ns)
        if sent:
            self._deliver(self._wire(sent, "to host"))
        self._do_tasks()

    def _poll(self) -> None:
        if not self.host_alive:
            return
        if self.conversation.phase is not Phase.CLOSED and self.conversation.silent(self.host_ns):
            self.conversation.closed("silence")
            self.conversation.opened(self.host_ns)
        if data := self.conversation.poll(self.host_ns):
            data = self._wire(data, "to board")
            self.at(self.now_ns + self._latency_ns(), lambda: self.board.send(data))

    def _deliver(self, data: bytes) -> None:
        """After the time it takes, in order."""
        when_ns = max(self.now_ns + self._latency_ns(), self._arriving_until_ns)
        self._arriving_until_ns = when_ns
        self.at(when_ns, lambda: self._receive(data))

    def _receive(self, data: bytes) -> None:
        if self.host_alive:
            self.conversation.receive(data, self.host_ns)
            self._note(self.conversation.take_events())


class GpioBench(Timeline):
    """Drives a gate on simulated lines; looks like a bench with an MCU, as far as both can."""

    def __init__(self, board, configuration: RejectConfiguration) -> None:
        super().__init__()
        self.board = board
        self.gate = GpioGate(configuration, board.lines, board.clock)
        board.lines.open()
        self.gate.show()
        self.conversation = self

    @property
    def now_ns(self) -> int:
        return self.board.now_ns

    host_ns = now_ns

    def connect(self) -> None:
        """There is nobody to shake hands with."""

    def clear(self) -> None:
        self.gate.clear(None)

    def decide(self, part: int, verdict: Verdict) -> None:
        self.gate.decide(part, verdict)

    def reject_test(self, pulse_ms: float) -> Future[Reply]:
        reply: Future[Reply] = Future()
        try:
            self.gate.reject_test(pulse_ms)
            reply.set_result(Reply(Result.DONE, 0))
        except CommandRefused:
            reply.set_result(Reply(Result.NOT_NOW, 0))
        return reply

    def status(self):
        return self.gate.status()

    def _step(self, until_ns: int) -> None:
        until_ns = min([until_ns, *self._next_task_ns, *self.board.next_input_ns])
        if (due_ns := self.gate.due_ns) is not None:
            until_ns = min(until_ns, due_ns)
        self.board.clock.sleep_until_ns(until_ns)
        self.board.move_inputs()
        self.gate.take(self.board.lines.edges(0))
        self.gate.advance()
        self._note(self.gate.take_events())
        self._do_tasks()
