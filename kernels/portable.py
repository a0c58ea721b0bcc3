"""The portable Numba kernels: any processor that LLVM knows.

*Lane = output channel.* Weights lie as ``[tap and word][output channel]``, so the innermost loop
takes one word of one position, XORs it with consecutive weights and adds the population counts to
consecutive accumulators: contiguous loads, no horizontal sums, and LLVM turns it into vector code
(``vpopcntq`` on AVX-512, the nibble shuffle on AVX2, ``cnt`` on aarch64). The obvious order, one
filter after the other, leaves scalar popcounts and is five to fifteen times slower.

Every function has its definition in ``kernels.reference`` under a similar name. They work on
buffers that the caller owns, hold no state, release the interpreter lock and allocate only small
scratch rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.compiled import kernel, scratch_kernel
from kernels.network import STREAM_CLIP

_CLIP = np.int32(STREAM_CLIP)
_GATHER_BITS = np.uint64(0x0102040810204080)
_LOW_BYTES = np.uint64(0x0101010101010101)


@intrinsic
def population_count(typing_context: Any, word: types.Type) -> Any:
    """LLVM's ctpop on a uint64: one instruction or a short vector sequence."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@kernel
def _count_window(bits, weights, kernel, top, left, counts):
    # bits (rows, columns, words), bordered; weights (k*k*words, outputs); counts uint64 (outputs,)
    words = bits.shape[2]
    outputs = weights.shape[1]
    counts[:] = np.uint64(0)
    line = 0
    for i in range(kernel):
        for j in range(kernel):
            for word in range(words):
                value = bits[top + i, left + j, word]
                row = weights[line]
                for channel in range(outputs):
                    counts[channel] += population_count(value ^ row[channel])
                line += 1


@kernel
def _pack_row(flags, out):
    # flags uint8 (64 * words,), 0 or 1; out uint64 (words,). A multiplication gathers eight bits.
    octets = flags.view(np.uint64)
    for word in range(out.shape[0]):
        value = np.uint64(0)
        for part in range(8):
            gathered = (octets[8 * word + part] & _LOW_BYTES) * _GATHER_BITS
            value |= (gathered >> np.uint64(56)) << np.uint64(8 * part)
        out[word] = value


@scratch_kernel
def convolve_to_bits(bits, weights, kernel, stride, limit, out):
    """``reference.convolve_to_bits``.

    Args:
        bits: uint64 (h + 2b, w + 2b, words), with its border of b = kernel // 2 clear positions.
        weights: uint64 (k * k * words, outputs).
        kernel: 1 or 3.
        stride: 1 or 2.
        limit: int32 (outputs,).
        out: uint64 (rows, columns, outputs / 64), written.
    """
    outputs = weights.shape[1]
    counts = np.empty(outputs, np.uint64)
    flags = np.empty(outputs, np.uint8)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            _count_window(bits, weights, kernel, row * stride, column * stride, counts)
            for channel in range(outputs):
                flags[channel] = np.int32(counts[channel]) <= limit[channel]
            _pack_row(flags, out[row, column])


@scratch_kernel
def convolve_to_stream(bits, weights, kernel, stride, slope, offset, leak, shift, stream, out):
    """``reference.mismatches`` and ``reference.add_to_stream`` in one pass.

    Args:
        bits: uint64 (h + 2b, w + 2b, words), with its border of b = kernel // 2 clear positions.
        weights: uint64 (k * k * words, outputs).
        kernel: 1 or 3.
        stride: 1 or 2.
        slope: int32 (outputs,).
        offset: int32 (outputs,).
        leak: int32 (outputs,).
        shift: right shift after the slope.
        stream: int16 (h, w, inputs), the shortcut.
        out: int16 (h / stride, w / stride, outputs), written; not the same memory as ``stream``
            unless the stride is 1 and outputs equal inputs.
    """
    outputs = weights.shape[1]
    inputs = stream.shape[2]
    half = np.int32((1 << shift) >> 1)
    middle = np.int32(weights.shape[0] * 32)
    right = np.int32(shift)
    counts = np.empty(outputs, np.uint64)
    y = np.empty(outputs, np.int32)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            _count_window(bits, weights, kernel, row * stride, column * stride, counts)
            for channel in range(outputs):
                excess = middle - np.int32(counts[channel])
                scaled = (excess * slope[channel] + half) >> right
                value = offset[channel] + scaled
                leaked = (value * leak[channel] + np.int32(128)) >> np.int32(8)
                y[channel] = max(value, leaked)
            for start in range(0, outputs, inputs):
                for channel in range(inputs):
                    if stride == 2:
                        upper = np.int32(stream[2 * row, 2 * column, channel]) + np.int32(
                            stream[2 * row, 2 * column + 1, channel]
                        )
                        lower = np.int32(stream[2 * row + 1, 2 * column, channel]) + np.int32(
                            stream[2 * row + 1, 2 * column + 1, channel]
                        )
                        shortcut = (upper + lower + np.int32(2)) >> np.int32(2)
                    else:
                        shortcut = np.int32(stream[row, column, channel])
                    value = shortcut + y[start + channel]
                    clipped = min(max(value, np.int32(-32768)), np.int32(32767))
                    out[row, column, start + channel] = np.int16(clipped)


