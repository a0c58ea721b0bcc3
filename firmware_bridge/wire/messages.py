"""Every message on the wire: the one table that both sides are made from.

The C header ``firmware/messages.h`` and the tables of ``docs/protocol.md`` are generated from here
(``python -m firmware_bridge.wire.generate``), and a test holds them equal. Numbers are
little-endian; a message is its code, one byte, then its fields in order, and has one length.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from firmware_bridge.wire.codes import HANG_KEY
from firmware_bridge.wire.limits import CONFIGURATION_LIMITS

PROTOCOL_VERSION = 1
"""Both ends must say the same number; it changes whenever this table does."""

MAGIC = b"GATE"
"""First bytes of an identity: no other firmware answers with these behind a valid checksum."""

BAUD_RATE = 250_000
"""Exact at 16 MHz, where 115,200 is off by 2.1 %; 25 kB/s are four times what 100 parts/s need."""

TICKS_PER_US = 2
"""The MCU's clock: 16 MHz / 8, 32 bits, hence around once in 35.8 minutes."""

PARTS_IN_FLIGHT = 32
"""Parts between photo-eye and gate that the MCU can hold."""

PART_RECORDS = 36
"""Parts that the MCU remembers, so that a lost report can be asked for again."""

NO_PART = 0
"""Part numbers begin at 1; this stands where no part is meant."""


class Direction(enum.Enum):
    """Who sends a message, and what becomes of it."""

    QUERY = "host to MCU, not numbered"
    """May be lost or repeated without harm; the answer is its acknowledgement."""

    COMMAND = "host to MCU, numbered"
    """Acknowledged, retransmitted, executed once."""

    REPORT = "MCU to host"
    """May be lost; what matters is asked for again."""


@dataclass(frozen=True)
class Field:
    """One field of a message.

    Attributes:
        name: with its unit.
        kind: ``u8``, ``u16``, ``u32``, ``i8``, ``i32`` or ``bytesN``.
        text: what it means.
    """

    name: str
    kind: str
    text: str

    @property
    def code(self) -> str:
        """The field in the language of ``struct``."""
        if self.kind.startswith("bytes"):
            return f"{int(self.kind[5:])}s"
        return {"u8": "B", "u16": "H", "u32": "I", "i8": "b", "i32": "i"}[self.kind]

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return struct.calcsize("<" + self.code)


@dataclass(frozen=True)
class MessageType:
    """One row of the table."""

    code: int
    name: str
    direction: Direction
    fields: tuple[Field, ...]
    text: str

    @property
    def layout(self) -> struct.Struct:
        """All fields, without the code in front."""
        return struct.Struct("<" + "".join(field.code for field in self.fields))

    @property
    def size(self) -> int:
        """Bytes on the wire, with the code in front."""
        return 1 + self.layout.size


@dataclass(frozen=True)
class Message:
    """A message with its values, in the order of the table's fields."""

    kind: MessageType
    values: tuple[int | bytes, ...]

    def __getitem__(self, name: str) -> int:
        """A number by the name of its field."""
        value = self.values[self._position(name)]
        assert isinstance(value, int), f"{self.kind.name}.{name} is no number"
        return value

    def raw(self, name: str) -> bytes:
        """A field of bytes by its name."""
        value = self.values[self._position(name)]
        assert isinstance(value, bytes), f"{self.kind.name}.{name} is a number"
        return value

    def encode(self) -> bytes:
        """Code and fields, as they stand in a frame."""
        return bytes([self.kind.code]) + self.kind.layout.pack(*self.values)

    def _position(self, name: str) -> int:
        for position, field in enumerate(self.kind.fields):
            if field.name == name:
                return position
        raise KeyError(f"{self.kind.name} has no field {name}")


def _fields(*rows: tuple[str, str, str]) -> tuple[Field, ...]:
    return tuple(Field(*row) for row in rows)


