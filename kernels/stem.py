"""The stem and the embedding on vectors: the integer ends of the network.

Lane = output channel; a group of neighbouring inputs is broadcast from memory and multiplied with
the weights of 16 channels, and the products of a group are summed by the same instruction: four
bytes with VNNI (``vpdpbusd``), two numbers of 16 bits without (``pmaddwd``). Sums of a few
positions stay in registers while the weights of a group pass by once.

Bound. At 256 x 256 pixels and 16 inner channels the stem multiplies 128 * 128 * 3 rows of nine
values filled to whole groups * 16, and 64 * 64 * 64 * 64 times: 26 million in bytes, at 128 per
cycle (two instructions of 64) 0.2 million cycles; 24.6 million in 16 bits, at 21 per cycle (AVX2,
three instructions a cycle, two for 16 products) 1.2 million.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels import network as nw
from kernels.compiled import inlined, kernel
from kernels.vectors import (
    LANES,
    PRODUCTS_OF_BYTES,
    WIDE_REGISTERS,
    Tile,
    add,
    add_products,
    address,
    aligned,
    clip_to_bytes,
    clip_to_int16,
    concatenate,
    greater,
    load,
    load_vector,
    maximum,
    minimum,
    repeat,
    sixty4,
    splat,
    split,
    store,
    store_vector,
)

_SUMS = 16  # 32-bit lanes of a vector of sums
_GROUP, _INPUT, _WEIGHT = (4, np.uint8, np.int8) if PRODUCTS_OF_BYTES else (2, np.int16, np.int16)
_GROUPS_OF_ROW = -(-9 // _GROUP)  # three pixels of three colours, filled with zeros
# Sums must be many enough to hide the latency of the multiplications, and few enough to stay in
# registers: a vector of sums is one register with AVX-512, two with AVX2, four on aarch64.
_FINE_POSITIONS, _COARSE_POSITIONS = (16, 4) if WIDE_REGISTERS else (4, 1)
_FINE = Tile(32, _SUMS, _FINE_POSITIONS)  # of 16 channels
_COARSE = Tile(32, _SUMS, _COARSE_POSITIONS * LANES // _SUMS)  # of 64 channels


class Weights(NamedTuple):
    """The stem's parameters in the order in which they are read, and its rows of scratch.

    Attributes:
        fine: (inner / 16, groups, 16, group): the taps of a group side by side.
        fine_bias: int32 (inner,).
        coarse: (channels / 64, groups, 64, group).
        coarse_bias: int32 (channels,).
        pixels: (3, 3 * (w + 2) + spare), rows of the picture with the column to the left.
        inner: (2, w / 2 + spare, inner), rows of the map between the two convolutions.

    Groups are of four and ``fine`` and ``coarse`` int8, ``pixels`` and ``inner`` uint8 where
    ``PRODUCTS_OF_BYTES``; otherwise they are of two, and all int16.
    """

    fine: np.ndarray
    fine_bias: np.ndarray
    coarse: np.ndarray
    coarse_bias: np.ndarray
    pixels: np.ndarray
    inner: np.ndarray


def lay_out(layer: nw.Stem, width: int) -> Weights:
    """Parameters and scratch for pictures of a width; inner channels are filled up with zeros."""
    fill = -len(layer.fine_bias) % _SUMS
    fine = np.pad(layer.fine_weights, ((0, fill), (0, 0), (0, 0), (0, 0)))
    inner = len(fine)
    row_fill = _GROUPS_OF_ROW * _GROUP - 9
    fine = np.pad(fine.reshape(inner, 3, 9), ((0, 0), (0, 0), (0, row_fill)))
    coarse = np.pad(layer.coarse_weights, ((0, 0), (0, 0), (0, 0), (0, fill)))
    return Weights(
        fine=_in_groups(fine.reshape(inner, -1), _SUMS),
        fine_bias=aligned(np.pad(layer.fine_bias, (0, fill))),
        coarse=_in_groups(coarse.reshape(layer.channels, -1), LANES),
        coarse_bias=aligned(layer.coarse_bias),
        pixels=np.zeros((3, 3 * (width + 2) + 6 * _FINE_POSITIONS + _GROUP), _INPUT),
        inner=aligned(np.zeros((2, width // 2 + _FINE_POSITIONS, inner), _INPUT)),
    )


def _in_groups(weights: np.ndarray, lanes: int) -> np.ndarray:
    outputs, taps = weights.shape
    groups = weights.reshape(outputs // lanes, lanes, taps // _GROUP, _GROUP)
    return aligned(groups.transpose(0, 2, 1, 3).astype(_WEIGHT))


def _accumulator(tile: Tile, positions: int) -> Any:
    """An intrinsic: add the products of one group of inputs, at several positions, to a tile."""

    def accumulate(
        typing_context: Any, sums: Any, values: Any, at: Any, step: Any, weights: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sums, values, at, step, weights, line = arguments
            vectors = tile.count // positions
            products = ir.VectorType(ir.IntType(32 // _GROUP), _GROUP * _SUMS)
            inputs = []
            for position in range(positions):
                where = builder.add(at, builder.mul(step, ir.Constant(step.type, position)))
                pointer = address(context, builder, signature.args[1], values, where)
                group = builder.load(builder.bitcast(pointer, ir.IntType(32).as_pointer()))
                group.align = 1
                inputs.append(builder.bitcast(splat(builder, group, _SUMS), products))
            for number in range(vectors):
                where = builder.add(line, ir.Constant(line.type, _GROUP * _SUMS * number))
                pointer = address(context, builder, signature.args[4], weights, where)
                taps = load_vector(builder, pointer, products)
                for position in range(positions):
                    place = position * vectors + number
                    total = builder.extract_value(sums, place)
                    total = add_products(context, builder, total, inputs[position], taps)
                    sums = builder.insert_value(sums, total, place)
            return sums

        arguments = (tile, values, types.intp, types.intp, weights, types.intp)
        return tile(*arguments), generate

    return intrinsic(accumulate)


def _starter(tile: Tile, vectors: int) -> Any:
    """An intrinsic: a tile that begins with the biases."""

    def start(typing_context: Any, bias: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            bias, at = arguments
            sums = ir.Constant(ir.ArrayType(tile.vector, tile.count), ir.Undefined)
            for place in range(tile.count):
                offset = ir.Constant(at.type, _SUMS * (place % vectors))
                where = builder.add(at, offset)
                pointer = address(context, builder, signature.args[0], bias, where)
                sums = builder.insert_value(sums, load_vector(builder, pointer, tile.vector), place)
            return sums

        return tile(bias, types.intp), generate

    return intrinsic(start)


_start_fine, _start_coarse = _starter(_FINE, 1), _starter(_COARSE, LANES // _SUMS)
_accumulate_fine, _accumulate_coarse = (
    _accumulator(_FINE, _FINE_POSITIONS),
    _accumulator(_COARSE, _COARSE_POSITIONS),
)


def _shifted(builder: Any, sums: Any, shift: Any, places: Sequence[int]) -> list[Any]:
    """Some of the sums, shifted to the right."""
    by = splat(builder, shift, _SUMS)
    return [builder.ashr(builder.extract_value(sums, place), by) for place in places]


@intrinsic
def _finish_fine(typing_context: Any, sums: Any, shift: Any, inner: Any, at: Any, step: Any) -> Any:
    """Shift, clip to 0 .. 255 and write the positions of 16 channels."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, shift, inner, at, step = arguments
        kind = ir.VectorType(ir.IntType(32 // _GROUP), _SUMS)
        for first in range(0, _FINE_POSITIONS, 4):
            four = _shifted(builder, sums, shift, range(first, first + 4))
            octets = split(builder, clip_to_bytes(context, builder, four), _SUMS)
            for place, sixteen in enumerate(octets):
                value = builder.zext(sixteen, kind)
                position = ir.Constant(step.type, first + place)
                where = builder.add(at, builder.mul(step, position))
                pointer = address(context, builder, signature.args[2], inner, where)
                store_vector(builder, value, pointer)
        return context.get_dummy_value()

    return types.void(_FINE, types.int32, inner, types.intp, types.intp), generate


@intrinsic
def _finish_coarse(typing_context: Any, sums: Any, shift: Any) -> Any:
    """Shift and clip the positions of 64 channels to int16."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, shift = arguments
        values = _shifted(builder, sums, shift, range(_COARSE.count))
        each = LANES // _SUMS
        parts = [
            concatenate(
                builder,
                [
                    clip_to_int16(context, builder, *values[i : i + 2])
                    for i in range(at, at + each, 2)
                ],
            )
            for at in range(0, _COARSE.count, each)
        ]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(sixty4, _COARSE_POSITIONS)(_COARSE, types.int32), generate


@inlined
def _fill_pixels(image, first, length, row, pixels):
    # The row of a flat picture that begins at ``first``, its leftmost pixel repeated before it.
    for colour in range(3):
        pixels[row, colour] = image[first + colour]
    line, target = image[first : first + length], pixels[row, 3 : 3 + length]
    for x in range(length):
        target[x] = line[x]


@inlined
def _fine_row(weights, shift, row, first):
    # pixels (3, ..), the uppermost in turn first % 3 -> inner[row]; positions beyond the width are
    # computed from zeros or leftovers and never read.
    pixels, inner = weights.pixels, weights.inner
    pitch = pixels.shape[1]
    channels = inner.shape[2]
    width = inner.shape[1] - _FINE_POSITIONS
    line_length = _GROUP * _SUMS
    for group in range(weights.fine.shape[0]):
        for column in range(0, width, _FINE_POSITIONS):
            sums = _start_fine(weights.fine_bias, group * _SUMS)
            line = group * weights.fine.shape[1] * line_length
            for i in range(3):
                at = (first + i) % 3 * pitch + 6 * column
                for group_of_row in range(_GROUPS_OF_ROW):
                    place = at + _GROUP * group_of_row
                    sums = _accumulate_fine(sums, pixels, place, 6, weights.fine, line)
                    line += line_length
            at = (row * inner.shape[1] + column) * channels + group * _SUMS
            _finish_fine(sums, shift, inner, at, channels)


@kernel
def stem(image, weights, fine_shift, coarse_shift, out, threshold, border, signs):
    """``reference.stem``, and the first block's bits of it.

    Args:
        image: uint8 (h, w, 3).
        weights: from :func:`lay_out`, for this width.
        fine_shift: int32, bits to the right.
        coarse_shift: int32, bits to the right.
        out: int16 (h / 4, w / 4, channels), written.
        threshold: int16 (channels,), of the first block.
        border: clear positions of ``signs`` above and to the left.
        signs: uint64 (h / 4 + .., w / 4 + .., channels / 64): ``out > threshold``, written inside
            its border. Empty if no block follows.
    """
    rows, columns, channels = out.shape
    inner = weights.inner
    pitch, depth = inner.shape[1] * inner.shape[2], inner.shape[2]
    wants_signs = signs.size > 0
    flat, length = image.reshape(image.size), 3 * image.shape[1]
    for row in range(rows):
        for half in range(2):
            # The last picture row of one fine row is the first of the next: three take turns.
            fine_row = 2 * row + half
            for i in range(1 if fine_row else 0, 3):
                y = 2 * fine_row + i - 1
                _fill_pixels(flat, max(y, 0) * length, length, (y + 1) % 3, weights.pixels)
            _fine_row(weights, fine_shift, half, 2 * fine_row)
        for panel in range(channels // LANES):
            level = load(threshold, panel * LANES)
            for column in range(0, columns, _COARSE_POSITIONS):
                sums = _start_coarse(weights.coarse_bias, panel * LANES)
                line = panel * weights.coarse.shape[1] * _GROUP * LANES
                for i in range(2):
                    at = i * pitch + 2 * column * depth
                    for place in range(at, at + 2 * depth, _GROUP):
                        sums = _accumulate_coarse(
                            sums, inner, place, 2 * depth, weights.coarse, line
                        )
                        line += _GROUP * LANES
                values = _finish_coarse(sums, coarse_shift)
                for position in range(min(_COARSE_POSITIONS, columns - column)):
                    value = values[position]
                    x = column + position
                    store(out, (row * columns + x) * channels + panel * LANES, value)
                    if wants_signs:
                        signs[row + border, x + border, panel] = greater(value, level)


@kernel
def embedding(stream, levels, every, sums, out, word):
    """``reference.embedding``.

    Each row is clipped and summed across once, and three of them down for a row of patches.

    Args:
        stream: int16 (h, w, c).
        levels: int16 (n, c); what lies outside int16 is clipped to it, no sum being there.
        every: positions per patch, 1 or 2.
        sums: int16 (3, w, c), scratch.
        out: uint64 (h / every, w / every, words), of which n * c / 64 are written.
        word: the first of them.
    """
    height, width, channels = stream.shape
    pitch = width * channels
    panels = channels // LANES
    summed = 0
    for y in range(out.shape[0]):
        row = (y + 1) * every - 1
        above, below = max(row - 1, 0), min(row + 1, height - 1)
        for other in range(max(summed, above), below + 1):
            _sum_across(stream, other * pitch, every, sums, other % 3 * pitch)
        summed = below + 1
        one, two, three = above % 3 * pitch, row % 3 * pitch, below % 3 * pitch
        for x in range(out.shape[1]):
            column = (x + 1) * every - 1
            for panel in range(panels):
                at = column * channels + panel * LANES
                total = add(load(sums, one + at), load(sums, two + at))
                total = add(total, load(sums, three + at))
                for number in range(levels.shape[0]):
                    level = load(levels, number * channels + panel * LANES)
                    out[y, x, word + number * panels + panel] = greater(total, level)


@inlined
def _sum_across(stream, first, every, sums, to):
    # Three neighbours of a row that begins at ``first``, clipped, at patches' own columns.
    _, width, channels = stream.shape
    low, high = repeat(np.int16(-nw.STREAM_CLIP)), repeat(np.int16(nw.STREAM_CLIP))
    for place in range(0, channels, LANES):
        middle = minimum(maximum(load(stream, first + place), low), high)
        left = middle
        for column in range(width):
            at = min(column + 1, width - 1) * channels + place
            right = minimum(maximum(load(stream, first + at), low), high)
            if every == 1 or column & 1:
                total = add(add(left, middle), right)
                store(sums, to + column * channels + place, total)
            left, middle = middle, right
