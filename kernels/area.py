"""Shrinking a picture: each pixel becomes the mean of the area that it covers in the larger one.

What OpenCV calls INTER_AREA, in a seventh to a ninth of its time for colour unless the factors
are whole. A camera's picture is mostly larger than what the network reads, and to shrink one of
1280 x 960 pixels took longer than the network.

Rows are summed first, each over its whole length: a byte to a float, a product, a sum, in vectors
and from memory that lies in a row. What is uneven, the steps across, is left for one row of sums
per row of the result. With AVX-512 sixteen numbers of that are picked at once; elsewhere a colour
pixel is a vector, and grey takes one number after another. Bounds, for H x W pixels to h x w:
H W 3 bytes read once, H W 3 products down and h W 3 across, and some more of each, for areas begin
and end within pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.buffers import buffer_of
from kernels.compiled import implements, inlined, kernel, scratch_kernel
from kernels.errors import ShapeError
from kernels.floats import (
    add_picked,
    add_share,
    add_share_of_bytes,
    all_of_pixel,
    all_of_sixteen,
    store_floats,
    store_pixel,
    store_sixteen,
)
from kernels.prefetch import prefetch, rows_ahead
from kernels.vectors import WIDE_REGISTERS, aligned

_HALF = np.float32(0.5)
_LANES = 16
_FOUR = 4 * _LANES  # values whose sums are made at once: the loop over rows costs as much as one
_IN_REACH = 2 * _LANES  # neighbouring numbers, of which one instruction picks sixteen
_MOST_PICKED_FROM = 2.4  # values for one: of more, too few are in reach for a vector to be worth it


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
    channels = 1 if image.ndim == 2 else 3
    down = _covered(image.shape[0], height)
    few_in_reach = channels == 3 and image.shape[1] > _MOST_PICKED_FROM * width
    if WIDE_REGISTERS and not few_in_reach:
        across: _Covered | _Picks = _picks(image.shape[1], width, channels)
    else:
        across = _covered(image.shape[1], width)
    _shrink(_lines(image), down, across, channels, out.reshape(height, -1))
    return out


def _lines(image: np.ndarray) -> np.ndarray:
    """Rows of values side by side; the rows themselves may lie apart."""
    lines = image.reshape(len(image), -1)
    return lines if lines.strides[1] == 1 else np.ascontiguousarray(lines)


class _Covered(NamedTuple):
    """Which pixels each of fewer, larger ones covers along one side.

    Attributes:
        first: uint64 (n,); unsigned, or every access would ask whether it counts from the end.
        shares: float32 (n, taps), what share of the larger pixel it and those that follow are, 1 in
            all.
    """

    first: np.ndarray
    shares: np.ndarray


@lru_cache(maxsize=64)
def _covered(length: int, count: int) -> _Covered:
    scale = length / count
    most = min(length, int(np.ceil(scale)) + 1)
    begin = np.arange(count) * scale
    first = np.minimum(begin.astype(np.int64), length - most)
    pixels = first[:, None] + np.arange(most)
    ends = np.minimum(pixels + 1, begin[:, None] + scale)
    covered = np.maximum(ends - np.maximum(pixels, begin[:, None]), 0)
    return _Covered(first.astype(np.uint64), (covered / scale).astype(np.float32))


class _Picks(NamedTuple):
    """How sixteen values of a result's row come from a row of sums.

    Attributes:
        to: int64 (n,), the first of the sixteen in the result. Where the next sixteen begin before
            these end, they write again what was not in reach.
        first: int64 (n,), number of the row of sums, from where the next 32 are in reach.
        places: int32 (n, 16), in those, of the first that each value covers.
        shares: float32 (n, taps, 16), what share of the value that one and those that follow are.
    """

    to: np.ndarray
    first: np.ndarray
    places: np.ndarray
    shares: np.ndarray


@lru_cache(maxsize=64)
def _picks(length: int, count: int, channels: int) -> _Picks:
    left, shares = _covered(length, count)
    pixels, colours = np.divmod(np.arange(channels * count), channels)
    begin_of_pixel = channels * left.astype(np.int64)[pixels]
    # The last pixels may begin at the same one: in order if each counts from its first colour.
    reached = np.maximum.accumulate(begin_of_pixel + colours)
    bounds = [0]
    while bounds[-1] < len(pixels):
        out_of_reach = np.searchsorted(reached, begin_of_pixel[bounds[-1]] + _IN_REACH)
        bounds.append(min(int(out_of_reach), bounds[-1] + _LANES))
    to, ends = np.array(bounds[:-1]), np.array(bounds[1:])
    first = begin_of_pixel[to]
    values = np.minimum(to[:, None] + np.arange(_LANES), ends[:, None] - 1)
    places = (begin_of_pixel[values] + colours[values] - first[:, None]).astype(np.int32)
    return _Picks(to, first, aligned(places), aligned(shares[pixels[values]].transpose(0, 2, 1)))


def _means(across: _Covered | _Picks, sums: Any, taps: Any, channels: Any, line: Any) -> None:
    """Make a row of means of a row of sums.

    As many taps are added as the tuple ``taps`` has, which unrolls the loops; any number, if none.
    """
    raise NotImplementedError


@implements(_means, _Picks)
def _sixteen_at_once(picks, sums, taps, channels, line):
    share = 0
    for number in range(picks.to.shape[0]):
        means = all_of_sixteen(_HALF)
        first, place = picks.first[number], number * _LANES
        for _ in range(len(taps) or picks.shares.shape[1]):
            means = add_picked(means, picks.shares, share, sums, first, picks.places, place)
            share += _LANES
            first += channels
        store_sixteen(line, picks.to[number], means)


@implements(_means, _Covered)
def _by_pixel(covered, sums, taps, channels, line):
    first, shares = covered.first, covered.shares
    if channels == 3:
        for column in range(shares.shape[0]):
            mean = all_of_pixel(_HALF)
            place = 3 * first[column]
            for tap in range(len(taps) or shares.shape[1]):
                mean = add_share(mean, shares[column, tap], sums, place + 3 * tap)
            store_pixel(line, 3 * column, mean)
    else:
        for column in range(shares.shape[0]):
            grey = _HALF
            for tap in range(len(taps) or shares.shape[1]):
                grey += shares[column, tap] * sums[first[column] + np.uint64(tap)]
            line[column] = np.uint8(grey)


@inlined
def _across(across, sums, channels, line):
    if across.shares.shape[1] == 3:
        _means(across, sums, (0, 0, 0), channels, line)
    elif across.shares.shape[1] == 4:
        _means(across, sums, (0, 0, 0, 0), channels, line)
    elif across.shares.shape[1] == 5:
        _means(across, sums, (0, 0, 0, 0, 0), channels, line)
    else:
        _means(across, sums, (), channels, line)


@scratch_kernel
def _shrink(lines, down, across, channels, out):
    # lines uint8 (h, channels * w), rows may lie apart; out uint8 (height, channels * width)
    # Vectors reach beyond the ends of rows, which have room for it.
    sums = np.empty(lines.shape[1] + _IN_REACH, np.float32)
    line = np.empty(out.shape[1] + _LANES, np.uint8)
    for row in range(out.shape[0]):
        _sum_of_rows(lines, down.first[row], down.shares[row], sums)
        _across(across, sums, channels, line)
        for place in range(out.shape[1]):
            out[row, place] = line[place]


@kernel
def _sum_of_rows(lines, top, shares, sums):
    values, pitch, top = lines.shape[1], lines.strides[0], np.int64(top)
    begin, end = 0, shares.shape[0]
    ahead = pitch * max(shares.shape[0], rows_ahead(pitch))
    while shares[begin] == 0:
        begin += 1
    while shares[end - 1] == 0:
        end -= 1
    if values < _FOUR:
        for place in range(values):
            sums[place] = 0
            for number in range(begin, end):
                sums[place] += shares[number] * np.float32(lines[top + number, place])
    else:
        for step in range(0, values, _FOUR):
            place = min(step, values - _FOUR)  # the last ones may be summed again
            one = two = three = four = all_of_sixteen(np.float32(0))
            for number in range(begin, end):
                at, share = (top + number) * pitch + place, shares[number]
                prefetch(lines, at + ahead)
                one = add_share_of_bytes(one, share, lines, at)
                two = add_share_of_bytes(two, share, lines, at + _LANES)
                three = add_share_of_bytes(three, share, lines, at + 2 * _LANES)
                four = add_share_of_bytes(four, share, lines, at + 3 * _LANES)
            store_floats(sums, place, one)
            store_floats(sums, place + _LANES, two)
            store_floats(sums, place + 2 * _LANES, three)
            store_floats(sums, place + 3 * _LANES, four)
