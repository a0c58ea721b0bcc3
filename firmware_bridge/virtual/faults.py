"""A bad wire: damages, loses and doubles bytes, repeats and reorders frames."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from firmware_bridge.wire.frames import DELIMITER


@dataclass
class FaultyWire:
    """One direction of a wire. Its faults may be changed at any time.

    Attributes:
        random: decides; seeded, the same faults come again.
        damage: share of bytes that are changed, lost or doubled.
        repeat: share of frames that arrive twice.
        reorder: share of frames that arrive after the next one.
        damaged: bytes that were damaged so far.
    """

    random: random.Random
    damage: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    damaged: int = 0
    _begun: bytes = field(default=b"", repr=False)
    _held: bytes = field(default=b"", repr=False)

    def carry(self, data: bytes) -> bytes:
        """What arrives of these bytes; a frame that is not whole yet may be kept until it is."""
        if self.repeat or self.reorder:
            data = b"".join(self._shuffle(frame) for frame in self._whole_frames(data))
        elif self._begun or self._held:
            data, self._begun, self._held = self._held + self._begun + data, b"", b""
        if self.damage:
            data = b"".join(self._damage(byte) for byte in data)
        return data

    def _whole_frames(self, data: bytes) -> list[bytes]:
        delimiter = bytes([DELIMITER])
        *pieces, self._begun = (self._begun + data).split(delimiter)
        return [delimiter + piece + delimiter for piece in pieces if piece]

    def _shuffle(self, frame: bytes) -> bytes:
        if self._held:
            frame, self._held = frame + self._held, b""
        elif self.random.random() < self.reorder:
            self._held = frame
            return b""
        if self.random.random() < self.repeat:
            frame += frame
        return frame

    def _damage(self, byte: int) -> bytes:
        if self.random.random() >= self.damage:
            return bytes([byte])
        self.damaged += 1
        kind = self.random.randrange(3)
        if kind == 0:
            return b""
        if kind == 1:
            return bytes([byte, byte])
        return bytes([byte ^ self.random.randrange(1, 256)])
