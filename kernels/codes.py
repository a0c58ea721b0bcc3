"""Codes: the bits that leave a network, one array per grid of patches.

A *patch* is a position of the finest grid. Its bits are those of that grid, followed by those of
the coarser patches that it lies under: local detail and surroundings in one string.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.bits import words_for
from kernels.errors import ShapeError
from kernels.network import Embedding, Network


def gather(codes: Sequence[np.ndarray]) -> np.ndarray:
    """The strings of bits of all patches.

    Args:
        codes: finest first, uint64 (rows / n, columns / n, words) each, n = 1 for the first.

    Returns:
        uint64 (rows, columns, words of all of them), C-contiguous.

    Raises:
        ShapeError: if these are no codes of one picture.
    """
    check_codes(codes)
    rows, columns, _ = codes[0].shape
    out = np.empty((rows, columns, sum(code.shape[2] for code in codes)), np.uint64)
    start = 0
    for code in codes:
        times = rows // code.shape[0]
        end = start + code.shape[2]
        for i in range(times):
            for j in range(times):
                out[i::times, j::times, start:end] = code
        start = end
    return out


def by_grid(codes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Codes of the same grid side by side.

    Args:
        codes: of embeddings, finest first, uint64 (rows, columns, words) each.

    Returns:
        One array per size of the grid, C-contiguous.
    """
    grids: dict[tuple[int, ...], list[np.ndarray]] = {}
    for code in codes:
        grids.setdefault(code.shape[:2], []).append(code)
    return [np.ascontiguousarray(np.concatenate(parts, axis=2)) for parts in grids.values()]


class Room:
    """Memory for the codes of a picture, allocated once, into which embeddings write theirs.

    Args:
        network: whose embeddings.
        height, width: of the pictures, in pixels.

    Attributes:
        codes: one array per grid, as :func:`by_grid` gives them.
    """

    def __init__(self, network: Network, height: int, width: int) -> None:
        words = dict.fromkeys(network.spacings, 0)
        for layer in network.embeddings:
            words[layer.spacing] += words_for(layer.bits)
        self.codes = [
            np.empty((height // spacing, width // spacing, count), np.uint64)
            for spacing, count in words.items()
        ]
        self._of_spacing = dict(zip(words, self.codes, strict=True))
        self._next_word = dict.fromkeys(words, 0)

    def take(self, layer: Embedding) -> tuple[np.ndarray, int]:
        """Where the next embedding writes: the array of its grid, and its first word there."""
        word = self._next_word[layer.spacing]
        self._next_word[layer.spacing] += words_for(layer.bits)
        return self._of_spacing[layer.spacing], word


def check_codes(codes: Sequence[np.ndarray]) -> None:
    """Raises ShapeError if these are no codes of one picture."""
    if not codes or any(code.ndim != 3 or code.dtype != np.uint64 for code in codes):
        raise ShapeError("codes are uint64 (rows, columns, words), one per grid")
    rows, columns, _ = codes[0].shape
    for code in codes:
        times = rows // code.shape[0] if code.shape[0] else 0
        if (code.shape[0] * times, code.shape[1] * times) != (rows, columns):
            raise ShapeError(
                f"a grid of {code.shape[0]} x {code.shape[1]} patches does not lie evenly over one"
                f" of {rows} x {columns}"
            )
