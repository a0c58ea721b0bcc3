"""The stem and the embedding on vectors: the integer ends of the network.

Lane = output channel; a group of neighbouring inputs is broadcast from memory and multiplied with
the weights of 16 channels, and the products of a group are added to their sum. Groups are of four
bytes where a processor has an instruction for it (``vpdpbusd``, ``sdot``), or three that do the
same (aarch64 before); elsewhere of two numbers of 16 bits (``pmaddwd``). Sums of a few positions
stay in registers while the weights of a group pass by once.

aarch64 multiplies signed bytes: inputs are kept less 128, and what that takes from the sums is in
the biases.

Bound. At 256 x 256 pixels and 16 inner channels the stem multiplies 128 * 128 * 3 rows of nine
values filled to whole groups * 16, and 64 * 64 * 64 * 64 times: 26 million in bytes, which at 128
per cycle (AVX-512, two instructions of 64) takes 0.2 million cycles, at 32 (aarch64 with dot
products) 0.8 million, and at 8 (without) 3.3 million; 24.6 million in 16 bits, at 21 per cycle
(AVX2, three instructions a cycle, two for 16 products) 1.2 million.

A picture without colour is read as it is on x86: what three equal channels are multiplied with is
summed before, in 16 bits. Rows of three values are filled to two groups of two, so that the first
convolution takes 3.1 million products at 64 a cycle instead of 9.4 million at 128; with 16 bits
throughout, two fifths of what colours take. On aarch64 products of 16 bits take so much longer that
colours take less time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels import network as nw
from kernels.compiled import implements, inlined, kernel
from kernels.host import ARM
from kernels.vectors import (
    LANES,
    PAIRS_APART,
    PRODUCTS_OF_BYTES,
    SIGNED_INPUTS,
    WIDE_REGISTERS,
    Tile,
    add,
    add_products,
    address,
    aligned,
    clip_to_bytes,
    clip_to_int16,
    concatenate,
    constant,
    greater,
    load,
    load_vector,
    maximum,
    minimum,
    repeat,
    shift_right,
    sixty4,
    splat,
    store,
    store_vector,
)

_SUMS = 16  # 32-bit lanes of a vector of sums
_OFFSET = 128 if SIGNED_INPUTS else 0  # what inputs are kept without


class _Format(NamedTuple):
    """Of what is multiplied: how many neighbours are a group, and their types."""

    group: int
    inputs: type
    weights: type
    offset: int


_PAIRS = _Format(2, np.int16, np.int16, 0)
_FOURS = _Format(4, np.int8 if SIGNED_INPUTS else np.uint8, np.int8, _OFFSET)
_USUAL = _FOURS if PRODUCTS_OF_BYTES else _PAIRS
_GROUP = _USUAL.group
# Sums must be many enough to hide the latency of the multiplications, and few enough to stay in
# registers: a vector of sums is one of 32 with AVX-512, four of 32 on aarch64, two of 16 with AVX2.
_FINE_POSITIONS, _COARSE_POSITIONS = (16, 4) if WIDE_REGISTERS else (4 if ARM else 2, 1)
_AT_ONCE = min(4, _FINE_POSITIONS)  # positions that are clipped and written
_FINE = Tile(32, _SUMS, _FINE_POSITIONS)  # of 16 channels
_COARSE = Tile(32, _SUMS, _COARSE_POSITIONS * LANES // _SUMS)  # of 64 channels


class Coloured(NamedTuple):
    """The first convolution's parameters in the order in which they are read, and its scratch.

    Attributes:
        weights: (inner / 16, groups, 16, group): the taps of a group side by side. A group's are
            the values of a row of pixels; rows are filled to whole groups with zeros.
        bias: int32 (inner,).
        pixels: (3, colours * (w + 2) + spare), rows of the picture with the column to the left.
        repeats: how often each value of the picture stands there: three times, or once.

    Groups are of four bytes where ``PRODUCTS_OF_BYTES``; otherwise of two, int16.
    """

    weights: np.ndarray
    bias: np.ndarray
    pixels: np.ndarray
    repeats: int


class Grey(Coloured):
    """The same, one value a pixel; groups are of two, int16."""


class Weights(NamedTuple):
    """The stem's parameters in the order in which they are read, and its scratch.

    Attributes:
        fine: of the first convolution.
        coarse: (channels / 64, groups, 64, group), of the second, groups as in :class:`Coloured`:
            of the taps of 16 inner channels, then of the next.
        bias: int32 (channels,).
        inner: (2, inner / 16, w / 2 + spare, 16), rows of the map between them.
    """

    fine: Coloured
    coarse: np.ndarray
    bias: np.ndarray
    inner: np.ndarray


def lay_out(layer: nw.Stem, width: int, *, grey: bool) -> Weights:
    """Parameters and scratch for pictures of a width, with or without colour.

    Inner channels are filled up with zeros.
    """
    fill = -len(layer.fine_bias) % _SUMS
    fine = np.pad(layer.fine_weights, ((0, fill), (0, 0), (0, 0), (0, 0))).astype(np.int16)
    inner = len(fine)
    kind, form = (Grey, _PAIRS) if grey and not SIGNED_INPUTS else (Coloured, _USUAL)
    if kind is Grey:
        fine = fine.sum(axis=3, keepdims=True, dtype=np.int16)
    colours = fine.shape[3]
    fine = fine.reshape(inner, 3, 3 * colours)
    fine = np.pad(fine, ((0, 0), (0, 0), (0, -3 * colours % form.group))).reshape(inner, -1)
    spare = 2 * colours * _FINE_POSITIONS + form.group
    coarse = np.pad(layer.coarse_weights, ((0, 0), (0, 0), (0, 0), (0, fill)))
    coarse = coarse.reshape(-1, 2, 2, inner // _SUMS, _SUMS).transpose(0, 1, 3, 2, 4)
    coarse = coarse.reshape(layer.channels, -1)
    return Weights(
        fine=kind(
            weights=_in_groups(fine, _SUMS, form),
            bias=aligned(np.pad(layer.fine_bias, (0, fill)) + _less_offset(fine, form)),
            pixels=np.zeros((3, colours * (width + 2) + spare), form.inputs),
            repeats=colours if grey else 1,
        ),
        coarse=_in_groups(coarse, LANES, _USUAL),
        bias=aligned(layer.coarse_bias + _less_offset(coarse, _USUAL)),
        inner=aligned(
            np.zeros((2, inner // _SUMS, width // 2 + _FINE_POSITIONS, _SUMS), _USUAL.inputs)
        ),
    )


def _in_groups(weights: np.ndarray, lanes: int, form: _Format) -> np.ndarray:
    outputs, taps = weights.shape
    groups = weights.reshape(outputs // lanes, lanes, taps // form.group, form.group)
    groups = groups.transpose(0, 2, 1, 3).astype(form.weights)
    if form is _FOURS and PAIRS_APART:
        blocks = groups.reshape(*groups.shape[:2], lanes // 4, 4, 2, 2)
        groups = blocks.swapaxes(3, 4).reshape(groups.shape)
    return aligned(groups)


def _less_offset(weights: np.ndarray, form: _Format) -> np.ndarray:
    """What sums lack of inputs that are kept without the offset: int32 (outputs,)."""
    return form.offset * weights.sum(axis=1, dtype=np.int32)


def _accumulator(tile: Tile, positions: int) -> Any:
    """An intrinsic: add the products of one group of inputs, at several positions, to a tile."""

    def accumulate(
        typing_context: Any, sums: Any, values: Any, at: Any, step: Any, weights: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sums, values, at, step, weights, line = arguments
            vectors = tile.count // positions
            width = signature.args[4].dtype.bitwidth
            products = ir.VectorType(ir.IntType(width), 32 // width * _SUMS)
            inputs = []
            for position in range(positions):
                where = builder.add(at, builder.mul(step, ir.Constant(step.type, position)))
                pointer = address(context, builder, signature.args[1], values, where)
                group = builder.load(builder.bitcast(pointer, ir.IntType(32).as_pointer()))
                group.align = 1
                inputs.append(builder.bitcast(splat(builder, group, _SUMS), products))
            for number in range(vectors):
                where = builder.add(line, ir.Constant(line.type, products.count * number))
                pointer = address(context, builder, signature.args[4], weights, where)
                taps = load_vector(builder, pointer, products)
                for position in range(positions):
                    place = position * vectors + number
                    total = builder.extract_value(sums, place)
                    total = add_products(builder, total, inputs[position], taps)
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
    some = [builder.extract_value(sums, place) for place in places]
    return [shift_right(builder, value, by) for value in some]


@intrinsic
def _finish_fine(typing_context: Any, sums: Any, shift: Any, inner: Any, at: Any) -> Any:
    """Shift, clip to 0 .. 255 and write the positions of 16 channels, side by side."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, shift, inner, at = arguments
        kind = ir.VectorType(ir.IntType(signature.args[2].dtype.bitwidth), _AT_ONCE * _SUMS)
        for first in range(0, _FINE_POSITIONS, _AT_ONCE):
            some = _shifted(builder, sums, shift, range(first, first + _AT_ONCE))
            octets = clip_to_bytes(builder, some)
            if _OFFSET:
                octets = builder.sub(octets, constant(octets.type, _OFFSET))
            values = builder.zext(octets, kind)
            where = builder.add(at, ir.Constant(at.type, first * _SUMS))
            pointer = address(context, builder, signature.args[2], inner, where)
            store_vector(builder, values, pointer)
        return context.get_dummy_value()

    return types.void(_FINE, types.int32, inner, types.intp), generate


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
                [clip_to_int16(builder, *values[i : i + 2]) for i in range(at, at + each, 2)],
            )
            for at in range(0, _COARSE.count, each)
        ]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(sixty4, _COARSE_POSITIONS)(_COARSE, types.int32), generate


