"""What a virtual MCU keeps over a reset."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.configuration import Edge, EncoderKind, RejectConfiguration
from firmware_bridge.events import LatePolicy, SafeAction
from firmware_bridge.wire import codes
from firmware_bridge.wire.codes import Option, Rule
from firmware_bridge.wire.limits import COMMIT_MARGIN_US, CONFIGURATION_LIMITS
from firmware_bridge.wire.messages import Message

FIRST_RULE = 128
"""In the detail of a refusal, rules are counted from here, fields from 0."""


@dataclass
class Stored:
    """Memory that survives power loss.

    Attributes:
        configuration: the ``configure`` message stored last; None: nothing.
        intact: False: its checksum is wrong.
    """

    configuration: Message | None = None
    intact: bool = True


def refusal_of(message: Message) -> int | None:
    """The detail with which the MCU refuses a ``configure``; None if it accepts."""
    for position, limit in enumerate(CONFIGURATION_LIMITS):
        if not limit.minimum <= message[limit.name] <= limit.maximum:
            return position
    by_distance = message["distance_counts"] != 0
    has_encoder = Option.ENCODER in Option(message["options"])
    least_us = message["lead_us"] + message["minimum_gap_us"] + COMMIT_MARGIN_US
    strobe_end_us = message["strobe_delay_us"] + message["strobe_us"]
    broken = {
        Rule.DELAY_OR_DISTANCE: by_distance == (message["delay_us"] != 0)
        or (by_distance and not has_encoder),
        Rule.DELAY_TOO_SHORT: not by_distance and message["delay_us"] <= least_us,
        Rule.PULSE_TOO_LONG: message["pulse_us"] > message["maximum_on_us"],
        Rule.STROBE_TOO_LONG: message["strobe_us"] != 0
        and strobe_end_us >= message["dead_time_us"],
    }
    return next((FIRST_RULE + rule for rule in Rule if broken[rule]), None)


def read_configuration(message: Message) -> RejectConfiguration:
    """A ``configure`` that was accepted, as people write it."""
    options = Option(message["options"])
    encoder = EncoderKind.NONE
    if Option.ENCODER in options:
        quadrature = Option.ENCODER_QUADRATURE in options
        encoder = EncoderKind.QUADRATURE if quadrature else EncoderKind.SINGLE
    late_policy = codes.LATE_POLICIES.word(message["late_policy"])
    safe_action = codes.SAFE_ACTIONS.word(message["safe_action"])
    return RejectConfiguration(
        delay_ms=message["delay_us"] / 1000 if message["delay_us"] else None,
        distance_counts=message["distance_counts"] or None,
        pulse_ms=message["pulse_us"] / 1000,
        lead_ms=message["lead_us"] / 1000,
        minimum_gap_ms=message["minimum_gap_us"] / 1000,
        maximum_on_ms=message["maximum_on_us"] / 1000,
        dead_time_ms=message["dead_time_us"] / 1000,
        late_policy=late_policy or LatePolicy.REJECT,
        safe_action=safe_action or SafeAction.STOP_LINE,
        heartbeat_ms=message["heartbeat_ms"],
        reject_limit=message["reject_limit"],
        confirmation_ms=message["confirmation_ms"],
        encoder=encoder,
        encoder_reversed=Option.ENCODER_REVERSED in options,
        reverse_limit_counts=message["reverse_limit_counts"],
        encoder_loss_triggers=message["encoder_loss_triggers"],
        strobe_delay_ms=message["strobe_delay_us"] / 1000,
        strobe_ms=message["strobe_us"] / 1000,
        trigger_edge=Edge.FALLING if Option.TRIGGER_FALLING in options else Edge.RISING,
        confirmation_edge=Edge.FALLING if Option.CONFIRMATION_FALLING in options else Edge.RISING,
        gate_active_low=Option.GATE_ACTIVE_LOW in options,
        strobe_active_low=Option.STROBE_ACTIVE_LOW in options,
    )