IDENTIFY = MessageType(
    0x01,
    "identify",
    Direction.QUERY,
    (),
    "Who are you? Answered by `identity` in every state, without a session.",
)
CONNECT = MessageType(
    0x02,
    "connect",
    Direction.QUERY,
    _fields(("session", "u32", "a random number, not 0")),
    "Begins a session: numbered frames count from 1 again. Repeated with the same number it"
    " changes nothing.",
)
PING = MessageType(
    0x03,
    "ping",
    Direction.QUERY,
    _fields(
        ("session", "u32", "as connected; with another one the answer is `identity`"),
        ("token", "u16", "comes back in `pong`"),
    ),
    "The heartbeat, and one sample for clock synchronisation.",
)
ASK = MessageType(
    0x04,
    "ask",
    Direction.QUERY,
    _fields(
        ("session", "u32", "as connected"),
        ("part", "u32", "first part whose reports are missing"),
        ("count", "u8", "how many parts"),
    ),
    "Sends `trigger` and `outcome` of these parts again, as far as the MCU remembers them.",
)
ASK_COUNTERS = MessageType(
    0x05,
    "ask_counters",
    Direction.QUERY,
    _fields(("session", "u32", "as connected")),
    "Answered by `counters`.",
)
CONFIGURE = MessageType(
    0x10,
    "configure",
    Direction.COMMAND,
    tuple(Field(limit.name, limit.kind, limit.text) for limit in CONFIGURATION_LIMITS),
    "Checks, activates and stores a configuration, and enters the safe state; one that is active"
    " already changes nothing. Alone in its frame.",
)
DECIDE = MessageType(
    0x11,
    "decide",
    Direction.COMMAND,
    _fields(
        ("part", "u32", "as in `trigger`"),
        ("verdict", "u8", "a verdict code"),
    ),
    "The verdict on one part. Ignored and counted after the point of no return; it never fires"
    " anything in the past.",
)
CLEAR = MessageType(
    0x12,
    "clear",
    Direction.COMMAND,
    _fields(("reason", "u8", "the safe state's reason, as the host knows it")),
    "Leaves the safe state. Refused when the reason is another one, so that nobody clears what"
    " they have not seen. Alone in its frame.",
)
REJECT_TEST = MessageType(
    0x13,
    "reject_test",
    Direction.COMMAND,
    _fields(("pulse_us", "u32", "at most `maximum_on_us`")),
    "One pulse for commissioning. Refused while parts are in flight. Alone in its frame.",
)
RELEASE = MessageType(
    0x14,
    "release",
    Direction.COMMAND,
    (),
    "The host leaves on purpose: safe state at once, without waiting for the heartbeat. Alone in"
    " its frame.",
)
HANG = MessageType(
    0x15,
    "hang",
    Direction.COMMAND,
    _fields(("key", "u32", f"{HANG_KEY:#010x}"), ("interrupts", "u8", "0: off, 1: on")),
    "Hangs the firmware, to prove the watchdog at commissioning. Alone in its frame.",
)

