"""A configuration in nanoseconds, and the moments that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_MS, NS_PER_US
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.wire.limits import COMMIT_MARGIN_US


@dataclass(frozen=True)
class Timing:
    """What the gate's clockwork needs to know.

    Attributes:
        travel_ns: trigger to gate, less the lead time; 0 where the gate works by distance.
        distance_counts: trigger to gate; 0 where it works by time.
        lead_ns: the gate acts this much earlier.
        pulse_ns: how long it acts on one part.
        gap_ns: shortest rest between two pulses.
        maximum_on_ns: longest that it may be on.
        dead_ns: edges this soon after a trigger are bounces.
        commit_ns: a part is decided this long before the gate acts on it.
        heartbeat_ns: silence of the host that leads to the safe state.
        confirmation_ns: an ejected part must be seen within this; 0: no sensor.
        strobe_delay_ns: trigger to strobe.
        strobe_ns: length of the strobe; 0: none.
    """

    travel_ns: int
    distance_counts: int
    lead_ns: int
    pulse_ns: int
    gap_ns: int
    maximum_on_ns: int
    dead_ns: int
    commit_ns: int
    heartbeat_ns: int
    confirmation_ns: int
    strobe_delay_ns: int
    strobe_ns: int

    @property
    def by_distance(self) -> bool:
        """Whether the gate follows the encoder instead of the clock."""
        return self.distance_counts > 0


def timing_of(configuration: RejectConfiguration) -> Timing:
    """The clockwork of a configuration."""
    gap_ns = _ns(configuration.minimum_gap_ms)
    lead_ns = _ns(configuration.lead_ms)
    delay_ms = configuration.delay_ms
    return Timing(
        travel_ns=0 if delay_ms is None else _ns(delay_ms) - lead_ns,
        distance_counts=configuration.distance_counts or 0,
        lead_ns=lead_ns,
        pulse_ns=_ns(configuration.pulse_ms),
        gap_ns=gap_ns,
        maximum_on_ns=_ns(configuration.maximum_on_ms),
        dead_ns=_ns(configuration.dead_time_ms),
        commit_ns=gap_ns + COMMIT_MARGIN_US * NS_PER_US,
        heartbeat_ns=_ns(configuration.heartbeat_ms),
        confirmation_ns=_ns(configuration.confirmation_ms),
        strobe_delay_ns=_ns(configuration.strobe_delay_ms),
        strobe_ns=_ns(configuration.strobe_ms),
    )


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1000) * (NS_PER_MS // 1000)
