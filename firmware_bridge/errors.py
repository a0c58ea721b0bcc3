"""What can go wrong between the host and the gate.

::

    BridgeError
    ├── PortError (OSError)                 the serial port itself
    │   ├── PortNotFound                    nothing is there
    │   ├── PortInUse                       another process holds it
    │   └── PortLost                        it was there, and has gone
    ├── HandshakeError (ConnectionError)    the port opens, but what answers is not what we need
    │   ├── NoAnswer                        silence
    │   ├── NotOurFirmware                  something answers in another language
    │   └── OtherProtocol                   our firmware, of another protocol version
    ├── ConfigurationError (ValueError)     values that do not fit each other or the MCU
    ├── CommandRefused (RuntimeError)       the MCU, or the state it is in, does not allow it
    ├── LineError (OSError)                 the GPIO chip or one of its lines
    └── GpioUnavailable (RuntimeError)      the extra ``gpio`` is not installed
"""

from __future__ import annotations


class BridgeError(Exception):
    """Anything this package raises on purpose."""


class PortError(BridgeError, OSError):
    """The serial port cannot be used."""


class PortNotFound(PortError):
    """There is no such port, e.g. the board is unplugged or the path has a typing error."""


class PortInUse(PortError):
    """Another process holds the port, e.g. a second agent or a serial monitor."""


class PortLost(PortError):
    """The port was open and has gone away, e.g. the cable was pulled."""


class HandshakeError(BridgeError, ConnectionError):
    """The port opens, but whatever is behind it cannot be talked to."""


class NoAnswer(HandshakeError):
    """Nothing came back, e.g. the wrong port, another baud rate, a board without firmware."""


class NotOurFirmware(HandshakeError):
    """Bytes came back, but no frame of ours, e.g. a GPS receiver or an Arduino sketch."""


class OtherProtocol(HandshakeError):
    """Our firmware answered, but it speaks another version of the protocol."""


class ConfigurationError(BridgeError, ValueError):
    """Values of the configuration do not fit each other, or exceed what the MCU can do.

    Example: a pulse of 40 ms where parts follow each other every 33 ms.
    """


class CommandRefused(BridgeError, RuntimeError):
    """A command was understood and not obeyed, e.g. a test pulse while parts are in flight."""


class LineError(BridgeError, OSError):
    """A GPIO chip or line cannot be used, e.g. it does not exist or a driver holds it."""


class GpioUnavailable(BridgeError, RuntimeError):
    """The Python package behind the GPIO rejector is missing."""
