"""One pulse on request, to see that the right thing moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from edge_agent.clock import Clock
from edge_agent.config.tables import Config, NoReject
from edge_agent.errors import ConfigError
from edge_agent.gate.describe import describe
from edge_agent.gate.make import make_rejector
from firmware_bridge import CommandRefused, SafeReason

_REST_S = 0.05


@dataclass(frozen=True)
class TestPulse:
    """What was done.

    Attributes:
        gate: a sentence about it.
        cleared: the reason of the safe state that was left for it; None if it was not in one.
        pulse_ms: how long the gate was on.
        at: when it was told to, UTC.
        answered_after_ms: until it had said that it does.
    """

    gate: str
    cleared: str | None
    pulse_ms: float
    at: datetime
    answered_after_ms: float


def reject_test(
    config: Config, clock: Clock, pulse_ms: float | None = None, *, clear: bool = False
) -> TestPulse:
    """Open the gate, fire once, and leave it in its safe state.

    Args:
        config: of the station.
        clock: time.
        pulse_ms: length of the pulse; None: as configured.
        clear: leave the safe state for it.

    Raises:
        ConfigError: there is no gate in the configuration.
        CommandRefused: the gate is in its safe state, or parts are in flight.
        BridgeError: it cannot be used; e.g. the agent holds its port.
    """
    if isinstance(config.reject, NoReject):
        raise ConfigError("the configuration names no reject gate: add a table [reject]")
    length_ms = config.reject.pulse_ms if pulse_ms is None else pulse_ms
    with make_rejector(config.reject, lambda _: None) as rejector:
        gate = describe(rejector)
        reason = rejector.status().safe_reason
        if reason is not SafeReason.NONE:
            if not clear:
                raise CommandRefused(
                    f"the gate is in its safe state ({reason.value}), in which nothing is fired:"
                    " look at the line, then add --clear to leave it"
                )
            rejector.clear(reason)
        at, began_ns = clock.wall(), clock.monotonic_ns()
        rejector.reject_test(length_ms)
        answered_ns = clock.monotonic_ns()
        # Letting go of the gate earlier would end the pulse.
        clock.wait(threading.Event(), length_ms / 1000 + _REST_S)
        cleared = None if reason is SafeReason.NONE else reason.value
        return TestPulse(gate, cleared, length_ms, at, (answered_ns - began_ns) / 1e6)
