"""How bright a picture is, and a picture made brighter or darker.

Bounds, for n values: one load, one product, one store, in vectors; for the light a sixteenth of
the pixels, one value each.
"""

from __future__ import annotations

import numpy as np

from kernels.buffers import buffer_of
from kernels.compiled import kernel, scratch_kernel
from kernels.errors import ShapeError
from kernels.vectors import (
    LANES,
    add,
    load_bytes,
    minimum,
    multiply_rounding,
    repeat,
    store_bytes,
)

_EVERY = 4
_SHARE = 0.9
_UNITS = 1 << 14

GAIN_LIMIT = 32767 / _UNITS
"""What a gain, in units of 2**-14, may be to fit into 16 bits."""


def light_of(image: np.ndarray) -> int:
    """What a tenth of a picture is brighter than.

    Args:
        image: uint8 (h, w) or (h, w, 3).

    Returns:
        0 .. 255; of green, if there are colours, for it is most of brightness.
    """
    # Every fourth pixel of every fourth row tells as much as all of them.
    sample = image[::_EVERY, ::_EVERY, 1] if image.ndim == 3 else image[::_EVERY, ::_EVERY]
    return int(_quantile(sample, np.int64(np.ceil(_SHARE * sample.size))))


def brightened(image: np.ndarray, gain: float, out: np.ndarray | None = None) -> np.ndarray:
    """A picture made brighter, or darker.

    Args:
        image: uint8 (h, w) or (h, w, 3); stays as it is.
        gain: what its values are multiplied by, 0 to :data:`GAIN_LIMIT`, to within 2**-15; 255 is
            the most that comes out.
        out: of its shape and contiguous, written unless the gain is 1; a new array if absent.

    Returns:
        The picture itself if the gain is 1, else ``out``.

    Raises:
        ShapeError: if the image is none, or ``out`` is not like it.
        ValueError: if the gain is out of range.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ShapeError(f"no image to brighten: {image.dtype} {image.shape}")
    if gain == 1:
        return image
    if not 0 <= gain <= GAIN_LIMIT:
        raise ValueError(f"a gain lies between 0 and {GAIN_LIMIT:.2g}, not {gain}")
    out = buffer_of(image.shape, out)
    steps = np.int16(round(gain * _UNITS))
    _brighten(image.reshape(len(image), -1), steps, out.reshape(len(out), -1))
    return out


@scratch_kernel
def _quantile(sample, count):
    # the lowest value that ``count`` of the sample, uint8 (h, w), do not exceed
    counts = np.zeros(256, np.int64)
    for row in range(sample.shape[0]):
        for column in range(sample.shape[1]):
            counts[sample[row, column]] += 1
    value, seen = 0, counts[0]
    while seen < count:
        value += 1
        seen += counts[value]
    return value


@kernel
def _brighten(lines, gain, out):
    # both uint8 (h, n); gain int16, in units of 2**-14. Twice a value times that, rounded to the
    # nearest multiple of 2**15: the one product that vectors of 16 bits round for themselves.
    factor, most = repeat(gain), repeat(np.int16(255))
    length = lines.shape[1]
    for row in range(lines.shape[0]):
        line, target = lines[row], out[row]
        if length < LANES:
            for place in range(length):
                product = 2 * np.int64(line[place]) * gain
                target[place] = min((product + (1 << 14)) >> 15, 255)
            continue
        for step in range(0, length, LANES):
            place = min(step, length - LANES)  # the last vector may write again what is written
            value = load_bytes(line, place)
            value = multiply_rounding(add(value, value), factor)
            store_bytes(target, place, minimum(value, most))
