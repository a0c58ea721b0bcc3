"""The reject gate in the agent: parts come from its photo-eye, verdicts go to it, and what became
of each part comes back.

::

    rejector's thread ── edge ──► PhotoEye ──► inspection thread
            ▲    │                                   │ verdict
            │    └── outcome ──► Endings ◄── record ─┤
            └──────────────── decide ◄───────────────┘
                                 │ record with outcome
                                 ▼
                              reporter

Deciding never waits for the wire; the rejector's thread sends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from calibration.detector import Verdict
from edge_agent.clock import Clock
from edge_agent.config.tables import PhotoEyeTable, RejectTable
from edge_agent.gate.endings import Endings
from edge_agent.record import PartRecord, Result
from edge_agent.simulator.gate import SimulatedGate
from edge_agent.triggers.photo_eye import PhotoEye
from firmware_bridge import (
    CommandRefused,
    Counts,
    Event,
    LinkChanged,
    Outcome,
    Rejector,
    SafeReason,
    SafeStateChanged,
    Trigger,
)
from firmware_bridge import Verdict as GateVerdict

_LOST_AFTER_S = 10.0
_MARGIN_S = 2.0
_LONGEST_TRAVEL_S = 30.0
_ORDERLY = frozenset(
    {
        SafeReason.POWER_ON,
        SafeReason.EXTERNAL_RESET,
        SafeReason.NO_CONFIGURATION,
        SafeReason.NEW_CONFIGURATION,
        SafeReason.HOST_LEFT,
    }
)
"""Reasons of the safe state that belong to an orderly start: nothing has gone wrong."""

_log = logging.getLogger(__name__)


class Gate:
    """The gate of a station; a context manager. Threads may share it.

    Args:
        make_rejector: makes the rejector, which will call the handler that it is given.
        reject: the [reject] table.
        trigger: the [trigger] table.
        clock: time.
        tell: called with each part's result once it has ended, in any thread; must not wait.
        simulated: the line's end, where it is simulated.

    Attributes:
        eye: the trigger that turns edges of the photo-eye into parts.
        rejector: what moves the gate.
        simulated: as given.
    """

    def __init__(
        self,
        make_rejector: Callable[[Callable[[Event], None]], Rejector],
        reject: RejectTable,
        trigger: PhotoEyeTable,
        clock: Clock,
        tell: Callable[[Result], None],
        simulated: SimulatedGate | None = None,
    ) -> None:
        self._settings, self._clock = reject, clock
        self._on_part: Callable[[], None] = lambda: None
        self._endings = Endings(tell)
        self._link_problem: str | None = None
        self._down_since_ns = 0
        self._held = False
        self.eye = PhotoEye(trigger, self.skip)
        self.rejector = make_rejector(self._take)
        self.simulated = simulated

    def __enter__(self) -> Self:
        """Take hold of the gate, in its safe state.

        Raises:
            BridgeError: it cannot be used; the message says why.
        """
        self.rejector.open()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the gate in its safe state; every part has been told of then."""
        self._held = False
        self.rejector.close()

    def start(self) -> None:
        """Pictures come and are judged: leave the safe state, if so configured and all is well.

        Raises:
            CommandRefused: something has gone wrong meanwhile.
        """
        self._held = True
        reason = self.rejector.status().safe_reason
        if self._settings.clear_at_start and reason in _ORDERLY:
            self.clear(reason)

    def on_part(self, call: Callable[[], None]) -> None:
        """Call this whenever a part has come, so that its picture is looked for."""
        self._on_part = call

    def decide(self, record: PartRecord) -> None:
        """The verdict on a part; never waits."""
        ng = record.inspection.verdict is Verdict.NG
        self.rejector.decide(record.part.number, GateVerdict.NG if ng else GateVerdict.OK)
        self._endings.judged(record)

    def skip(self, number: int) -> None:
        """There will be no verdict on a part; never waits."""
        self.rejector.decide(number, GateVerdict.SKIPPED)
        self._endings.not_inspected(number)

    def let_pass(self, number: int) -> None:
        """A part is good without inspection; never waits."""
        self.rejector.decide(number, GateVerdict.OK)
        self._endings.not_inspected(number)

    def clear(self, reason: SafeReason | None = None) -> None:
        """Leave the safe state on purpose.

        Raises:
            CommandRefused: it has another reason than this by now.
        """
        self.rejector.clear(reason)

    def wait_for_last_parts(self) -> None:
        """Wait until the parts on the belt have ended, as long as a running belt needs."""
        travel_ms = self.rejector.configuration.travel_ms
        travel_s = _LONGEST_TRAVEL_S if travel_ms is None else travel_ms / 1000
        self._endings.wait_until_empty(travel_s + _MARGIN_S)
        if self.simulated is not None:
            # What becomes of the last part is settled, but it may not have reached the gate yet.
            left_ns = self.simulated.empty_at_ns - self._clock.monotonic_ns()
            self._clock.wait(threading.Event(), max(0, left_ns) / 1e9)

    def give_up_if_silent(self) -> None:
        """To be called now and then: parts whose gate has been silent for long count as lost."""
        if self._link_problem is None:
            return
        if (self._clock.monotonic_ns() - self._down_since_ns) / 1e9 > _LOST_AFTER_S:
            waiting = self._endings.waiting()
            self._endings.give_up(waiting)
            for number in waiting:
                if self.eye.withdraw(number):
                    self._endings.not_inspected(number)

    @property
    def counts(self) -> Counts:
        """How parts ended; the outcomes and ``in_flight`` add up to ``triggers``."""
        return self._endings.counts(self.rejector.status().counts)

    def problems(self) -> list[str]:
        """Sentences about what is wrong at the gate, while it is in use."""
        if not self._held:
            return []
        found = [self._link_problem] if self._link_problem else []
        reason = self.rejector.status().safe_reason
        if reason is not SafeReason.NONE:
            found.append(
                f"the reject gate is in its safe state ({reason.value}): look at the belt, then"
                f' send the command clear with reason "{reason.value}"'
            )
        return found

    def status(self) -> dict[str, Any]:
        """What the status message says about the gate."""
        status = self.rejector.status()
        link, jitter = status.link, status.jitter
        safe = status.safe_action is not None
        return {
            "state": "safe" if safe else "running",
            "reason": status.safe_reason.value if safe else None,
            "action": status.safe_action.value if status.safe_action else None,
            "counters": vars(self._endings.counts(status.counts)),
            "encoder_count": status.encoder_count,
            "jitter_us": None
            if jitter is None
            else {"p50": jitter.p50_us, "p99": jitter.p99_us, "max": jitter.maximum_us},
            "link": None
            if link is None
            else {
                "up": link.up,
                "round_trip_ms": link.round_trip_ms,
                "clock_drift_ppm": link.clock_drift_ppm,
                "clock_uncertainty_us": link.clock_uncertainty_us,
                "retransmissions": link.retransmissions,
                "damaged_frames": link.damaged_frames,
            },
        }

    def _take(self, event: Event) -> None:
        """The rejector's events, in its thread."""
        match event:
            case Trigger():
                age_ns = self._clock.monotonic_ns() - event.triggered_at_ns
                passed_at = self._clock.wall() - timedelta(microseconds=age_ns / 1000)
                self._endings.came(event.part, passed_at)
                self.eye.announce(event)
                self._on_part()
            case Outcome():
                if self.eye.withdraw(event.part):
                    self._endings.not_inspected(event.part)
                self._endings.ended(event, self._clock.wall())
            case SafeStateChanged(reason=SafeReason.NONE):
                _log.info("the reject gate is running")
            case SafeStateChanged():
                action = event.action.value if event.action else "-"
                level = logging.WARNING if self._held else logging.INFO
                _log.log(level, "the reject gate is safe: %s, %s", event.reason.value, action)
            case LinkChanged():
                self._note_link(event)

    def _note_link(self, event: LinkChanged) -> None:
        if event.up:
            self._link_problem = None
            _log.info("the reject gate is connected")
            return
        if not self._held:
            return
        _log.warning("the reject gate is not connected: %s", event.why)
        self._down_since_ns = self._clock.monotonic_ns()
        self._link_problem = f"the reject gate is not connected: {event.why}"


def reason_of(word: object) -> SafeReason:
    """A reason of the safe state by its name, e.g. "heartbeat-lost".

    Raises:
        CommandRefused: there is no such reason; the message lists them.
    """
    for reason in SafeReason:
        if reason.value == word and reason is not SafeReason.NONE:
            return reason
    known = ", ".join(r.value for r in SafeReason if r is not SafeReason.NONE)
    raise CommandRefused(f"{word!r} is no reason of the safe state: name one of {known}")
