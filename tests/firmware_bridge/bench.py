"""A host and a board in simulated time: everything happens in order, nothing waits for a clock."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

from firmware_bridge.clock import NS_PER_MS, NS_PER_S
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import Event, Outcome, SafeReason, Trigger, Verdict
from firmware_bridge.mcu.conversation import Conversation, Phase

HOST_EPOCH_NS = 1_000 * NS_PER_S
"""The host's clock when the board's power comes on: the two have nothing in common."""


class Bench:
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
        wire: Callable[[bytes, str], bytes] = lambda data, _: data,
        latency_ns: Callable[[], int] = lambda: 300_000,
        seed: int = 1,
    ) -> None:
        self.board = board
        self.random = random.Random(seed)
        self.conversation = Conversation(
            configuration,
            new_session=lambda: self.random.randrange(1, 1 << 32),
            byte_time_ns=board.byte_time_ns,
        )
        self.events: list[Event] = []
        self.host_alive = True
        self.on_event: Callable[[Event], None] = lambda event: None
        self._wire = wire
        self._latency_ns = latency_ns
        self._tasks: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._arriving_until_ns = 0

    @property
    def now_ns(self) -> int:
        """Of the board."""
        return self.board.now_ns

    @property
    def host_ns(self) -> int:
        return HOST_EPOCH_NS + self.board.now_ns

    def at(self, when_ns: int, task: Callable[[], None]) -> None:
        """Does something at a time of the board."""
        heapq.heappush(self._tasks, (when_ns, next(self._order), task))

    def open(self) -> None:
        self.conversation.opened(self.host_ns)

    def connect(self) -> None:
        """Until the handshake is done and the clock is known."""
        self.open()
        self.run_while(lambda: not self.ready, 3 * NS_PER_S)
        if self.conversation.failure:
            raise self.conversation.failure
        assert self.ready, self.conversation.phase

    @property
    def ready(self) -> bool:
        return self.conversation.ready

    def clear(self):
        reply = self.conversation.clear()
        self.run_while(lambda: not reply.done(), NS_PER_S)
        self.run_while(
            lambda: self.conversation.status().safe_reason is not SafeReason.NONE, NS_PER_S
        )
        return reply.result()

    def run(self, duration_ns: int) -> None:
        self.run_until(self.now_ns + duration_ns)

    def run_while(self, condition: Callable[[], bool], limit_ns: int) -> None:
        end_ns = self.now_ns + limit_ns
        while condition() and self.now_ns < end_ns and not self.conversation.failure:
            self._step(min(end_ns, self.now_ns + 5 * NS_PER_MS))

    def run_until(self, until_ns: int) -> None:
        while self.now_ns < until_ns:
            self._step(until_ns)

    def _step(self, until_ns: int) -> None:
        self._poll()
        if self._tasks:
            until_ns = min(until_ns, self._tasks[0][0])
        if self.host_alive and (due_ns := self.conversation.due_ns) is not None:
            until_ns = min(until_ns, max(due_ns - HOST_EPOCH_NS, self.now_ns + 1_000))
        sent = self.board.run_until(until_ns)
        if sent:
            self._deliver(self._wire(sent, "to host"))
        while self._tasks and self._tasks[0][0] <= self.now_ns:
            heapq.heappop(self._tasks)[2]()

    def _poll(self) -> None:
        if not self.host_alive:
            return
        if self.conversation.phase is not Phase.CLOSED and self.conversation.silent(self.host_ns):
            self.conversation.closed("silence")
            self.conversation.opened(self.host_ns)
        if data := self.conversation.poll(self.host_ns):
            data = self._wire(data, "to board")
            delay_ns = self._latency_ns()
            self.at(self.now_ns + delay_ns, lambda: self.board.send(data))

    def _deliver(self, data: bytes) -> None:
        """After the time it takes, in order."""
        when_ns = max(self.now_ns + self._latency_ns(), self._arriving_until_ns)
        self._arriving_until_ns = when_ns
        self.at(when_ns, lambda: self._receive(data))

    def _receive(self, data: bytes) -> None:
        if not self.host_alive:
            return
        self.conversation.receive(data, self.host_ns)
        for event in self.conversation.take_events():
            self.events.append(event)
            self.on_event(event)

    # What has come of it.

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
