"""Where a kernel writes a picture: what the caller owns, or a new array."""

from __future__ import annotations

import numpy as np

from kernels.errors import ShapeError


def buffer_of(shape: tuple[int, ...], out: np.ndarray | None) -> np.ndarray:
    """The caller's array, or a new one.

    Args:
        shape: of the picture.
        out: uint8, contiguous, of that shape; None for a new one.

    Raises:
        ShapeError: if the caller's is none of that.
    """
    if out is None:
        return np.empty(shape, np.uint8)
    if out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ShapeError(f"{out.dtype} {out.shape} cannot take a picture of {shape}")
    return out