IDENTITY = MessageType(
    0x81,
    "identity",
    Direction.REPORT,
    _fields(
        ("magic", "bytes4", "`GATE`"),
        ("protocol", "u8", "version of this table"),
        ("major", "u8", "firmware version"),
        ("minor", "u8", "firmware version"),
        ("patch", "u8", "firmware version"),
        ("board", "u8", "1: Arduino Uno or Nano"),
        ("reset_cause", "u8", "why the MCU started"),
        ("build", "bytes8", "first bytes of the SHA-256 over the sources it was built from"),
        ("configuration", "u32", "CRC-32 of the active configuration, 0: none"),
        ("session", "u32", "the session it is in, 0: none since the reset"),
    ),
    "Who the MCU is. Sent once at start without being asked, so that a reset is known at once.",
)
CONNECTED = MessageType(
    0x82,
    "connected",
    Direction.REPORT,
    _fields(
        ("session", "u32", "as asked for"),
        ("next_part", "u32", "number of the first part of this session"),
    ),
    "The session is open.",
)
ACK = MessageType(
    0x83,
    "ack",
    Direction.REPORT,
    _fields(
        ("number", "u8", "the numbered frame that this answers"),
        ("result", "u8", "a result code"),
        ("detail", "u8", "see the result"),
    ),
    "A numbered frame was executed or refused; sent again, unchanged, for each repetition.",
)
PONG = MessageType(
    0x84,
    "pong",
    Direction.REPORT,
    _fields(
        ("token", "u16", "of the `ping`"),
        ("received_at", "u32", "MCU clock, when the ping was read"),
        ("turnaround", "u16", "ticks from then until the first byte of this answer"),
        ("reason", "u8", "of the safe state, 0: running"),
        ("action", "u8", "what the safe state does"),
        ("next_part", "u32", "number that the next part will get"),
        ("open_part", "u32", "first part without an outcome"),
        ("encoder", "i32", "encoder count"),
        ("unlatched", "u16", "triggers that found 32 parts in flight, since the start"),
    ),
    "The MCU is alive; what the host may have missed shows in the part numbers.",
)
COUNTERS = MessageType(
    0x85,
    "counters",
    Direction.REPORT,
    _fields(
        ("bad_frames", "u16", "checksum, length or content wrong"),
        ("overruns", "u16", "bytes lost because the receive buffer was full"),
        ("ignored_edges", "u16", "trigger edges within the dead time"),
        ("late_commands", "u16", "verdicts for parts that were decided, gone or unknown"),
        ("confirmed", "u16", "confirmations seen in time"),
        ("loop_us", "u16", "longest pass of the main loop, since the last of these"),
        ("free_bytes", "u16", "RAM that the stack has never touched"),
    ),
    "For diagnosis; all since the start, modulo 65,536, except where it says otherwise.",
)
TRIGGER = MessageType(
    0x86,
    "trigger",
    Direction.REPORT,
    _fields(
        ("part", "u32", "counts from 1 at the start of the MCU"),
        ("triggered_at", "u32", "MCU clock at the edge"),
        ("encoder", "i32", "encoder count at the edge"),
    ),
    "A part has passed the photo-eye.",
)
OUTCOME = MessageType(
    0x87,
    "outcome",
    Direction.REPORT,
    _fields(
        ("part", "u32", "as in `trigger`"),
        ("kind", "u8", "an outcome code"),
        ("flags", "u8", "outcome flags"),
        ("fired_at", "u32", "MCU clock at the rising edge of the gate, if fired"),
        ("error", "i8", "of that edge: ticks with a delay, counts with a distance; saturated"),
    ),
    "What became of a part. Outcomes come in the order of the parts.",
)
STATE = MessageType(
    0x88,
    "state",
    Direction.REPORT,
    _fields(
        ("reason", "u8", "of the safe state, 0: running"),
        ("action", "u8", "what the safe state does"),
        ("since", "u32", "MCU clock"),
        ("part", "u32", "the part that led to it, 0: none"),
    ),
    "Sent when the safe state is entered, escalated or left; `pong` repeats the gist.",
)

MESSAGES = (
    IDENTIFY,
    CONNECT,
    PING,
    ASK,
    ASK_COUNTERS,
    CONFIGURE,
    DECIDE,
    CLEAR,
    REJECT_TEST,
    RELEASE,
    HANG,
    IDENTITY,
    CONNECTED,
    ACK,
    PONG,
    COUNTERS,
    TRIGGER,
    OUTCOME,
    STATE,
)

_BY_CODE = {kind.code: kind for kind in MESSAGES}


def make(kind: MessageType, /, **values: int | bytes) -> Message:
    """A message from the values of its fields, all of them, by name."""
    if unknown := values.keys() - {field.name for field in kind.fields}:
        raise KeyError(f"{kind.name} has no field {', '.join(sorted(unknown))}")
    return Message(kind, tuple(values[field.name] for field in kind.fields))


def decode(content: bytes) -> list[Message] | None:
    """The messages in a frame's content, or None where it is not whole messages of this table."""
    messages, position = [], 0
    while position < len(content):
        kind = _BY_CODE.get(content[position])
        if kind is None or position + kind.size > len(content):
            return None
        messages.append(Message(kind, kind.layout.unpack_from(content, position + 1)))
        position += kind.size
    return messages
