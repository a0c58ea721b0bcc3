"""Counting mismatches on x86-64 with AVX-512 VPOPCNTDQ: lane = output channel, a word per lane.

Words are counted three at a time. Let ``a``, ``b``, ``c`` be where three words of a pixel differ
from three words of weights. A full adder makes of them ``parity + 2 * majority``, so that two words
remain to be counted; and it costs less than it seems to, for the parity is known without them: the
differences of three words have the parity of the words themselves. So ``parity`` is one exclusive
or of *x1 ^ x2 ^ x3*, which is the same for all output channels and made once per map, with *w1 ^ w2
^ w3*, which is stored in place of *w3*; and ``majority`` is a function of ``a``, ``b`` and
``parity``. Per register of eight 64-bit lanes: three ``vpxorq``, one ``vpternlogq``, two
``vpopcntq``, one ``vpaddq``, and one ``vpdpbusd`` that adds twice the other count. Words left over
take ``vpxorq``, ``vpopcntq``, ``vpaddq`` each.

A step takes them of two pixels and of 64 output channels: eight registers of weights a word,
sixteen of running counts; a pixel's words are broadcast from memory, which costs no vector
instruction.

Bound. 3 * 512 multiply-accumulates (MAC) per eight instructions, two of which start per cycle: 384
MAC per cycle; of words left over, 341. Sixteen independent chains hide the latencies; loads (24 + 6
for 128 instructions) are far from their limit.

The counts leave as 16-bit lanes. Four registers of eight 64-bit counts become one of thirty-two
16-bit ones by two shifts and ORs; the weights lie in such an order that the lanes then stand in
the order of the channels.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.compiled import inlined
from kernels.counting import count_last_window, count_window, prepare, way_of_counting
from kernels.vectors import (
    LANES,
    Tile,
    address,
    aligned,
    call,
    concatenate,
    constant,
    load_vector,
    sixty4,
    splat,
    zeros,
)

BOUND_MACS_PER_CYCLE = 384

_VECTORS = LANES // 8
_TILES = {pixels: Tile(64, 8, pixels * _VECTORS) for pixels in (1, 2)}
_CHANNELS = np.arange(LANES).reshape(2, 8, 4).transpose(0, 2, 1).reshape(-1)
"""Channel held by each lane of the eight registers: 0 4 8 .. 28, 1 5 9 .., ..."""


# Where a majority of three is set, by two of them and the parity of all, as vpternlogq has it.
_MAJORITY = sum(
    (a + b + (a ^ b ^ parity) >= 2) << (4 * a + 2 * b + parity)
    for a in range(2)
    for b in range(2)
    for parity in range(2)
)


class Weights(NamedTuple):
    """A layer's weights, and room for what is made once of a map.

    Attributes:
        words: uint64 (outputs / 64, lines, 64); a line is a word of a tap, or the exclusive or of
            it and the two before it, see :func:`lay_out`.
        parities: uint64 (rows * columns * words,), of each word of a map and the two after it;
            empty if windows have no three words side by side.
    """

    words: np.ndarray
    parities: np.ndarray


def lay_out(weights: np.ndarray, source_shape: tuple[int, int, int]) -> Weights:
    """Weights uint64 (outputs, lines) in the order in which they are read.

    A row of a window is a run of words side by side: threes, as many as there are, then the rest.
    """
    rows, columns, words = source_shape
    outputs, lines = weights.shape
    kernel = isqrt(lines // words)
    runs = weights.reshape(outputs, kernel, kernel * words).copy()
    threes = kernel * words // 3
    for first in range(0, 3 * threes, 3):
        runs[..., first + 2] = np.bitwise_xor.reduce(runs[..., first : first + 3], axis=2)
    panels = runs.reshape(outputs // LANES, LANES, lines)[:, _CHANNELS]
    parities = np.zeros(rows * columns * words if threes else 0, np.uint64)
    return Weights(aligned(panels.transpose(0, 2, 1)), parities)


def _counter(pixels: int) -> Any:
    """An intrinsic: add one word of each pixel, a step apart, against a line of 64."""
    tile_type = _TILES[pixels]

    def count(
        typing_context: Any, tile: Any, bits: Any, at: Any, step: Any, words: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tile, bits, at, step, words, line = arguments
            kinds = signature.args
            values = _of_pixels(context, builder, kinds[1], bits, at, step, pixels)
            for number in range(_VECTORS):
                where = builder.add(line, ir.Constant(line.type, 8 * number))
                weights = _weights(context, builder, kinds[4], words, where)
                for pixel in range(pixels):
                    place = pixel * _VECTORS + number
                    different = _popcount(builder, builder.xor(values[pixel], weights))
                    total = builder.add(builder.extract_value(tile, place), different)
                    tile = builder.insert_value(tile, total, place)
            return tile

        arguments = (tile_type, bits, types.intp, types.intp, words, types.intp)
        return tile_type(*arguments), generate

    return intrinsic(count)


def _three_counter(pixels: int) -> Any:
    """An intrinsic: add three words of each pixel, a step apart, against three lines of 64."""
    tile_type = _TILES[pixels]

    def count(
        typing_context: Any,
        tile: Any,
        bits: Any,
        parities: Any,
        at: Any,
        step: Any,
        words: Any,
        line: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tile, bits, parities, at, step, words, line = arguments
            kinds = signature.args
            after = builder.add(at, ir.Constant(at.type, 1))
            sources = ((kinds[1], bits, at), (kinds[1], bits, after), (kinds[2], parities, at))
            values = [
                _of_pixels(context, builder, kind, array, where, step, pixels)
                for kind, array, where in sources
            ]
            for number in range(_VECTORS):
                weights = []
                for place in range(3):
                    where = builder.add(line, ir.Constant(line.type, place * LANES + 8 * number))
                    weights.append(_weights(context, builder, kinds[5], words, where))
                for pixel in range(pixels):
                    place = pixel * _VECTORS + number
                    one, two, parity = (
                        builder.xor(value[pixel], line_of)
                        for value, line_of in zip(values, weights, strict=True)
                    )
                    total = builder.extract_value(tile, place)
                    total = builder.add(total, _popcount(builder, parity))
                    majority = _popcount(builder, _majority(builder, one, two, parity))
                    tile = builder.insert_value(tile, _add_twice(builder, total, majority), place)
            return tile

        arguments = (tile_type, bits, parities, types.intp, types.intp, words, types.intp)
        return tile_type(*arguments), generate

    return intrinsic(count)


def _of_pixels(
    context: Any, builder: Any, kind: Any, array: Any, at: Any, step: Any, pixels: int
) -> list[Any]:
    """A word of each pixel, in all lanes."""
    values = []
    for pixel in range(pixels):
        where = builder.add(at, builder.mul(step, ir.Constant(step.type, pixel)))
        word = builder.load(address(context, builder, kind, array, where))
        values.append(splat(builder, word, 8))
    return values


def _weights(context: Any, builder: Any, kind: Any, words: Any, where: Any) -> Any:
    return load_vector(builder, address(context, builder, kind, words, where), _TILES[1].vector)


def _popcount(builder: Any, value: Any) -> Any:
    return call(builder, "llvm.ctpop.v8i64", value.type, value)


def _majority(builder: Any, one: Any, two: Any, parity: Any) -> Any:
    how = ir.Constant(ir.IntType(32), _MAJORITY)
    name = "llvm.x86.avx512.pternlog.q.512"
    return call(builder, name, one.type, one, two, parity, how)


def _add_twice(builder: Any, total: Any, counts: Any) -> Any:
    """Counts of at most 64, so that the lowest byte of a lane holds one."""
    lanes = ir.VectorType(ir.IntType(32), 16)
    sums, bytes_of_counts = (builder.bitcast(value, lanes) for value in (total, counts))
    twos = constant(lanes, 0x02020202)
    name = "llvm.x86.avx512.vpdpbusd.512"
    return builder.bitcast(call(builder, name, lanes, sums, bytes_of_counts, twos), total.type)


def _narrower(pixels: int) -> Any:
    """An intrinsic: the counts of each pixel in 16 bits."""
    tile_type = _TILES[pixels]

    def narrow(typing_context: Any, tile: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            halves = []
            for first in range(0, tile_type.count, 4):
                packed = builder.extract_value(arguments[0], first)
                for number in range(1, 4):
                    shift = constant(tile_type.vector, 16 * number)
                    counts = builder.extract_value(arguments[0], first + number)
                    packed = builder.or_(packed, builder.shl(counts, shift))
                halves.append(builder.bitcast(packed, ir.VectorType(ir.IntType(16), 32)))
            parts = [concatenate(builder, halves[i : i + 2]) for i in range(0, len(halves), 2)]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(sixty4, pixels)(tile_type), generate

    return intrinsic(narrow)


@way_of_counting(Weights, prepare)
def _prepare(weights, bits, step):
    flat, parities = bits.reshape(bits.size), weights.parities
    for place in range(min(parities.size, flat.size) - 2):
        parities[place] = flat[place] ^ flat[place + 1] ^ flat[place + 2]


def _walker(pixels: int) -> Any:
    """The windows of so many pixels, word by word; gives a Sixty4 each."""
    nothing, narrow = zeros(_TILES[pixels]), _narrower(pixels)
    count, count_three = _counter(pixels), _three_counter(pixels)

    def walk(
        weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
    ) -> Any:
        words = bits.shape[2]
        threes, rest = kernel * words // 3, kernel * words % 3
        line = panel * weights.words.shape[1] * LANES
        first, pitch = (row * bits.shape[1] + column) * words, bits.shape[1] * words
        tile = nothing()
        for _ in range(kernel):
            at = first
            for _ in range(threes):
                tile = count_three(
                    tile, bits, weights.parities, at, step * words, weights.words, line
                )
                at += 3
                line += 3 * LANES
            for _ in range(rest):
                tile = count(tile, bits, at, step * words, weights.words, line)
                at += 1
                line += LANES
            first += pitch
        return narrow(tile)

    return inlined(walk)


_walk_one = _walker(1)
_walk_two = _walker(2)


@way_of_counting(Weights, count_window)
def _count_window(weights, panel, bits, row, column, kernel, step):
    return _walk_two(weights, panel, bits, row, column, kernel, step)


@way_of_counting(Weights, count_last_window)
def _count_last_window(weights, panel, bits, row, column, kernel, step):
    return _walk_one(weights, panel, bits, row, column, kernel, step)[0]
