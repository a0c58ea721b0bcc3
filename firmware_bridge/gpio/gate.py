"""A gate on lines, without a thread of its own: edges go in, levels and events come out."""

from __future__ import annotations

from collections import deque

from firmware_bridge.clock import NS_PER_MS, NS_PER_US, Clock
from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.errors import CommandRefused, ConfigurationError
from firmware_bridge.events import (
    Event,
    Outcome,
    OutcomeKind,
    SafeReason,
    SafeStateChanged,
    Trigger,
    Verdict,
)
from firmware_bridge.gate.model import GateModel
from firmware_bridge.gate.part import Listener, Part
from firmware_bridge.gate.safety import Safety
from firmware_bridge.gpio.lines import InputEdge, Lines
from firmware_bridge.jitter import JitterMeter
from firmware_bridge.ledger import Ledger
from firmware_bridge.status import Status

TRIGGER_UNCERTAINTY_NS = 100 * NS_PER_US
"""The kernel stamps an edge in its interrupt handler, usually this soon."""

TOLERANCE_NS = 5 * NS_PER_MS
"""An edge that Linux lets us make only later than this is not made: the part has gone by."""


class GpioGate:
    """The gate's behaviour on lines. Not for several threads.

    Args:
        configuration: of the gate; by time, there is no encoder.
        lines: that it moves.
        clock: the same that stamps the edges.

    Attributes:
        real_time: its owner's thread has real-time priority.
    """

    def __init__(self, configuration: RejectConfiguration, lines: Lines, clock: Clock) -> None:
        if configuration.distance_counts is not None or configuration.encoder != EncoderKind.NONE:
            raise ConfigurationError(
                "A gate on GPIO lines has no encoder: give delay_ms instead of distance_counts, or"
                ' use a microcontroller (type = "mcu").'
            )
        self.real_time = False
        self._configuration = configuration
        self._lines = lines
        self._clock = clock
        self._ledger = Ledger()
        self._jitter = JitterMeter()
        self._events: deque[Event] = deque()
        self._sequence: int | None = None
        self._rise_ns = 0
        self._rise_error_us = 0.0
        now_ns = clock.now_ns()
        self._model = GateModel(
            configuration,
            Safety(SafeReason.POWER_ON, configuration.safe_action, now_ns),
            Listener(self._output, self._tell_trigger, self._tell_outcome, self._tell_safety),
            now_ns=now_ns,
            watch_heartbeat=False,
            tolerance_ns=TOLERANCE_NS,
        )

    def show(self) -> None:
        """Sets the outputs of the present state; to be called when the lines are open."""
        safety = self._model.safety
        self._lines.put("run", safety.line_may_run)
        self._lines.put("fault", not safety.running)

    @property
    def due_ns(self) -> int | None:
        """When ``advance`` has something to do."""
        return self._model.due_ns

    def advance(self) -> None:
        """Does what is due by now."""
        self._model.advance(self._clock.now_ns())

    def take(self, edges: list[InputEdge]) -> None:
        """What the inputs have seen."""
        for edge in edges:
            if edge.name == "confirmation":
                self._model.confirm(edge.at_ns)
                continue
            if self._sequence is not None:
                self._ledger.lost(edge.sequence - self._sequence - 1)
            self._sequence = edge.sequence
            unlatched = self._model.counters.unlatched
            self._model.trigger(edge.at_ns)
            self._ledger.lost(self._model.counters.unlatched - unlatched)

    def decide(self, part: int, verdict: Verdict) -> None:
        """The verdict on a part; one that comes too late changes nothing."""
        self._model.decide(part, verdict, self._clock.now_ns())

    def clear(self, expected: SafeReason | None) -> None:
        """Leaves the safe state, if it has this reason; raises CommandRefused otherwise."""
        present = self._model.safety.reason
        if expected is not None and expected is not present:
            raise CommandRefused(
                f"The safe state has another reason by now: {present.value}."
                " Look, then clear again."
            )
        if present is not SafeReason.NONE:
            self._model.clear(self._clock.now_ns())

    def reject_test(self, pulse_ms: float) -> None:
        """One pulse without a part; raises CommandRefused while parts are in flight."""
        if not 1 <= pulse_ms <= self._configuration.maximum_on_ms:
            raise CommandRefused(
                f"A pulse of {pulse_ms:g} ms is outside 1 .. {self._configuration.maximum_on_ms:g}"
                " ms, the longest that the gate may be on."
            )
        if not self._model.test(round(pulse_ms * NS_PER_MS), self._clock.now_ns()):
            raise CommandRefused("Parts are in flight or the gate is busy; wait for an empty belt.")

    def leave(self) -> None:
        """The host leaves: safe state, and every part has an outcome."""
        now_ns = self._clock.now_ns()
        self._model.enter_safe_state(SafeReason.HOST_LEFT, now_ns)
        self._model.forget(now_ns)

    def take_events(self) -> list[Event]:
        """What has happened since this was last asked."""
        taken = list(self._events)
        self._events.clear()
        return taken

    def status(self) -> Status:
        """Everything at this moment."""
        safety = self._model.safety
        return Status(
            counts=self._ledger.counts,
            safe_reason=safety.reason,
            safe_action=None if safety.running else safety.action,
            encoder_count=None,
            jitter=self._jitter.jitter,
            link=None,
            mcu=None,
            real_time=self.real_time,
        )

    # What the model tells.

    def _output(self, name: str, level: bool, planned_ns: int) -> None:
        self._lines.put(name, level)
        if name == "gate" and level:
            self._rise_ns = self._clock.now_ns()
            self._rise_error_us = (self._rise_ns - planned_ns) / NS_PER_US

    def _tell_trigger(self, part: Part) -> None:
        self._ledger.opened(part.number)
        self._events.append(Trigger(part.number, part.triggered_at_ns, TRIGGER_UNCERTAINTY_NS))

    def _tell_outcome(self, part: Part) -> None:
        kind = part.kind or OutcomeKind.LOST
        self._ledger.closed(part.number, kind)
        fired_at_ns, error_us = part.fired_at_ns, None
        if fired_at_ns is not None and not part.merged:
            fired_at_ns = self._rise_ns
            error_us = self._rise_error_us + part.error / NS_PER_US
            self._jitter.add(error_us)
        self._events.append(
            Outcome(
                part=part.number,
                kind=kind,
                fired=fired_at_ns is not None,
                fired_at_ns=fired_at_ns,
                error_us=error_us,
                merged=part.merged,
                clipped=part.clipped,
                missed=part.missed,
            )
        )

    def _tell_safety(self, safety: Safety) -> None:
        action = None if safety.running else safety.action
        self._events.append(SafeStateChanged(safety.reason, action, safety.part))
