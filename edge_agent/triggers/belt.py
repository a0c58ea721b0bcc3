"""What the empty belt looks like, learnt while the line runs.

At the start the belt is, pixel by pixel, the grey level that the pixel had most often (the middle
of the narrowest range that holds a quarter of its values). A belt looks the same all the time and
parts look like many things, so this is right even on a line that is more part than belt, and even
if the very first picture shows a part. Later, what looks like belt is followed quickly, since
lighting drifts; what does not moves the belt by a few grey levels per second at most (a running
median: McFarlane and Schofield, 1995): a part that passes leaves no trace, and what stays for good
becomes belt.
"""

from __future__ import annotations

import numpy as np

_SAMPLES = 64
_STRIDES = (1, 4, 16)
_QUARTER = 4
_FOLLOW = 0.05
_STAYS_S = 20.0


class Belt:
    """The empty belt; feed it small grey pictures, always of the same size.

    Args:
        sensitivity: grey levels by which a pixel must differ from the belt.
        empty: uint8 (h, w), a picture of the empty belt, if there is one; it is then not learnt at
            the start, and a line may be as dense as it likes.
    """

    def __init__(self, sensitivity: int, empty: np.ndarray | None = None) -> None:
        self._sensitivity = sensitivity
        self._samples: list[np.ndarray] = []
        self._stage = 0 if empty is None else len(_STRIDES)
        self._frames = 0
        self._level = np.zeros((0, 0)) if empty is None else empty.astype(np.float32)
        self._seen_at_ns = 0

    def foreground(self, grey: np.ndarray, at_ns: int) -> np.ndarray:
        """Where a picture differs from the belt; also learns from it.

        Args:
            grey: uint8 (h, w).
            at_ns: when it was taken, monotonic.

        Returns:
            uint8 (h, w), 1 where something lies on the belt.
        """
        if self._stage < len(_STRIDES):
            self._start(grey)
        difference = grey - self._level
        above = np.abs(difference) > self._sensitivity
        step = self._sensitivity / _STAYS_S * max(0, at_ns - self._seen_at_ns) / 1e9
        self._seen_at_ns = at_ns
        self._level += np.where(above, np.clip(difference, -step, step), _FOLLOW * difference)
        return above.astype(np.uint8)

    def _start(self, grey: np.ndarray) -> None:
        # Dense samples first, for an answer at once; sparser ones later, in case the line is slow.
        self._frames += 1
        if self._frames % _STRIDES[self._stage]:
            return
        self._samples.append(grey)
        count = len(self._samples)
        if count == _SAMPLES or (self._stage == 0 and count & (count - 1) == 0):
            self._level = _most_frequent(np.stack(self._samples))
        if count == _SAMPLES:
            self._samples, self._stage, self._frames = [], self._stage + 1, 0


def _most_frequent(pictures: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w) -> float32 (h, w): the middle of the narrowest range with a quarter of n."""
    ordered = np.sort(pictures, axis=0).astype(np.float32)
    width = max(1, len(ordered) // _QUARTER)
    spans = ordered[width - 1 :] - ordered[: len(ordered) - width + 1]
    first = spans.argmin(axis=0)[None]
    low = np.take_along_axis(ordered, first, axis=0)[0]
    high = np.take_along_axis(ordered, first + width - 1, axis=0)[0]
    return (low + high) / 2
