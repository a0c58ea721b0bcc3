"""Frames: how messages travel through a stream of bytes that may be damaged.

::

    0x00 | COBS( length | sequence | content | CRC-16 high | CRC-16 low ) | 0x00

COBS leaves no zero inside, so every zero is a boundary: whatever happens on the wire, the parser
is in step again at the next one, and one damaged byte costs one frame, or two if it was a zero.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

MAXIMUM_LENGTH = 52
"""Of a frame before stuffing: length, sequence, content and CRC; what the longest message needs."""

OVERHEAD = 4
"""Bytes of a frame that are not content."""

MAXIMUM_CONTENT = MAXIMUM_LENGTH - OVERHEAD

WIRE_OVERHEAD = 3
"""Two delimiters and one byte of stuffing: a frame on the wire is this much longer."""

DELIMITER = 0
CRC_START = 0xFFFF


@dataclass(frozen=True)
class Frame:
    """A frame that has arrived whole.

    Attributes:
        sequence: 0 for a query, 1 .. 255 for a command; in reports a running number.
        content: messages, one after the other.
    """

    sequence: int
    content: bytes

    def encode(self) -> bytes:
        """The frame as it goes on the wire.

        Raises:
            ValueError: the content is longer than a frame may be.
        """
        if len(self.content) > MAXIMUM_CONTENT:
            raise ValueError(
                f"{len(self.content)} bytes of content; a frame takes {MAXIMUM_CONTENT}"
            )
        body = bytes([len(self.content) + OVERHEAD, self.sequence]) + self.content
        body += crc_hqx(body, CRC_START).to_bytes(2, "big")
        return bytes([DELIMITER]) + stuff(body) + bytes([DELIMITER])


def stuff(body: bytes) -> bytes:
    """Consistent overhead byte stuffing, for less than 254 bytes."""
    stuffed = bytearray()
    for run in body.split(b"\0"):
        stuffed.append(len(run) + 1)
        stuffed += run
    return bytes(stuffed)


def unstuff(stuffed: bytes) -> bytes | None:
    """The reverse of ``stuff``; None where it cannot have come from there."""
    body = bytearray()
    position = 0
    while position < len(stuffed):
        following = position + stuffed[position]
        if following > len(stuffed):
            return None
        body += stuffed[position + 1 : following]
        if following < len(stuffed):
            body.append(0)
        position = following
    return bytes(body)


class FrameParser:
    """Finds frames in a stream of bytes, however it is cut into pieces.

    One instance per direction; not for several threads.

    Attributes:
        frames: how many arrived whole.
        errors: how many pieces between two delimiters were no frame.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.errors = 0
        self._pending = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame]:
        """All frames that end within this piece."""
        found = []
        *pieces, rest = data.split(b"\0")
        for piece in pieces:
            self._take(piece)
            if frame := self._end():
                found.append(frame)
        self._take(rest)
        return found

    def reset(self) -> None:
        """Forgets a frame that has begun, e.g. when the port is opened again."""
        self._pending.clear()
        self._overlong = False

    def _take(self, piece: bytes) -> None:
        self._pending += piece
        if len(self._pending) > MAXIMUM_LENGTH + 1:
            self._overlong = True
            self._pending.clear()

    def _end(self) -> Frame | None:
        pending, overlong = bytes(self._pending), self._overlong
        self.reset()
        if not pending and not overlong:
            return None
        body = None if overlong else unstuff(pending)
        if (
            body is None
            or not OVERHEAD <= len(body) <= MAXIMUM_LENGTH
            or body[0] != len(body)
            or crc_hqx(body, CRC_START) != 0
        ):
            self.errors += 1
            return None
        self.frames += 1
        return Frame(body[1], body[2:-2])
