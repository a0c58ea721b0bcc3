"""From the distances of the patches to a smooth map, its median and its peak, in one call.

There are a thousand patches, so that each step is a matter of microseconds, and half a dozen calls
of OpenCV and NumPy take longer to be entered than to do it.

Bounds, for n patches and a Gaussian of k taps: 2 k n products and sums in vectors, and for the
median two passes of n counts.
"""

from __future__ import annotations

import numpy as np

from kernels.compiled import inlined, scratch_kernel
from kernels.errors import ShapeError

_BINS = 512
_MOST_OFF = 1.5


def gaussian(sigma: float) -> np.ndarray:
    """The taps of a Gaussian, float32, four deviations to either side, 1 in sum."""
    reach = max(1, round(4 * sigma))
    at = np.arange(-reach, reach + 1)
    taps = np.exp(-0.5 * (at / sigma) ** 2)
    return (taps / taps.sum()).astype(np.float32)


def anomaly_map(
    distances: np.ndarray, taps: np.ndarray, place: np.ndarray, usual_median: float = 0.0
) -> tuple[np.ndarray, float, float]:
    """Smooth distances, weigh them by their place, and allow for a picture that is off as a whole.

    Args:
        distances: (rows, columns) of any number type, none below 0.
        taps: float32, an odd number of them, as :func:`gaussian` gives them; beyond its edges, the
            map is mirrored at its outermost patches (OpenCV's ``BORDER_REFLECT_101``).
        place: float32 (rows, columns), what the result is divided by.
        usual_median: what the result is divided by, too: how many times this its median is, between
            1 / 1.5 and 1.5. 0 if by nothing.

    Returns:
        float32 (rows, columns); its median before the latter, as ``np.median`` gives it; and its
        highest value.

    Raises:
        ShapeError: if there are no distances, or ``place`` is not of their shape.
    """
    if distances.ndim != 2 or not distances.size or place.shape != distances.shape:
        raise ShapeError(f"no map of distances {distances.shape} in places {place.shape}")
    out = np.empty(distances.shape, np.float32)
    median, highest = _anomaly_map(distances, taps, place, usual_median, out)
    return out, median, highest


@scratch_kernel
def _anomaly_map(distances, taps, place, usual_median, out):
    rows, columns = distances.shape
    reach = taps.shape[0] // 2
    pitch = columns + 2 * reach
    # Rows mirrored into wider ones, end to end: sums over taps are then over long vectors.
    wide = np.empty((rows + 2 * reach) * pitch, np.float32)
    for row in range(rows + 2 * reach):
        source = distances[_mirrored(row - reach, rows)]
        line = wide[row * pitch : (row + 1) * pitch]
        for column in range(columns):
            line[reach + column] = np.float32(source[column])
        for beyond in range(1, reach + 1):
            line[reach - beyond] = line[reach + _mirrored(-beyond, columns)]
            line[pitch - 1 - reach + beyond] = line[
                reach + _mirrored(columns - 1 + beyond, columns)
            ]
    summed = _sums(wide, taps, pitch, rows * pitch)
    smooth = _sums(summed, taps, 1, rows * pitch - 2 * reach)
    for row in range(rows):
        line, target, weight = smooth[row * pitch : row * pitch + columns], out[row], place[row]
        for column in range(columns):
            target[column] = line[column] / weight[column]
    values = out.reshape(out.size)
    median, highest = _middle_and_highest(values)
    if usual_median > 0:
        off = np.float32(min(max(median / usual_median, 1 / _MOST_OFF), _MOST_OFF))
        for patch in range(values.size):
            values[patch] /= off
        highest /= off
    return median, np.float64(highest)


@scratch_kernel
def _sums(values, taps, step, length):
    # of values a step apart, times the taps
    sums = np.zeros(length, np.float32)
    for tap in range(taps.shape[0]):
        factor, shifted = taps[tap], values[tap * step : tap * step + length]
        for place in range(length):
            sums[place] += factor * shifted[place]
    return sums


@inlined
def _mirrored(place, length):
    last = length - 1
    if last == 0:
        return 0
    place = abs(place) % (2 * last)
    return min(place, 2 * last - place)


@scratch_kernel
def _middle_and_highest(values):
    # Floats that are not negative are in the order of their bits, and integers compare in vectors.
    bits = values.view(np.int32)
    most = np.zeros(1, np.int32)
    for place in range(bits.size):
        most[0] = max(most[0], bits[place])
    highest = most.view(np.float32)[0]
    # Values are counted in bins; only those in the bins around the middle are put in order.
    counts = np.zeros(_BINS, np.int32)
    scale = np.float32(_BINS - 1) / max(highest, np.float32(1e-30))
    for value in values:
        counts[_bin(value, scale)] += 1
    above = values.size // 2  # the rank of the upper of the two in the middle
    below = above - 1 + values.size % 2
    first, before = 0, 0
    while before + counts[first] <= below:
        before += counts[first]
        first += 1
    last, until = first, before + counts[first]
    while until <= above:
        last += 1
        until += counts[last]
    middle = np.empty(until - before, np.float32)
    found = 0
    for value in values:
        if first <= _bin(value, scale) <= last:
            middle[found] = value
            found += 1
    middle.sort()
    median = (np.float64(middle[below - before]) + np.float64(middle[above - before])) / 2
    return median, highest


@inlined
def _bin(value, scale):
    # Of what should not be there, below 0 or no number, none may be counted outside the bins.
    return min(max(np.int32(value * scale), 0), _BINS - 1)
