"""How colourful a picture is, so that a camera that falls back to grey does not go unnoticed."""

from __future__ import annotations

import numpy as np

_STEP = 8
_CLEARLY_COLOURED = 10.0
_COLOURLESS = 0.25  # of the least colourful good part


def chroma(image: np.ndarray) -> float:
    """Highest less lowest channel, averaged over every eighth pixel of every eighth row.

    Args:
        image: uint8 (h, w, 3), or (h, w) grey.

    Returns:
        0 (grey) .. 255.
    """
    if image.ndim == 2:
        return 0.0
    pixels = image[::_STEP, ::_STEP]
    blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    high = np.maximum(np.maximum(blue, green), red)
    low = np.minimum(np.minimum(blue, green), red)
    return float((high - low).mean())


def colourless_below(taught: np.ndarray) -> float:
    """Below which chroma a picture has lost the colour that good parts have.

    Args:
        taught: float64 (n,), chroma of the good pictures.

    Returns:
        A chroma; 0 where good pictures are not clearly coloured, all of them.
    """
    least = float(taught.min())
    return _COLOURLESS * least if least >= _CLEARLY_COLOURED else 0.0
