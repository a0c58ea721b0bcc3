"""Counting mismatches on x86-64 with AVX-512 VPOPCNTDQ: a lane is an output channel.

Words are counted three at a time. Let ``a``, ``b``, ``c`` be where three words of a pixel differ
from three words of weights. A full adder makes of them ``parity + 2 * majority``, so that two words
remain to be counted; and it costs less than it seems to, for the parity is known without them: the
differences of three words have the parity of the words themselves. So ``parity`` is one exclusive
or of *x1 ^ x2 ^ x3*, which is the same for all output channels and made once per map, with *w1 ^ w2
^ w3*, which is stored in place of *w3*; and ``majority`` is a function of ``a``, ``b`` and
``parity``. Per register of sixteen 32-bit lanes: three ``vpxord``, one ``vpternlogd``, two
``vpopcntd``, one ``vpaddd``, and one ``vpdpbusd`` that adds twice the other count. Words left over
take ``vpxord``, ``vpopcntd``, ``vpaddd`` each.

A step takes them of two pixels and of 64 output channels: eight registers of weights a word, four
for each half of it, and eight of running counts; a pixel's words are broadcast from memory, which
costs no vector instruction.

Bound. 3 * 512 multiply-accumulates (MAC) per eight instructions, two of which start per cycle: 384
MAC per cycle; of words left over, 341. Eight independent chains hide the latencies; loads (24 + 12
for 128 instructions) are far from their limit.

The counts leave as 16-bit lanes: one instruction makes one register of two (of counts of whole
words, in 64-bit lanes, it would take six). It takes four lanes of each by turns; the weights lie in
such an order that the lanes then stand in the order of the channels.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.compiled import implements, inlined
from kernels.counting import count_last_window, count_window, prepare
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

_WIDTH = 16  # lanes of a register
_VECTORS = LANES // _WIDTH
_TILES = {pixels: Tile(32, _WIDTH, pixels * _VECTORS) for pixels in (1, 2)}
_CHANNELS = np.arange(LANES).reshape(2, 4, 2, 4).transpose(0, 2, 1, 3).reshape(-1)
"""Channel held by each lane of the four registers: 0 .. 3, 8 .. 11, .., 24 .. 27; 4 .. 7, ..."""
_LINE = 2 * LANES  # half words of a line


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
        words: uint32 (outputs / 64, lines, 2, 64); a line is a word of a tap, or the exclusive or
            of it and the two before it, see :func:`lay_out`, its lower half first.
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
    halves = panels.view(np.uint32).reshape(outputs // LANES, LANES, lines, 2)
    parities = np.zeros(rows * columns * words if threes else 0, np.uint64)
    return Weights(aligned(halves.transpose(0, 2, 3, 1)), parities)


def _counter(pixels: int) -> Any:
    """An intrinsic: add one word of each pixel, a step apart, against a line of 64."""
    tile_type = _TILES[pixels]

    def count(
        typing_context: Any, tile: Any, bits: Any, at: Any, step: Any, words: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tile, bits, at, step, words, line = arguments
            source = signature.args[1], bits, at
            line_of_weights = signature.args[4], words, line
            for half in range(2):
                values = _of_pixels(context, builder, source, half, step, pixels)
                for number in range(_VECTORS):
                    weights = _weights(context, builder, line_of_weights, half, number)
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
            lines = [
                (kinds[5], words, builder.add(line, ir.Constant(line.type, place * _LINE)))
                for place in range(3)
            ]
            for half in range(2):
                values = [
                    _of_pixels(context, builder, source, half, step, pixels) for source in sources
                ]
                for number in range(_VECTORS):
                    weights = [_weights(context, builder, of, half, number) for of in lines]
                    for pixel in range(pixels):
                        place = pixel * _VECTORS + number
                        one, two, parity = (
                            builder.xor(value[pixel], line_of)
                            for value, line_of in zip(values, weights, strict=True)
                        )
                        total = builder.extract_value(tile, place)
                        total = builder.add(total, _popcount(builder, parity))
                        majority = _popcount(builder, _majority(builder, one, two, parity))
                        total = _add_twice(builder, total, majority)
                        tile = builder.insert_value(tile, total, place)
            return tile

        arguments = (tile_type, bits, parities, types.intp, types.intp, words, types.intp)
        return tile_type(*arguments), generate

    return intrinsic(count)


_Source = tuple[Any, Any, Any]
"""An array's type, the array, and a flat element number in it."""