@inlined
def _fill_pixels(image, first, length, colours, row, pixels, repeats):
    # The row of a flat picture that begins at ``first``, its leftmost pixel repeated before it.
    values = colours * repeats
    for value in range(values):
        pixels[row, value] = image[first + value // repeats] - _OFFSET
    line, target = image[first : first + length], pixels[row, values : values + length * repeats]
    if repeats == 1:
        for x in range(length):
            target[x] = line[x] - _OFFSET
    else:
        for x in range(length):
            for channel in range(3):
                target[3 * x + channel] = line[x] - _OFFSET


def _fine_row(fine: Any, shift: Any, inner: Any, row: Any, first: Any) -> None:
    """Convolve ``fine.pixels``, the uppermost row in turn ``first % 3``, into ``inner[row]``.

    Positions beyond the width are computed from zeros or leftovers and never read.
    """
    raise NotImplementedError


def _row_walker(colours: int, group: int) -> Any:
    groups_of_row = -(-3 * colours // group)
    step, line_length = 2 * colours, group * _SUMS

    def walk(fine: Any, shift: Any, inner: Any, row: Any, first: Any) -> None:
        weights, pixels = fine.weights, fine.pixels
        pitch = pixels.shape[1]
        _, panels, positions, _ = inner.shape
        width = positions - _FINE_POSITIONS
        for panel in range(panels):
            for column in range(0, width, _FINE_POSITIONS):
                sums = _start_fine(fine.bias, panel * _SUMS)
                line = panel * weights.shape[1] * line_length
                for i in range(3):
                    at = (first + i) % 3 * pitch + step * column
                    for number in range(groups_of_row):
                        place = at + group * number
                        sums = _accumulate_fine(sums, pixels, place, step, weights, line)
                        line += line_length
                at = ((row * panels + panel) * positions + column) * _SUMS
                _finish_fine(sums, shift, inner, at)

    return walk


implements(_fine_row, Coloured)(_row_walker(3, _GROUP))
implements(_fine_row, Grey)(_row_walker(1, _PAIRS.group))


@kernel
def stem(image, weights, fine_shift, coarse_shift, out, threshold, border, signs):
    """``reference.stem``, and the first block's bits of it.

    Args:
        image: uint8 (h, w, 3), or (h, w) without colour.
        weights: from :func:`lay_out`, for this width and such pictures.
        fine_shift: int32, bits to the right.
        coarse_shift: int32, bits to the right.
        out: int16 (h / 4, w / 4, channels), written.
        threshold: int16 (channels,), of the first block.
        border: clear positions of ``signs`` above and to the left.
        signs: uint64 (h / 4 + .., w / 4 + .., channels / 64): ``out > threshold``, written inside
            its border. Empty if no block follows.
    """
    rows, columns, channels = out.shape
    inner, step = weights.inner, 2 * _SUMS
    pitch, runs = inner.shape[2] * _SUMS, 2 * inner.shape[1]
    wants_signs = signs.size > 0
    flat, length = image.reshape(image.size), image.size // image.shape[0]
    colours = length // image.shape[1]
    for row in range(rows):
        for half in range(2):
            # The last picture row of one fine row is the first of the next: three take turns.
            fine_row = 2 * row + half
            for i in range(1 if fine_row else 0, 3):
                y = 2 * fine_row + i - 1
                place, turn = max(y, 0) * length, (y + 1) % 3
                fine = weights.fine
                _fill_pixels(flat, place, length, colours, turn, fine.pixels, fine.repeats)
            _fine_row(weights.fine, fine_shift, inner, half, 2 * fine_row)
        for panel in range(channels // LANES):
            level = load(threshold, panel * LANES)
            for column in range(0, columns, _COARSE_POSITIONS):
                sums = _start_coarse(weights.bias, panel * LANES)
                line = panel * weights.coarse.shape[1] * _GROUP * LANES
                for run in range(runs):
                    at = run * pitch + step * column
                    for place in range(0, step, _GROUP):
                        sums = _accumulate_coarse(
                            sums, inner, at + place, step, weights.coarse, line
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
