"""Counting mismatches on x86-64 with AVX-512 VPOPCNTDQ: lane = output channel, a word per lane.

A step takes one word of 64 input channels of each of two pixels and one word of weights of each of
64 output channels: eight registers of weights, two of pixels (a broadcast from memory costs no
vector instruction), sixteen of running counts. Per register and pixel: ``vpxorq``, ``vpopcntq``,
``vpaddq``.

Bound. 512 multiply-accumulates (MAC) per three instructions; two 512-bit instructions start per
cycle: 341 MAC per cycle. The step has no other vector instructions; sixteen independent chains
hide the latencies; loads (8 + 2 for 48 instructions) are far from their limit.

The counts leave as 16-bit lanes. Four registers of eight 64-bit counts become one of thirty-two
16-bit ones by two shifts and ORs; the weights lie in such an order that the lanes then stand in
the order of the channels.
"""

from __future__ import annotations

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

BOUND_MACS_PER_CYCLE = 341

_VECTORS = LANES // 8
_TILES = {pixels: Tile(64, 8, pixels * _VECTORS) for pixels in (1, 2)}
_CHANNELS = np.arange(LANES).reshape(2, 8, 4).transpose(0, 2, 1).reshape(-1)
"""Channel held by each lane of the eight registers: 0 4 8 .. 28, 1 5 9 .., ..."""


class Weights(NamedTuple):
    """A layer's weights.

    Attributes:
        words: uint64 (outputs / 64, lines, 64); a line is a word of a tap.
    """

    words: np.ndarray


def lay_out(weights: np.ndarray, source_shape: tuple[int, int, int]) -> Weights:
    """Weights uint64 (outputs, lines) in the order in which they are read."""
    del source_shape
    outputs, lines = weights.shape
    panels = weights.reshape(outputs // LANES, LANES, lines)[:, _CHANNELS]
    return Weights(aligned(panels.transpose(0, 2, 1)))


def _counter(pixels: int) -> Any:
    """An intrinsic: add one word of each pixel, a step apart, against a line of 64."""
    tile_type = _TILES[pixels]

    def count(
        typing_context: Any, tile: Any, bits: Any, at: Any, step: Any, words: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tile, bits, at, step, words, line = arguments
            values = []
            for pixel in range(pixels):
                where = builder.add(at, builder.mul(step, ir.Constant(step.type, pixel)))
                pointer = address(context, builder, signature.args[1], bits, where)
                values.append(splat(builder, builder.load(pointer), 8))
            for number in range(_VECTORS):
                where = builder.add(line, ir.Constant(line.type, 8 * number))
                pointer = address(context, builder, signature.args[4], words, where)
                weights = load_vector(builder, pointer, tile_type.vector)
                for pixel in range(pixels):
                    place = pixel * _VECTORS + number
                    different = builder.xor(values[pixel], weights)
                    different = call(builder, "llvm.ctpop.v8i64", tile_type.vector, different)
                    total = builder.add(builder.extract_value(tile, place), different)
                    tile = builder.insert_value(tile, total, place)
            return tile

        arguments = (tile_type, bits, types.intp, types.intp, words, types.intp)
        return tile_type(*arguments), generate

    return intrinsic(count)


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
    pass


def _walker(pixels: int) -> Any:
    """The windows of so many pixels, word by word; gives a Sixty4 each."""
    nothing, count, narrow = zeros(_TILES[pixels]), _counter(pixels), _narrower(pixels)

    def walk(
        weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
    ) -> Any:
        words = bits.shape[2]
        line = panel * weights.words.shape[1] * LANES
        tile = nothing()
        for i in range(kernel):
            at = ((row + i) * bits.shape[1] + column) * words
            for place in range(kernel * words):
                tile = count(tile, bits, at + place, step * words, weights.words, line)
                line += LANES
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
