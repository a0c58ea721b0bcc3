"""How a reject gate is set up, and whether that can work.

``RejectConfiguration`` is what people write. It is checked as a whole, in sentences that name the
values; ``to_message`` is what the MCU takes, which checks it once more against the same limits.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridge.errors import ConfigurationError
from firmware_bridge.events import LatePolicy, SafeAction
from firmware_bridge.wire import codes, messages
from firmware_bridge.wire.codes import Option
from firmware_bridge.wire.limits import COMMIT_MARGIN_US, CONFIGURATION_LIMITS
from firmware_bridge.wire.messages import Message

COMMIT_MARGIN_MS = COMMIT_MARGIN_US / 1000

LINK_ALLOWANCE_MS = 15.0
"""A verdict's way to the MCU, with one retransmission."""


class Edge(enum.Enum):
    """Which edge of an input counts."""

    RISING = "rising"
    FALLING = "falling"


class EncoderKind(enum.Enum):
    """How the belt is measured."""

    NONE = "none"
    SINGLE = "single"
    """One channel: every edge is a count forwards."""
    QUADRATURE = "quadrature"
    """Two channels: every edge of A is a count, B gives the direction."""


@dataclass(frozen=True)
class RejectConfiguration:
    """Everything about one reject gate. Times in milliseconds, as people measure them.

    Attributes:
        delay_ms: photo-eye to gate by time; exactly one of this and ``distance_counts``.
        distance_counts: photo-eye to gate in encoder counts.
        pulse_ms: how long the gate acts on one part.
        lead_ms: the gate acts this much earlier, because its actuator is slow.
        minimum_gap_ms: shortest rest between two pulses; what is closer is merged.
        maximum_on_ms: longest time that the gate may be on, whatever anybody says.
        dead_time_ms: further trigger edges within this are bounces of the photo-eye.
        late_policy: what happens to a part without a verdict.
        safe_action: what the outputs do in the safe state.
        heartbeat_ms: silence of the host that leads to the safe state.
        reject_limit: so many rejects in a row stop the line; 0: no limit.
        confirmation_ms: an ejected part must be seen by the sensor within this; 0: no sensor.
        encoder: how the belt is measured.
        encoder_reversed: the belt's direction counts backwards.
        reverse_limit_counts: so much travel backwards leads to the safe state.
        encoder_loss_triggers: so many triggers without a count lead to the safe state.
        strobe_delay_ms: trigger to the camera's strobe output.
        strobe_ms: length of the strobe; 0: none.
        trigger_edge: which edge of the photo-eye is a part.
        confirmation_edge: which edge of the confirmation sensor is a part.
        gate_active_low: the gate acts while its output is low.
        strobe_active_low: the strobe acts while its output is low.
        worst_case_verdict_ms: the longest that a verdict may take; checked against the distance.
        part_spacing_ms: shortest time between two parts; checked against the pulse. None: unknown.
        maximum_counts_per_s: fastest belt; needed with ``distance_counts`` for these checks.
    """

    delay_ms: float | None = None
    distance_counts: int | None = None
    pulse_ms: float = 20.0
    lead_ms: float = 0.0
    minimum_gap_ms: float = 5.0
    maximum_on_ms: float = 500.0
    dead_time_ms: float = 2.0
    late_policy: LatePolicy = LatePolicy.REJECT
    safe_action: SafeAction = SafeAction.STOP_LINE
    heartbeat_ms: int = 500
    reject_limit: int = 0
    confirmation_ms: int = 0
    encoder: EncoderKind = EncoderKind.NONE
    encoder_reversed: bool = False
    reverse_limit_counts: int = 20
    encoder_loss_triggers: int = 3
    strobe_delay_ms: float = 0.05
    strobe_ms: float = 0.0
    trigger_edge: Edge = Edge.RISING
    confirmation_edge: Edge = Edge.RISING
    gate_active_low: bool = False
    strobe_active_low: bool = False
    worst_case_verdict_ms: float = 100.0
    part_spacing_ms: float | None = None
    maximum_counts_per_s: float | None = None

    def check(self) -> None:
        """Raises ConfigurationError with one sentence for each thing that cannot work."""
        if problems := list(self.problems()):
            raise ConfigurationError(" ".join(problems))

    def problems(self) -> Iterator[str]:
        """One sentence for each thing that cannot work."""
        yield from self._travel_problems()
        yield from self._pulse_problems()
        yield from self._limit_problems()

    @property
    def travel_ms(self) -> float | None:
        """Shortest time from photo-eye to gate; None where it cannot be known."""
        if self.delay_ms is not None:
            return self.delay_ms
        if self.distance_counts is not None and self.maximum_counts_per_s:
            return 1000 * self.distance_counts / self.maximum_counts_per_s
        return None

    @property
    def decision_time_ms(self) -> float | None:
        """Shortest time from photo-eye to the point of no return."""
        if self.travel_ms is None:
            return None
        return self.travel_ms - self.lead_ms - self.minimum_gap_ms - COMMIT_MARGIN_MS

    def to_message(self) -> Message:
        """The ``configure`` message.

        Raises:
            ConfigurationError: see ``check``.
        """
        self.check()
        return messages.make(messages.CONFIGURE, **self._wire_values())

    @property
    def hash(self) -> int:
        """CRC-32 by which an MCU names it; raises ConfigurationError, see ``check``."""
        return configuration_hash(self.to_message())

    def _wire_values(self) -> dict[str, int]:
        options = Option(0)
        for wanted, option in (
            (self.trigger_edge is Edge.FALLING, Option.TRIGGER_FALLING),
            (self.gate_active_low, Option.GATE_ACTIVE_LOW),
            (self.strobe_active_low, Option.STROBE_ACTIVE_LOW),
            (self.encoder is not EncoderKind.NONE, Option.ENCODER),
            (self.encoder is EncoderKind.QUADRATURE, Option.ENCODER_QUADRATURE),
            (self.encoder_reversed, Option.ENCODER_REVERSED),
            (self.confirmation_edge is Edge.FALLING, Option.CONFIRMATION_FALLING),
        ):
            if wanted:
                options |= option
        return {
            "delay_us": _us(self.delay_ms or 0),
            "distance_counts": self.distance_counts or 0,
            "lead_us": _us(self.lead_ms),
            "pulse_us": _us(self.pulse_ms),
            "minimum_gap_us": _us(self.minimum_gap_ms),
            "maximum_on_us": _us(self.maximum_on_ms),
            "dead_time_us": _us(self.dead_time_ms),
            "strobe_delay_us": _us(self.strobe_delay_ms),
            "strobe_us": _us(self.strobe_ms),
            "heartbeat_ms": self.heartbeat_ms,
            "confirmation_ms": self.confirmation_ms,
            "reverse_limit_counts": self.reverse_limit_counts,
            "encoder_loss_triggers": self.encoder_loss_triggers,
            "reject_limit": self.reject_limit,
            "late_policy": codes.LATE_POLICIES[self.late_policy],
            "safe_action": codes.SAFE_ACTIONS[self.safe_action],
            "options": int(options),
        }

    def _travel_problems(self) -> Iterator[str]:
        if (self.delay_ms is None) == (self.distance_counts is None):
            yield "Give exactly one of delay_ms and distance_counts."
            return
        if self.distance_counts is not None and self.encoder is EncoderKind.NONE:
            yield (
                f"distance_counts = {self.distance_counts} needs an encoder:"
                ' set encoder to "single" or "quadrature".'
            )
        if self.distance_counts is not None and not self.maximum_counts_per_s:
            yield (
                f"distance_counts = {self.distance_counts} says nothing about time: give"
                " maximum_counts_per_s, so that it can be checked against the verdict time."
            )
        available, where = self.decision_time_ms, self._travel_in_words()
        needed = self.worst_case_verdict_ms + LINK_ALLOWANCE_MS
        if available is not None and available < needed:
            yield (
                f"The gate is too near: {where}, less {self.lead_ms:g} ms lead,"
                f" {self.minimum_gap_ms:g} ms gap and {COMMIT_MARGIN_MS:g} ms to commit, leaves"
                f" {available:g} ms, but a verdict may take {self.worst_case_verdict_ms:g} ms and"
                f" its way to the gate {LINK_ALLOWANCE_MS:g} ms. Move the gate or the photo-eye,"
                " slow the line down, or make the verdict faster."
            )

    def _travel_in_words(self) -> str:
        if self.delay_ms is not None:
            return f"delay_ms = {self.delay_ms:g}"
        return (
            f"distance_counts = {self.distance_counts} at {self.maximum_counts_per_s or 0:g}"
            f" counts/s, {self.travel_ms or 0:g} ms"
        )

    def _pulse_problems(self) -> Iterator[str]:
        if self.part_spacing_ms is not None and self.pulse_ms > self.part_spacing_ms:
            yield (
                f"pulse_ms = {self.pulse_ms:g} is longer than the gap of"
                f" {self.part_spacing_ms:g} ms between two parts: it would hit the next one."
            )
        if self.pulse_ms > self.maximum_on_ms:
            yield (
                f"pulse_ms = {self.pulse_ms:g} is longer than maximum_on_ms ="
                f" {self.maximum_on_ms:g}, the longest that the gate may be on."
            )
        strobe_end_ms = self.strobe_delay_ms + self.strobe_ms
        if self.strobe_ms > 0 and strobe_end_ms >= self.dead_time_ms:
            yield (
                f"The strobe ends {strobe_end_ms:g} ms after the trigger; it must end within"
                f" dead_time_ms = {self.dead_time_ms:g}, when the next part may come."
            )

    def _limit_problems(self) -> Iterator[str]:
        values = self._wire_values()
        for limit in CONFIGURATION_LIMITS:
            value, name, scale = values[limit.name], limit.name, 1
            if name.endswith("_us"):
                name, scale = name[:-3] + "_ms", 1000
            if not limit.minimum <= value <= limit.maximum:
                yield (
                    f"{name} = {value / scale:g} is outside"
                    f" {limit.minimum / scale:g} .. {limit.maximum / scale:g}."
                )


def configuration_hash(message: Message | None) -> int:
    """What an identity says about the active ``configure``; 0: none."""
    return zlib.crc32(message.encode()[1:]) if message else 0


def _us(milliseconds: float) -> int:
    return round(milliseconds * 1000)
