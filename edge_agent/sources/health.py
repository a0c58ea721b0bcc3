"""Whether a camera's images show anything: black and frozen ones do not."""

from __future__ import annotations

import zlib

import numpy as np

from edge_agent.frame import Frame

_STEP = 8
_DARK = 12
_BAD_IN_A_ROW = 10


class FrameHealth:
    """Watches the frames of one camera.

    A sensor's noise makes any two images of a real scene differ: equal bytes, ten times in a row,
    mean a driver that repeats its last buffer. Looks at every eighth pixel in each direction.
    """

    def __init__(self) -> None:
        self._checksum = -1
        self._frozen = 0
        self._dark = 0

    def is_black(self, frame: Frame) -> bool:
        """Whether this frame shows nothing; also takes note of it."""
        sample = np.ascontiguousarray(frame.image[::_STEP, ::_STEP])
        checksum = zlib.crc32(sample.tobytes())
        self._frozen = self._frozen + 1 if checksum == self._checksum else 0
        self._checksum = checksum
        black = bool(sample.max() < _DARK)
        self._dark = self._dark + 1 if black else 0
        return black

    @property
    def problem(self) -> str | None:
        """A sentence once enough frames in a row were bad."""
        if self._dark >= _BAD_IN_A_ROW:
            return "the camera delivers black images: check the lens cap, the light, the exposure"
        if self._frozen >= _BAD_IN_A_ROW:
            return "the camera delivers the same image again and again: it is frozen"
        return None
