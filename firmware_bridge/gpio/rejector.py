"""A reject gate on GPIO lines: as exact as Linux lets it be, which is measured, not promised."""

from __future__ import annotations

import logging
import os
import queue
import threading

from firmware_bridge.clock import NS_PER_S, NS_PER_US, Clock, MonotonicClock
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import LineError
from firmware_bridge.events import Event, LinkChanged, SafeReason, Verdict
from firmware_bridge.gpio.gate import GpioGate
from firmware_bridge.gpio.lines import InputEdge, Lines
from firmware_bridge.rejector import EventHandler, Rejector
from firmware_bridge.status import Status

PRIORITY = 50
"""Of the gate's thread, where real-time scheduling is permitted (SCHED_FIFO, 1 .. 99)."""

SPIN_NS = 200 * NS_PER_US
"""Sleeping ends late by tens of microseconds; the last stretch before an edge is not slept."""

LONGEST_WAIT_S = 0.5

_log = logging.getLogger(__name__)


class GpioRejector(Rejector):
    """A reject gate on GPIO lines.

    Two threads, from ``open`` to ``close``: one owns the lines and makes the edges, with real-time
    priority if the system permits; the other calls the event handler, so that no handler can make
    an edge late.
    """

    def __init__(
        self,
        lines: Lines,
        configuration: RejectConfiguration,
        on_event: EventHandler,
        *,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(configuration, on_event)
        self._lines = lines
        self._clock = clock or MonotonicClock()
        self._gate = GpioGate(configuration, lines, self._clock)
        self._lock = threading.Lock()
        """Guards the gate."""
        self._stopping = False
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Takes hold of the lines.

        Raises:
            LineError: they do not exist, or are held by something else.
        """
        self._lines.open()
        with self._lock:
            self._gate.show()
        self._threads = [
            threading.Thread(target=self._run, name="gate", daemon=True),
            threading.Thread(target=self._tell, name="gate events", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends all parts as skipped, and lets go of the lines."""
        if not self._threads:
            return
        self._stopping = True
        self._lines.wake()
        self._threads[0].join()
        with self._lock:
            self._gate.leave()
        self._pass_on()
        self._events.put(None)
        self._threads[1].join()
        self._threads = []
        self._lines.close()

    def decide(self, part: int, verdict: Verdict) -> None:
        """The verdict on a part. Never waits; one that comes too late changes nothing."""
        with self._lock:
            self._gate.decide(part, verdict)

    def clear(self, expected: SafeReason | None = None) -> None:
        """Leaves the safe state, on purpose."""
        with self._lock:
            self._gate.clear(expected)
        self._lines.wake()

    def reject_test(self, pulse_ms: float) -> None:
        """Fires one pulse, for commissioning."""
        with self._lock:
            self._gate.reject_test(pulse_ms)
        self._lines.wake()

    def status(self) -> Status:
        """Everything at this moment."""
        with self._lock:
            return self._gate.status()

    # The threads.

    def _run(self) -> None:
        self._gate.real_time = _become_real_time()
        while not self._stopping:
            with self._lock:
                self._gate.advance()
                due_ns = self._gate.due_ns
            self._pass_on()
            try:
                edges = self._wait(due_ns)
            except (LineError, OSError) as error:
                self._events.put(LinkChanged(up=False, why=f"The GPIO lines have failed: {error}"))
                return
            if edges:
                with self._lock:
                    self._gate.take(edges)

    def _wait(self, due_ns: int | None) -> list[InputEdge]:
        if due_ns is None:
            return self._lines.edges(LONGEST_WAIT_S)
        left_ns = due_ns - self._clock.now_ns()
        if left_ns > SPIN_NS:
            return self._lines.edges(min(LONGEST_WAIT_S, (left_ns - SPIN_NS) / NS_PER_S))
        while self._clock.now_ns() < due_ns:
            pass
        return []

    def _pass_on(self) -> None:
        with self._lock:
            events = self._gate.take_events()
        for event in events:
            self._events.put(event)

    def _tell(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._on_event(event)
            except Exception:
                _log.exception("The handler of %s has failed; the gate goes on.", event)


def _become_real_time() -> bool:
    """Gives the calling thread real-time priority, if that is permitted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
