"""From the configuration's [reject] table to a gate."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.clock import Clock
from edge_agent.config.gate_check import reject_configuration
from edge_agent.config.gate_tables import VIRTUAL_PORT
from edge_agent.config.tables import (
    Config,
    GpioReject,
    McuReject,
    PhotoEyeTable,
    SimulatorSource,
)
from edge_agent.gate.gate import Gate
from edge_agent.record import Result
from edge_agent.simulator.gate import SimulatedGate
from edge_agent.sources.make import simulator_settings
from firmware_bridge import (
    ChipLines,
    Event,
    GpioRejector,
    McuRejector,
    Pins,
    Rejector,
    SerialTransport,
    VirtualBoard,
    VirtualTransport,
)


def make_gate(
    config: Config, clock: Clock, tell: Callable[[Result], None] = lambda _: None
) -> Gate | None:
    """The configured gate, not yet entered; None if there is none. See :class:`Gate`.

    Raises:
        BridgeError: values do not fit each other, or an extra is not installed.
    """
    reject, trigger = config.reject, config.trigger
    if not isinstance(reject, McuReject | GpioReject) or not isinstance(trigger, PhotoEyeTable):
        return None
    simulated = _simulated(config, reject)
    board = simulated.board if simulated else None
    return Gate(
        lambda on_event: make_rejector(reject, on_event, board),
        reject,
        trigger,
        clock,
        tell,
        simulated,
    )


def make_rejector(
    reject: McuReject | GpioReject,
    on_event: Callable[[Event], None],
    board: VirtualBoard | None = None,
) -> Rejector:
    """What moves the gate, not yet open.

    Args:
        reject: the [reject] table.
        on_event: told of everything.
        board: the one behind the port `virtual`; by default one of its own, past which no part
            comes.

    Raises:
        BridgeError: values do not fit each other, or an extra is not installed.
    """
    configuration = reject_configuration(reject)
    if isinstance(reject, GpioReject):
        pins = Pins(
            trigger=reject.trigger_line,
            gate=reject.gate_line,
            confirmation=reject.confirmation_line,
            strobe=reject.strobe_line,
            run=reject.run_line,
            fault=reject.fault_line,
        )
        lines = ChipLines(str(reject.chip), pins, configuration)
        return GpioRejector(lines, configuration, on_event)
    if reject.port == VIRTUAL_PORT:
        transport = VirtualTransport(board or VirtualBoard())
        return McuRejector(transport, configuration, on_event)
    return McuRejector(SerialTransport(reject.port), configuration, on_event)


def _simulated(config: Config, reject: McuReject | GpioReject) -> SimulatedGate | None:
    if not (isinstance(reject, McuReject) and reject.port == VIRTUAL_PORT):
        return None
    assert isinstance(config.source, SimulatorSource)
    settings = simulator_settings(config.source)
    travel_ms = reject.delay_ms
    if travel_ms is None:
        counts_per_s = SimulatedGate.counts_per_s(settings)
        travel_ms = 1000 * (reject.distance_counts or 0) / counts_per_s
    return SimulatedGate(settings, travel_ms)
