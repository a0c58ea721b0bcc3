"""Bits packed along channels.

Channel ``c`` of a position lies in word ``c // 64`` at bit ``c % 64``; a set bit means +1, a clear
bit means -1. One uint64 word therefore holds 64 channels of one position, and an NHWC map of C
channels becomes an array (..., C / 64).
"""

from __future__ import annotations

import numpy as np

from kernels.errors import ShapeError

WORD_BITS = 64


def words_for(channels: int) -> int:
    """Words that hold ``channels`` bits.

    Raises:
        ShapeError: if channels is not a positive multiple of 64.
    """
    if channels <= 0 or channels % WORD_BITS:
        raise ShapeError(
            f"{channels} channels do not fill words of {WORD_BITS} bits:"
            f" use a multiple of {WORD_BITS}"
        )
    return channels // WORD_BITS


def pack(bits: np.ndarray) -> np.ndarray:
    """Pack truth values along the last axis.

    Args:
        bits: bool or integer array (..., C), C a multiple of 64; non-zero is a set bit.

    Returns:
        uint64 array (..., C / 64), C-contiguous.
    """
    words_for(bits.shape[-1])
    octets = np.packbits(np.ascontiguousarray(bits != 0), axis=-1, bitorder="little")
    # Stored as little-endian words whatever the host, so that files are portable.
    return octets.view("<u8").astype(np.uint64, copy=False)


def unpack(words: np.ndarray) -> np.ndarray:
    """Undo :func:`pack`.

    Args:
        words: uint64 array (..., W).

    Returns:
        bool array (..., 64 * W).
    """
    octets = np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little").astype(bool)
