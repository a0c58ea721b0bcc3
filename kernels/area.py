"""Shrinking a picture: each pixel becomes the mean of the area that it covers in the larger one.

What OpenCV calls INTER_AREA, in a quarter to a seventh of its time for colour unless the factors
are whole: a camera's picture is mostly larger than what the network reads, and to shrink one of
1280 x 960 pixels took longer than the network.

Rows are summed first, each over its whole length: a byte to a float, a product, a sum, in vectors
and from memory that lies in a row. What is uneven, the steps across, is left for one row of sums
per row of the result. Bounds, for H x W pixels to h x w: H W 3 bytes read once, H W 3 products
down in vectors, h W 3 products across, a pixel at a time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kernels.buffers import buffer_of
from kernels.compiled import kernel
from kernels.errors import ShapeError
from kernels.pixel import add_share, all_of, store_rounded_down

_HALF = np.float32(0.5)


def shrink(image: np.ndarray, height: int, width: int, out: np.ndarray | None = None) -> np.ndarray:
    """Mean of areas, halves rounded up.

    Args:
        image: uint8 (h, w, 3) or (h, w); a part of a larger one is read where it lies.
        height: of the result, 1 .. h.
        width: of the result, 1 .. w.
        out: contiguous, of the result's shape, written; a new array if absent.

    Returns:
        uint8 (height, width, 3) or (height, width).

    Raises:
        ShapeError: if the result is not smaller, the image is none, or ``out`` not like the result.
    """
    if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ShapeError(f"no image to shrink: {image.dtype} {image.shape}")
    if not (1 <= height <= image.shape[0] and 1 <= width <= image.shape[1]):
        raise ShapeError(f"{image.shape[:2]} cannot shrink to {(height, width)}")
    out = buffer_of((height, width, *image.shape[2:]), out)
    lines = image.reshape(len(image), -1)
    down, across = _shares(image.shape[0], height), _shares(image.shape[1], width)
    _shrink(lines, *down, *across, 1 if image.ndim == 2 else 3, out.reshape(height, -1))
    return out


@lru_cache(maxsize=64)
def _shares(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``length`` pixels each of ``count`` larger ones covers, and how much of it.

    Returns:
        uint64 (count,), the first; float32 (count, k), what share of the larger one it and those
        that follow are, 1 in all.
    """
    scale = length / count
    most = min(length, int(np.ceil(scale)) + 1)
    begin = np.arange(count) * scale
    first = np.minimum(begin.astype(np.int64), length - most)
    pixels = first[:, None] + np.arange(most)
    ends = np.minimum(pixels + 1, begin[:, None] + scale)
    covered = np.maximum(ends - np.maximum(pixels, begin[:, None]), 0)
    # Unsigned, or every access would ask whether it counts from the end.
    return first.astype(np.uint64), (covered / scale).astype(np.float32)


@kernel
def _shrink(lines, top, down, left, across, channels, out):
    # lines uint8 (h, channels * w), rows may lie apart; out uint8 (height, channels * width)
    # Colours are summed and stored as four numbers, the last for nothing: rows have room for it.
    sums = np.empty(lines.shape[1] + 1, np.float32)
    line = np.empty(out.shape[1] + 1, np.uint8)
    for row in range(out.shape[0]):
        _sum_of_rows(lines, top[row], down[row], sums)
        if across.shape[1] == 3:
            _across(sums, left, across, (0, 0, 0), channels, line)
        elif across.shape[1] == 4:
            _across(sums, left, across, (0, 0, 0, 0), channels, line)
        elif across.shape[1] == 5:
            _across(sums, left, across, (0, 0, 0, 0, 0), channels, line)
        else:
            _across(sums, left, across, (), channels, line)
        for place in range(out.shape[1]):
            out[row, place] = line[place]


@kernel
def _across(sums, left, across, taps, channels, line):
    # As many taps as the tuple has, which unrolls the loops; of an empty one, any number.
    if channels == 3:
        for column in range(across.shape[0]):
            mean = all_of(_HALF)
            place = 3 * left[column]
            for tap in range(len(taps) or across.shape[1]):
                mean = add_share(mean, across[column, tap], sums, place + 3 * tap)
            store_rounded_down(line, 3 * column, mean)
    else:
        for column in range(across.shape[0]):
            grey = _HALF
            for tap in range(len(taps) or across.shape[1]):
                grey += across[column, tap] * sums[left[column] + np.uint64(tap)]
            line[column] = np.uint8(grey)


@kernel
def _sum_of_rows(lines, top, shares, sums):
    values = lines.shape[1]
    sums[:] = np.float32(0)
    for number in range(shares.shape[0]):
        share = shares[number]
        if share > 0:
            line = lines[top + np.uint64(number)]
            for place in range(values):
                sums[place] += share * np.float32(line[place])
