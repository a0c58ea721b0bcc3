"""The whole gate: parts come in, verdicts come in, outputs and outcomes come out.

Time is whatever the owner says it is: every call names the moment it happens, and ``advance`` does
all that was due until then, in order. Nothing here waits.
"""

from __future__ import annotations

from collections import deque

from firmware_bridge.clock import NS_PER_S
from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.events import LatePolicy, OutcomeKind, SafeAction, SafeReason, Verdict
from firmware_bridge.gate.belt import Belt, BeltWatch
from firmware_bridge.gate.confirmation import Confirmations
from firmware_bridge.gate.part import GateCounters, Listener, Part
from firmware_bridge.gate.pulses import Answer, Phase, Plan, Pulses
from firmware_bridge.gate.safety import Safety
from firmware_bridge.gate.timing import timing_of
from firmware_bridge.wire.messages import PARTS_IN_FLIGHT

COUNTS_TO_SPARE = 2
"""By distance, a part is decided at least this many counts before the gate."""


class GateModel:
    """One reject gate.

    Args:
        configuration: of the gate.
        safety: the safe state that it is in or not.
        listener: is told what happens.
        now_ns: the moment it begins.
        belt: that moves already; None: one that stands still.
        first_number: of the first part.
        counters: to count on; None: from zero.
        watch_heartbeat: silence of the host leads to the safe state.
        tolerance_ns: an edge that cannot be made within this of its moment is not made; None: the
            outputs are exact.

    Attributes:
        belt: moves when its owner says so.
        safety: the safe state.
        counters: what is counted besides parts.
        next_number: of the next part.
    """

    def __init__(
        self,
        configuration: RejectConfiguration,
        safety: Safety,
        listener: Listener,
        *,
        now_ns: int,
        belt: Belt | None = None,
        first_number: int = 1,
        counters: GateCounters | None = None,
        watch_heartbeat: bool = True,
        tolerance_ns: int | None = None,
    ) -> None:
        self.belt = belt or Belt()
        self.safety = safety
        self.counters = counters or GateCounters()
        self.next_number = first_number
        self._configuration = configuration
        self._timing = timing_of(configuration)
        self._listener = listener
        self._watch_heartbeat = watch_heartbeat
        self._tolerance_ns = tolerance_ns
        self._pulses = Pulses(self._timing)
        self._confirmations = Confirmations(self._timing.confirmation_ns)
        self._belt_watch = BeltWatch(
            self.belt,
            configuration.reverse_limit_counts,
            configuration.encoder_loss_triggers,
            now_ns,
        )
        self._parts: deque[Part] = deque()
        self._rising_for: Part | None = None
        self._armed: Part | None = None
        self._strobes: deque[tuple[int, bool]] = deque()
        self._latest_trigger_ns: int | None = None
        self._heard_ns = now_ns
        self._now_ns = now_ns
        self._consecutive_rejects = 0
        self._show_safety()

    @property
    def open_number(self) -> int:
        """The first part that has not ended."""
        return self._parts[0].number if self._parts else self.next_number

    @property
    def due_ns(self) -> int | None:
        """When ``advance`` has something to do; None: not before anything else happens."""
        due = [
            self._pulses.due_ns,
            self._plan_due_ns(),
            self._merged_due_ns(),
            self.belt.time_of(self._target_of(self._armed)) if self._armed else None,
            self._strobes[0][0] if self._strobes else None,
            self._confirmations.due_ns,
            self._reverse_due_ns(),
            self._heard_ns + self._timing.heartbeat_ns if self._heartbeat_counts else None,
        ]
        return min((moment for moment in due if moment is not None), default=None)

    # What happens to it.

    def trigger(self, at_ns: int) -> None:
        """An edge of the photo-eye."""
        self.advance(at_ns)
        latest_ns = self._latest_trigger_ns
        if latest_ns is not None and at_ns - latest_ns < self._timing.dead_ns:
            self.counters.ignored_edges += 1
            return
        self._latest_trigger_ns = at_ns
        if self._timing.strobe_ns:
            begin_ns = at_ns + self._timing.strobe_delay_ns
            self._strobes += [(begin_ns, True), (begin_ns + self._timing.strobe_ns, False)]
        if len(self._parts) >= PARTS_IN_FLIGHT:
            self.counters.unlatched += 1
            self.enter_safe_state(SafeReason.TOO_MANY_PARTS, at_ns)
            return
        part = Part(self.next_number, at_ns, self.belt.count(at_ns))
        self.next_number += 1
        self._parts.append(part)
        self._listener.on_trigger(part)
        if self._has_encoder and self._belt_watch.lost_at(part.encoder_count):
            self.enter_safe_state(SafeReason.ENCODER_LOST, at_ns, part.number)
        self.advance(at_ns)

    def decide(self, number: int, verdict: Verdict, at_ns: int) -> None:
        """A verdict; one that comes too late changes nothing."""
        self.advance(at_ns)
        for part in self._parts:
            if part.number == number and part.kind is None:
                part.verdict = verdict
                return
        self.counters.late_verdicts += 1

    def confirm(self, at_ns: int) -> None:
        """An edge of the confirmation sensor."""
        self.advance(at_ns)
        self.counters.confirmed += self._confirmations.edge()

    def set_belt_speed(self, counts_per_s: float, at_ns: int) -> None:
        """The belt moves at another speed from now on."""
        self.advance(at_ns)
        self._belt_watch.before_speed_change(at_ns)
        self.belt.set_speed(counts_per_s, at_ns)

    def heartbeat(self, at_ns: int) -> None:
        """The host is alive."""
        self.advance(at_ns)
        self._heard_ns = at_ns

    def enter_safe_state(self, reason: SafeReason, at_ns: int, part: int | None = None) -> None:
        """Enters the safe state, or escalates it."""
        if not self.safety.enter(reason, at_ns, part):
            return
        if self.safety.action is not SafeAction.REJECT_ALL:
            self._abandon(at_ns)
        self._show_safety()

    def clear(self, at_ns: int) -> None:
        """Leaves the safe state."""
        self.advance(at_ns)
        self._belt_watch.restart(at_ns)
        self._heard_ns = at_ns
        self._confirmations.restart()
        self.safety.clear(at_ns)
        self._show_safety()

    def test(self, pulse_ns: int, at_ns: int) -> bool:
        """One pulse without a part; False while parts are in flight or the gate is busy."""
        self.advance(at_ns)
        if self._parts or self._pulses.phase is not Phase.RESTING:
            return False
        return self._pulses.plan(at_ns + 1_000_000, pulse_ns, at_ns).answer is Answer.PLANNED

    def forget(self, at_ns: int) -> None:
        """Ends all parts as skipped, and lets go of the gate."""
        self._abandon(at_ns)
        for part in self._parts:
            part.kind, part.wanted, part.planned = OutcomeKind.SKIPPED, False, True
        self._finish(at_ns)
        if self._pulses.phase is Phase.ON:
            self._listener.on_output("gate", False, at_ns)

    def advance(self, until_ns: int) -> None:
        """Does everything that is due until then, in order."""
        self._now_ns = max(self._now_ns, until_ns)
        while (due_ns := self.due_ns) is not None and due_ns <= until_ns:
            self._step(due_ns)

    # One moment.

    def _step(self, at_ns: int) -> None:
        while self._strobes and self._strobes[0][0] <= at_ns:
            moment_ns, level = self._strobes.popleft()
            self._listener.on_output("strobe", level, moment_ns)
        if self._pulses.due_ns is not None and self._pulses.due_ns <= at_ns:
            self._make_edge(self._pulses.due_ns)
        self._reach_count(at_ns)
        self._plan(at_ns)
        self._finish(at_ns)
        self._watch(at_ns)

    def _make_edge(self, at_ns: int) -> None:
        if self._pulses.phase is Phase.ON:
            cut = self._pulses.fall()
            self._listener.on_output("gate", False, at_ns)
            if cut:
                self.enter_safe_state(SafeReason.MAXIMUM_ON_TIME, at_ns)
            return
        part, self._rising_for = self._rising_for, None
        if self._tolerance_ns is not None and self._now_ns - at_ns > self._tolerance_ns:
            self._pulses.abandon(at_ns)
            if part:
                self._miss(part)
            return
        self._pulses.rise()
        self._listener.on_output("gate", True, at_ns)
        if part:
            part.fired_at_ns = at_ns
            if self._timing.by_distance:
                part.error = self.belt.count(at_ns) - self._target_of(part)
            else:
                part.error = at_ns - self._moment_of(part)

    def _reach_count(self, at_ns: int) -> None:
        part = self._armed
        if part is None or self.belt.count(at_ns) < self._target_of(part):
            return
        self._armed = None
        plan = self._pulses.begin_now(at_ns)
        part.clipped = part.clipped or plan.clipped
        if plan.answer is Answer.MERGED:
            part.merged = True
            part.fired_at_ns = at_ns
            return
        self._rising_for = part
        if self._pulses.on_at_ns <= at_ns:
            self._make_edge(at_ns)

    def _plan(self, at_ns: int) -> None:
        for part in self._parts:
            if part.planned:
                continue
            if part.kind is None:
                due_ns = self._freeze_due_ns(part)
                if due_ns is None or due_ns > at_ns:
                    return
                self._freeze(part, at_ns)
            if part.wanted:
                plan = self._wish(part, at_ns)
                if plan.answer is Answer.BUSY:
                    return
                part.clipped = part.clipped or plan.clipped
                part.merged = plan.answer is Answer.MERGED
                if plan.answer is Answer.MISSED:
                    self._miss(part)
            part.planned = True

    def _wish(self, part: Part, at_ns: int) -> Plan:
        if not self._timing.by_distance:
            plan = self._pulses.plan(self._moment_of(part), self._timing.pulse_ns, at_ns)
            if plan.answer is Answer.PLANNED:
                self._rising_for = part
            return plan
        if self._armed or self._rising_for:
            return Plan(Answer.BUSY)
        target = self._target_of(part)
        if target - self.belt.count(at_ns) < -1:
            return Plan(Answer.MISSED)
        if (expected_ns := self.belt.time_of(target)) is not None:
            self._pulses.hold(max(expected_ns, at_ns))
        self._armed = part
        return Plan(Answer.PLANNED)

    def _freeze(self, part: Part, at_ns: int) -> None:
        if not self.safety.running:
            part.kind = OutcomeKind.SKIPPED
            part.wanted = self.safety.action is SafeAction.REJECT_ALL
        elif part.verdict is Verdict.OK:
            part.kind = OutcomeKind.PASSED
        elif part.verdict is Verdict.NG:
            part.kind, part.wanted = OutcomeKind.REJECTED, True
        else:
            skipped = part.verdict is Verdict.SKIPPED
            part.kind = OutcomeKind.SKIPPED if skipped else OutcomeKind.LATE
            part.wanted = self._configuration.late_policy is LatePolicy.REJECT
            if self._configuration.late_policy is LatePolicy.STOP:
                self.enter_safe_state(SafeReason.LATE_VERDICT, at_ns, part.number)

    def _finish(self, at_ns: int) -> None:
        while self._parts and self._parts[0].planned:
            part = self._parts[0]
            if part.wanted and part.fired_at_ns is None:
                if not part.merged or self._timing.by_distance or self._moment_of(part) > at_ns:
                    return
                part.fired_at_ns = self._moment_of(part)
            self._parts.popleft()
            self._settle(part, at_ns)

    def _settle(self, part: Part, at_ns: int) -> None:
        if part.fired_at_ns is not None:
            self._confirmations.expect(part.number, part.fired_at_ns, at_ns)
        self._listener.on_outcome(part)
        if part.kind is OutcomeKind.PASSED:
            self._consecutive_rejects = 0
        elif part.kind is OutcomeKind.REJECTED and self._configuration.reject_limit:
            self._consecutive_rejects += 1
            if self._consecutive_rejects >= self._configuration.reject_limit:
                self._consecutive_rejects = 0
                self.enter_safe_state(SafeReason.CONSECUTIVE_REJECTS, at_ns, part.number)

    def _watch(self, at_ns: int) -> None:
        if (overdue := self._confirmations.overdue(at_ns)) is not None:
            self.enter_safe_state(SafeReason.NOT_CONFIRMED, at_ns, overdue)
        if (reverse_ns := self._reverse_due_ns()) is not None and reverse_ns <= at_ns:
            self.enter_safe_state(SafeReason.REVERSE_MOTION, at_ns)
        silence_ns = at_ns - self._heard_ns
        if self._heartbeat_counts and silence_ns >= self._timing.heartbeat_ns:
            self.enter_safe_state(SafeReason.HEARTBEAT_LOST, at_ns)

    def _abandon(self, at_ns: int) -> None:
        """Nothing that has not begun will fire."""
        waiting = self._armed or self._rising_for
        self._pulses.abandon(at_ns)
        self._armed = self._rising_for = None
        for part in self._parts:
            begun = part.merged and (self._timing.by_distance or self._moment_of(part) <= at_ns)
            if part.kind is None:
                return
            if part.wanted and part.fired_at_ns is None and (part is waiting or not begun):
                part.kind, part.wanted, part.merged = OutcomeKind.SKIPPED, False, False

    def _miss(self, part: Part) -> None:
        part.kind, part.wanted, part.missed = OutcomeKind.LATE, False, True

    def _show_safety(self) -> None:
        moment_ns = self.safety.since_ns
        self._listener.on_output("run", self.safety.line_may_run, moment_ns)
        self._listener.on_output("fault", not self.safety.running, moment_ns)
        self._listener.on_safety(self.safety)

    # Moments.

    def _moment_of(self, part: Part) -> int:
        return part.triggered_at_ns + self._timing.travel_ns

    def _target_of(self, part: Part) -> int:
        lead = round(self.belt.counts_per_s * self._timing.lead_ns / NS_PER_S)
        return part.encoder_count + self._timing.distance_counts - lead

    def _freeze_due_ns(self, part: Part) -> int | None:
        if not self._timing.by_distance:
            return self._moment_of(part) - self._timing.commit_ns
        early = round(self.belt.counts_per_s * self._timing.commit_ns / NS_PER_S) + COUNTS_TO_SPARE
        return self.belt.time_of(self._target_of(part) - early)

    def _plan_due_ns(self) -> int | None:
        """When the first part that the gate does not know yet is decided; a part that waits for
        the gate itself is asked again with the gate's next edge."""
        for part in self._parts:
            if not part.planned:
                return self._freeze_due_ns(part) if part.kind is None else None
        return None

    def _merged_due_ns(self) -> int | None:
        if not self._parts or self._timing.by_distance:
            return None
        first = self._parts[0]
        return self._moment_of(first) if first.merged and first.planned else None

    def _reverse_due_ns(self) -> int | None:
        watched = self._has_encoder and self.safety.running
        return self._belt_watch.reverse_due_ns() if watched else None

    @property
    def _has_encoder(self) -> bool:
        return self._configuration.encoder is not EncoderKind.NONE

    @property
    def _heartbeat_counts(self) -> bool:
        return self.safety.running and self._watch_heartbeat
