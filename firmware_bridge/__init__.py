"""The other side of the wire: what fires the reject gate at the right moment.

    from firmware_bridge import McuRejector, RejectConfiguration, SerialTransport, Trigger, Verdict

    def on_event(event):
        if isinstance(event, Trigger):
            rejector.decide(event.part, Verdict.NG)

    configuration = RejectConfiguration(delay_ms=400, worst_case_verdict_ms=60)
    rejector = McuRejector(SerialTransport("/dev/serial/by-id/..."), configuration, on_event)
    with rejector:
        rejector.clear()
        ...

``McuRejector`` moves the gate by a microcontroller, real or virtual, ``GpioRejector`` by lines of
this computer; both are a ``Rejector``. Where to look next: ``wire`` for messages and frames,
``mcu`` for the conversation with a microcontroller, ``gate`` for what a gate does, ``gpio`` and
``virtual`` for what their names say, ``firmware`` for the C.
"""

from firmware_bridge.clock import Clock, ManualClock, MonotonicClock
from firmware_bridge.configuration import Edge, EncoderKind, RejectConfiguration
from firmware_bridge.errors import (
    BridgeError,
    CommandRefused,
    ConfigurationError,
    GpioUnavailable,
    HandshakeError,
    LineError,
    NoAnswer,
    NotOurFirmware,
    OtherProtocol,
    PortError,
    PortInUse,
    PortLost,
    PortNotFound,
)
from firmware_bridge.events import (
    Event,
    LatePolicy,
    LinkChanged,
    Outcome,
    OutcomeKind,
    SafeAction,
    SafeReason,
    SafeStateChanged,
    Trigger,
    Verdict,
)
from firmware_bridge.gpio.lines import ChipLines, Pins
from firmware_bridge.gpio.rejector import GpioRejector
from firmware_bridge.gpio.simulated import SimulatedLines
from firmware_bridge.ledger import Counts
from firmware_bridge.mcu.identity import Identity
from firmware_bridge.mcu.rejector import McuRejector, identify
from firmware_bridge.mcu.transport import SerialTransport, available_ports
from firmware_bridge.rejector import EventHandler, Rejector
from firmware_bridge.status import Jitter, LinkStatus, McuCounters, Status
from firmware_bridge.virtual.board import VirtualBoard
from firmware_bridge.virtual.mcu import Output
from firmware_bridge.virtual.pty import VirtualPty
from firmware_bridge.virtual.transport import VirtualTransport

__all__ = [
    "BridgeError",
    "ChipLines",
    "Clock",
    "CommandRefused",
    "ConfigurationError",
    "Counts",
    "Edge",
    "EncoderKind",
    "Event",
    "EventHandler",
    "GpioRejector",
    "GpioUnavailable",
    "HandshakeError",
    "Identity",
    "Jitter",
    "LatePolicy",
    "LineError",
    "LinkChanged",
    "LinkStatus",
    "ManualClock",
    "McuCounters",
    "McuRejector",
    "MonotonicClock",
    "NoAnswer",
    "NotOurFirmware",
    "OtherProtocol",
    "Outcome",
    "OutcomeKind",
    "Output",
    "Pins",
    "PortError",
    "PortInUse",
    "PortLost",
    "PortNotFound",
    "RejectConfiguration",
    "Rejector",
    "SafeAction",
    "SafeReason",
    "SafeStateChanged",
    "SerialTransport",
    "SimulatedLines",
    "Status",
    "Trigger",
    "Verdict",
    "VirtualBoard",
    "VirtualPty",
    "VirtualTransport",
    "available_ports",
    "identify",
]
