"""Binary convolutions on the fast ways of counting.

One panel of 64 output channels at a time goes over the whole map: its weights (at most 36 KB at
512 input channels) stay in the first cache, and so does a row of the map. What follows the count
is fused into the same pass: nothing but bits and the stream itself ever goes to memory.

Every function has its definition in :mod:`kernels.reference` under a similar name.
"""

from __future__ import annotations

import numpy as np

from kernels.compiled import inlined, kernel
from kernels.counting import count_last_window, count_window, prepare
from kernels.vectors import (
    LANES,
    add,
    add_saturating,
    greater,
    less_or_equal,
    load,
    maximum,
    mean_of_four,
    multiply_rounding,
    repeat,
    shift_left,
    store,
    subtract,
)


@kernel
def convolve_to_bits(weights, bits, kernel, stride, limit, rows, columns, out, border):
    """``reference.convolve_to_bits``: a bit is set where ``mismatches <= limit``.

    Args:
        weights: laid out by a way of counting.
        bits: uint64 (h + 2b, w + 2b + spare, words): b = kernel // 2 clear positions around the
            map, and enough spare columns to the right for an even number of windows.
        kernel: 1 or 3.
        stride: 1 or 2.
        limit: int16 (outputs,).
        rows: h / stride.
        columns: w / stride.
        out: uint64 (rows + .., columns + .., outputs / 64), written inside its border.
        border: clear positions of ``out`` above and to the left.
    """
    prepare(weights, bits, stride)
    for panel in range(limit.shape[0] // LANES):
        limits = load(limit, panel * LANES)
        for row in range(rows):
            top = row * stride
            for column in range(0, columns - 1, 2):
                one, two = count_window(weights, panel, bits, top, column * stride, kernel, stride)
                out[row + border, column + border, panel] = less_or_equal(one, limits)
                out[row + border, column + 1 + border, panel] = less_or_equal(two, limits)
            if columns % 2:
                last = columns - 1
                one = count_last_window(weights, panel, bits, top, last * stride, kernel, stride)
                out[row + border, last + border, panel] = less_or_equal(one, limits)


@kernel
def convolve_to_stream(
    weights, bits, kernel, stride, parameters, shift, stream, out, threshold, border, signs
):
    """``reference.add_to_stream`` of the mismatches, and the next block's bits of the sum.

    The scaling, bias, leak and clipping are exact in 16-bit lanes: ``excess << (15 - shift)`` fits
    (that is how ``network.slope_shift`` is defined), and a rounding multiplication does the rest.

    Args:
        weights: laid out by a way of counting.
        bits: uint64 (h + 2b, w + 2b + spare, words), as in :func:`convolve_to_bits`.
        kernel: 1 or 3.
        stride: 1 or 2.
        parameters: int16 (3, outputs): slope, offset, and leak << 7.
        shift: right shift after the slope.
        stream: int16 (h, w, inputs), the shortcut.
        out: int16 (h / stride, w / stride, outputs), written; the same memory as ``stream`` if the
            stride is 1 and outputs equal inputs.
        threshold: int16 (outputs,), of the next block.
        border: clear positions of ``signs`` above and to the left.
        signs: uint64 (h / stride + .., w / stride + .., outputs / 64): ``out > threshold``, written
            inside its border. Empty if there is no next block.
    """
    prepare(weights, bits, stride)
    rows, columns, outputs = out.shape
    width, inputs = stream.shape[1], stream.shape[2]
    middle = repeat(np.int16(kernel * kernel * bits.shape[2] * 32))
    up = repeat(np.int16(15 - shift))
    wants_signs = signs.size > 0
    for panel in range(outputs // LANES):
        first = panel * LANES
        slope = load(parameters, first)
        offset = load(parameters, outputs + first)
        leak = load(parameters, 2 * outputs + first)
        level = load(threshold, first)
        channel = first % inputs
        for row in range(rows):
            top = row * stride
            into, signs_row = row * columns * outputs + first, row + border
            for column in range(0, columns - 1, 2):
                one, two = count_window(weights, panel, bits, top, column * stride, kernel, stride)
                at = (top * width + column * stride) * inputs + channel
                value = _sum(one, middle, up, slope, offset, leak, stream, at, stride)
                other = _sum(
                    two, middle, up, slope, offset, leak, stream, at + stride * inputs, stride
                )
                to = into + column * outputs
                store(out, to, value)
                store(out, to + outputs, other)
                if wants_signs:
                    signs[signs_row, column + border, panel] = greater(value, level)
                    signs[signs_row, column + 1 + border, panel] = greater(other, level)
            if columns % 2:
                last = columns - 1
                one = count_last_window(weights, panel, bits, top, last * stride, kernel, stride)
                at = (top * width + last * stride) * inputs + channel
                value = _sum(one, middle, up, slope, offset, leak, stream, at, stride)
                store(out, into + last * outputs, value)
                if wants_signs:
                    signs[signs_row, last + border, panel] = greater(value, level)


@inlined
def _sum(count, middle, up, slope, offset, leak, stream, at, stride):
    # What a block adds to the stream, and the stream there; ``at`` is the upper left if it shrinks.
    y = add(offset, multiply_rounding(shift_left(subtract(middle, count), up), slope))
    y = maximum(y, multiply_rounding(y, leak))
    if stride == 1:
        return add_saturating(load(stream, at), y)
    right = at + stream.shape[2]
    below = at + stream.shape[1] * stream.shape[2]
    shortcut = mean_of_four(
        load(stream, at),
        load(stream, right),
        load(stream, below),
        load(stream, below + stream.shape[2]),
    )
    return add_saturating(shortcut, y)