@scratch_kernel
def threshold(stream, levels, border, out):
    """``reference.threshold``, into the middle of a bordered map.

    Args:
        stream: int16 (h, w, c).
        levels: int16 (c,).
        border: positions around the result that are left alone.
        out: uint64 (h + 2 * border, w + 2 * border, c / 64), written inside the border.
    """
    channels = stream.shape[2]
    flags = np.empty(channels, np.uint8)
    for row in range(stream.shape[0]):
        for column in range(stream.shape[1]):
            for channel in range(channels):
                flags[channel] = stream[row, column, channel] > levels[channel]
            _pack_row(flags, out[row + border, column + border])


@scratch_kernel
def embedding(stream, levels, every, out, word):
    """``reference.embedding``.

    Args:
        stream: int16 (h, w, c).
        levels: int32 (n, c).
        every: positions per patch.
        out: uint64 (h / every, w / every, words), of which n * c / 64 are written.
        word: the first of them.
    """
    height, width, channels = stream.shape
    columns = np.empty((width, channels), np.int32)
    flags = np.empty(levels.size, np.uint8)
    words = levels.size // 64
    for row in range(every - 1, height, every):
        above, below = max(row - 1, 0), min(row + 1, height - 1)
        for column in range(width):
            for channel in range(channels):
                one = min(max(np.int32(stream[above, column, channel]), -_CLIP), _CLIP)
                two = min(max(np.int32(stream[row, column, channel]), -_CLIP), _CLIP)
                three = min(max(np.int32(stream[below, column, channel]), -_CLIP), _CLIP)
                columns[column, channel] = one + two + three
        for column in range(every - 1, width, every):
            left, right = max(column - 1, 0), min(column + 1, width - 1)
            for channel in range(channels):
                total = columns[left, channel] + columns[column, channel] + columns[right, channel]
                for level in range(levels.shape[0]):
                    flags[level * channels + channel] = total > levels[level, channel]
            _pack_row(flags, out[row // every, column // every, word : word + words])


@scratch_kernel
def stem(
    image,
    fine_weights,
    fine_bias,
    fine_shift,
    coarse_weights,
    coarse_bias,
    coarse_shift,
    out,
):
    """``reference.stem``, two rows of the inner map at a time.

    Args:
        image: uint8 (h, w, 3).
        fine_weights: int32 (27, inner).
        fine_bias: int32 (inner,).
        fine_shift: bits to the right.
        coarse_weights: int32 (4 * inner, channels).
        coarse_bias: int32 (channels,).
        coarse_shift: bits to the right.
        out: int16 (h / 4, w / 4, channels), written.
    """
    inner, channels = fine_weights.shape[1], coarse_weights.shape[1]
    width = image.shape[1] // 2
    fine = np.empty((2, width, inner), np.int32)
    total = np.empty(inner, np.int32)
    wide = np.empty(channels, np.int32)
    right, right_coarse = np.int32(fine_shift), np.int32(coarse_shift)
    for row in range(out.shape[0]):
        for half in range(2):
            for column in range(width):
                total[:] = fine_bias
                for i in range(3):
                    y = max(2 * (2 * row + half) + i - 1, 0)
                    for j in range(3):
                        x = max(2 * column + j - 1, 0)
                        for colour in range(3):
                            value = np.int32(image[y, x, colour])
                            taps = fine_weights[(3 * i + j) * 3 + colour]
                            for channel in range(inner):
                                total[channel] += value * taps[channel]
                for channel in range(inner):
                    value = total[channel] >> right
                    fine[half, column, channel] = min(max(value, np.int32(0)), np.int32(255))
        for column in range(out.shape[1]):
            wide[:] = coarse_bias
            for i in range(2):
                for j in range(2):
                    for channel in range(inner):
                        value = fine[i, 2 * column + j, channel]
                        taps = coarse_weights[(2 * i + j) * inner + channel]
                        for output in range(channels):
                            wide[output] += value * taps[output]
            for output in range(channels):
                value = min(max(wide[output] >> right_coarse, np.int32(-32768)), np.int32(32767))
                out[row, column, output] = np.int16(value)


@scratch_kernel
def nearest(queries, bank, distances, indices):
    """``reference.nearest``.

    Args:
        queries: uint64 (q, words).
        bank: uint64 (words, m): transposed, lane = bank entry.
        distances: int32 (q,), written.
        indices: int32 (q,), written.
    """
    words, entries = bank.shape
    apart = np.empty(entries, np.uint64)
    for number in range(queries.shape[0]):
        apart[:] = np.uint64(0)
        for word in range(words):
            value = queries[number, word]
            row = bank[word]
            for entry in range(entries):
                apart[entry] += population_count(value ^ row[entry])
        best = apart[0]
        for entry in range(entries):
            best = min(best, apart[entry])
        where = 0
        while apart[where] != best:
            where += 1
        distances[number] = np.int32(best)
        indices[number] = where


@scratch_kernel
def keep_smaller_distances(point, points, distances):
    """``distances[i] = min(distances[i], bits between point and points[i])``; the farthest then.

    The step of a greedy coreset.

    Args:
        point: uint64 (words,).
        points: uint64 (words, n): transposed, lane = point.
        distances: uint32 (n,), updated.

    Returns:
        Index of the largest distance, the first of equals.
    """
    words, count = points.shape
    block = 1024
    apart = np.empty(block, np.uint64)
    farthest, at = np.uint32(0), 0
    for start in range(0, count, block):
        size = min(block, count - start)
        apart[:] = np.uint64(0)
        for word in range(words):
            value = point[word]
            row = points[word, start : start + size]
            for lane in range(size):
                apart[lane] += population_count(value ^ row[lane])
        for lane in range(size):
            distance = min(distances[start + lane], np.uint32(apart[lane]))
            distances[start + lane] = distance
            if distance > farthest:
                farthest, at = distance, start + lane
    return at