def _of_pixels(
    context: Any, builder: Any, source: _Source, half: int, step: Any, pixels: int
) -> list[Any]:
    """Half a word of each pixel, in all lanes."""
    kind, array, at = source
    values = []
    for pixel in range(pixels):
        where = builder.add(at, builder.mul(step, ir.Constant(step.type, pixel)))
        word = address(context, builder, kind, array, where)
        halves = builder.bitcast(word, ir.IntType(32).as_pointer())
        value = builder.load(builder.gep(halves, [ir.Constant(ir.IntType(32), half)]))
        values.append(splat(builder, value, _WIDTH))
    return values


def _weights(context: Any, builder: Any, source: _Source, half: int, number: int) -> Any:
    kind, words, line = source
    where = builder.add(line, ir.Constant(line.type, half * LANES + number * _WIDTH))
    return load_vector(builder, address(context, builder, kind, words, where), _TILES[1].vector)


def _popcount(builder: Any, value: Any) -> Any:
    return call(builder, "llvm.ctpop.v16i32", value.type, value)


def _majority(builder: Any, one: Any, two: Any, parity: Any) -> Any:
    how = ir.Constant(ir.IntType(32), _MAJORITY)
    name = "llvm.x86.avx512.pternlog.d.512"
    return call(builder, name, one.type, one, two, parity, how)


def _add_twice(builder: Any, total: Any, counts: Any) -> Any:
    """Counts of at most 32, so that the lowest byte of a lane holds one."""
    twos = constant(total.type, 0x02020202)
    return call(builder, "llvm.x86.avx512.vpdpbusd.512", total.type, total, counts, twos)


def _narrower(pixels: int) -> Any:
    """An intrinsic: the counts of each pixel in 16 bits."""
    tile_type = _TILES[pixels]

    def narrow(typing_context: Any, tile: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            counts = [
                builder.extract_value(arguments[0], place) for place in range(tile_type.count)
            ]
            kind = ir.VectorType(ir.IntType(16), 2 * _WIDTH)
            name = "llvm.x86.avx512.packssdw.512"
            pairs = zip(counts[::2], counts[1::2], strict=True)
            halves = [call(builder, name, kind, *pair) for pair in pairs]
            parts = [concatenate(builder, halves[i : i + 2]) for i in range(0, len(halves), 2)]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(sixty4, pixels)(tile_type), generate

    return intrinsic(narrow)


@implements(prepare, Weights)
def _prepare(weights, bits, step):
    flat, parities = bits.reshape(bits.size), weights.parities
    for place in range(min(parities.size, flat.size) - 2):
        parities[place] = flat[place] ^ flat[place + 1] ^ flat[place + 2]


def _walker(pixels: int) -> Any:
    """The windows of so many pixels; gives a Sixty4 each."""
    nothing, narrow = zeros(_TILES[pixels]), _narrower(pixels)
    count, count_three = _counter(pixels), _three_counter(pixels)

    # What comes first is not added to nothing: LLVM sees it if no branch lies between.

    @inlined
    def words_alone(weights, line, bits, at, words, step):
        tile = count(nothing(), bits, at, step, weights.words, line)
        for word in range(1, words):
            line += _LINE
            tile = count(tile, bits, at + word, step, weights.words, line)
        return narrow(tile)

    @inlined
    def threes_first(weights, line, bits, first, pitch, kernel, words, step):
        threes, rest = kernel * words // 3, kernel * words % 3
        parities = weights.parities
        tile = count_three(nothing(), bits, parities, first, step, weights.words, line)
        begun = 1
        for row in range(kernel):
            at = first + row * pitch + 3 * begun
            line += 3 * _LINE * begun
            for _ in range(begun, threes):
                tile = count_three(tile, bits, parities, at, step, weights.words, line)
                at += 3
                line += 3 * _LINE
            for _ in range(rest):
                tile = count(tile, bits, at, step, weights.words, line)
                at += 1
                line += _LINE
            begun = 0
        return narrow(tile)

    def walk(
        weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
    ) -> Any:
        words = bits.shape[2]
        line = panel * weights.words.shape[1] * _LINE
        first, pitch = (row * bits.shape[1] + column) * words, bits.shape[1] * words
        if kernel * words < 3:
            return words_alone(weights, line, bits, first, words, step * words)
        return threes_first(weights, line, bits, first, pitch, kernel, words, step * words)

    return inlined(walk)


_walk_one = _walker(1)
_walk_two = _walker(2)


@implements(count_window, Weights)
def _count_window(weights, panel, bits, row, column, kernel, step):
    return _walk_two(weights, panel, bits, row, column, kernel, step)


@implements(count_last_window, Weights)
def _count_last_window(weights, panel, bits, row, column, kernel, step):
    return _walk_one(weights, panel, bits, row, column, kernel, step)[0]
