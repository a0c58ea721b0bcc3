"""The configuration as the MCU takes it, and the limits of each field.

Both ends check against this table: the host before it sends, with a sentence for people, and the
MCU before it obeys, whatever the host says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One field of the ``configure`` message.

    Attributes:
        name: with its unit.
        kind: as in ``messages.Field``.
        minimum: smallest value that the MCU accepts.
        maximum: largest value that the MCU accepts.
        text: what it means.
    """

    name: str
    kind: str
    minimum: int
    maximum: int
    text: str


COMMIT_MARGIN_US = 2_000
"""The MCU freezes what happens to a part this long before the latest moment to plan its pulse:
``lead + minimum gap + this`` before the part is at the gate is the point of no return."""

CONFIGURATION_LIMITS = (
    Limit("delay_us", "u32", 0, 30_000_000, "trigger to gate by time; 0: by distance"),
    Limit("distance_counts", "u32", 0, 10_000_000, "trigger to gate by encoder; 0: by time"),
    Limit("lead_us", "u32", 0, 1_000_000, "the gate acts this much earlier, for a slow actuator"),
    Limit("pulse_us", "u32", 1_000, 2_000_000, "how long the gate acts on one part"),
    Limit("minimum_gap_us", "u32", 2_000, 1_000_000, "shortest rest between two pulses"),
    Limit("maximum_on_us", "u32", 1_000, 5_000_000, "longest time that the gate may be on"),
    Limit("dead_time_us", "u32", 1_000, 1_000_000, "edges this soon after a trigger are bounces"),
    Limit("strobe_delay_us", "u16", 50, 30_000, "trigger to camera strobe"),
    Limit("strobe_us", "u16", 0, 30_000, "length of the strobe; 0: none"),
    Limit("heartbeat_ms", "u16", 50, 60_000, "silence of the host that leads to the safe state"),
    Limit("confirmation_ms", "u16", 0, 2_000, "an ejected part must be seen within; 0: no sensor"),
    Limit("reverse_limit_counts", "u16", 1, 60_000, "backward travel that leads to the safe state"),
    Limit("encoder_loss_triggers", "u8", 1, 255, "triggers without a count that lead to it"),
    Limit("reject_limit", "u8", 0, 255, "consecutive rejects that stop the line; 0: no limit"),
    Limit("late_policy", "u8", 0, 2, "a part without a verdict: 0 reject, 1 pass, 2 stop the line"),
    Limit("safe_action", "u8", 0, 2, "safe state: 0 pass all, 1 reject all, 2 stop the line"),
    Limit("options", "u8", 0, 127, "bits, see below"),
)

CONFIRMATIONS_PENDING = 8
"""Ejected parts that may wait for their confirmation at the same time."""
