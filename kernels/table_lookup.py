"""Counting mismatches by table lookup on pairs of pixels: x86-64 from SSSE3 on, and aarch64.

One byte lane = one output channel; a weight is stored as the number of its nibble, a byte each. For
the nibbles ``a0`` and ``a1`` of two neighbouring pixels, row ``a1 << 4 | a0`` of a table of 256
rows of 16 bytes holds ``popcount(a0 ^ w) | popcount(a1 ^ w) << 4`` for every weight ``w``. So one
broadcast of 16 bytes from memory and one byte shuffle give the mismatches of four input channels,
for two pixels and as many output channels as a register has bytes.

Three lookups fit into the nibbles of a byte (3 * 4 < 16); then the byte as a whole is added to one
sum and its upper nibble to another. The first one overflows, which is harmless: sixteen times the
second taken away, modulo 256, leaves the lower nibbles' sum. 48 lookups fit a byte (48 * 4 < 256);
then both are widened to 16 bits. 48 nibbles are three words of 64 channels.

Bound. Three lookups of a register on two pixels are three shuffles, two additions, and for the sums
two additions and a shift: on aarch64 the shift is part of an addition (``usra``), seven vector
instructions or 2.33 per 128 bits of multiply-accumulates (MAC); on x86-64 a shift of bytes takes a
mask as well, nine for 768 MAC. At four a cycle (Zen) that is 341 MAC per cycle, at three (Intel)
256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.compiled import implements
from kernels.counting import (
    count_last_as_one_of_two,
    count_window,
    prepare,
)
from kernels.vectors import (
    LANES,
    REGISTER_BYTES,
    Tile,
    address,
    aligned,
    both_pixels,
    concatenate,
    constant,
    load_vector,
    look_up,
    store_vector,
    widen,
    zeros,
)

BOUND_MACS_PER_CYCLE = 341

_NIBBLES = 16  # per word
_AT_ONCE = 3
_BEFORE_WIDENING = 48
_VECTORS = LANES // REGISTER_BYTES
_SUMS = Tile(8, REGISTER_BYTES, 2 * _VECTORS)
_TOTALS = Tile(16, LANES, 2)
_no_sums, _no_totals = zeros(_SUMS), zeros(_TOTALS)
_both = both_pixels(_TOTALS)
_widen = widen(_TOTALS, _SUMS)
_LOW = np.uint64(0x0F0F0F0F0F0F0F0F)
_FOUR = np.uint64(4)


class Weights(NamedTuple):
    """A layer's weights, the table, and room for what is known of the map.

    Attributes:
        nibbles: uint8 (outputs / 64, 16 * lines, 64), values 0 .. 15; a line is a word of a tap.
        table: uint8 (256, 16).
        pairs: uint16 (rows, columns, 16 * words): offset into the table for the nibbles of a pixel
            and the one a step to the right.
    """

    nibbles: np.ndarray
    table: np.ndarray
    pairs: np.ndarray


def lay_out(weights: np.ndarray, source_shape: tuple[int, int, int]) -> Weights:
    """Weights uint64 (outputs, lines) in the order in which they are read."""
    outputs, lines = weights.shape
    octets = weights.reshape(outputs // LANES, LANES, lines, 1).view(np.uint8)
    # Of each word, first the low nibbles of its eight bytes, then the high ones.
    nibbles = np.concatenate([octets & 15, octets >> 4], axis=3)
    ordered = nibbles.transpose(0, 2, 3, 1).reshape(outputs // LANES, _NIBBLES * lines, LANES)
    rows, columns, words = source_shape
    pairs = np.zeros((rows, columns, _NIBBLES * words), np.uint16)
    return Weights(aligned(ordered), aligned(_table()), pairs)


def _table() -> np.ndarray:
    pair, weight = np.arange(256)[:, None], np.arange(16)[None, :]
    first = np.bitwise_count((pair & 15) ^ weight)
    second = np.bitwise_count((pair >> 4) ^ weight)
    return (first | second << 4).astype(np.uint8)


@intrinsic
def _store_offsets(typing_context: Any, pairs: Any, at: Any, low: Any, high: Any) -> Any:
    """Sixteen table offsets from two words of eight pairs."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs, at, low, high = arguments
        octets = ir.VectorType(ir.IntType(8), 8)
        both = concatenate(builder, [builder.bitcast(low, octets), builder.bitcast(high, octets)])
        wide = ir.VectorType(ir.IntType(16), _NIBBLES)
        offsets = builder.shl(builder.zext(both, wide), constant(wide, 4))
        store_vector(builder, offsets, address(context, builder, signature.args[0], pairs, at))
        return context.get_dummy_value()

    return types.void(pairs, types.intp, types.uint64, types.uint64), generate


def _counter(lookups: int) -> Any:
    """An intrinsic: so many lookups one after the other, three at a time, added to the sums."""

    def count(
        typing_context: Any, sums: Any, table: Any, pairs: Any, at: Any, nibbles: Any, line: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sums, table, pairs, at, nibbles, line = arguments
            for first in range(0, lookups, _AT_ONCE):
                numbers = range(first, min(first + _AT_ONCE, lookups))
                rows = {}
                for number in numbers:
                    where = builder.add(at, ir.Constant(at.type, number))
                    pointer = address(context, builder, signature.args[2], pairs, where)
                    offset = builder.zext(builder.load(pointer), ir.IntType(64))
                    pointer = address(context, builder, signature.args[1], table, offset)
                    row = load_vector(builder, pointer, ir.VectorType(ir.IntType(8), 16))
                    rows[number] = concatenate(builder, [row] * (REGISTER_BYTES // 16))
                for place in range(_VECTORS):
                    total = None
                    for number, row in rows.items():
                        start = LANES * number + REGISTER_BYTES * place
                        where = builder.add(line, ir.Constant(line.type, start))
                        pointer = address(context, builder, signature.args[4], nibbles, where)
                        weights = load_vector(builder, pointer, _SUMS.vector)
                        found = look_up(builder, row, weights)
                        total = found if total is None else builder.add(total, found)
                    high = builder.lshr(total, constant(_SUMS.vector, 4))
                    for to, part in ((place, total), (_VECTORS + place, high)):
                        grown = builder.add(builder.extract_value(sums, to), part)
                        sums = builder.insert_value(sums, grown, to)
            return sums

        arguments = (_SUMS, table, pairs, types.intp, nibbles, types.intp)
        return _SUMS(*arguments), generate

    return intrinsic(count)


_count_some = _counter(_NIBBLES)
_count_most = _counter(_BEFORE_WIDENING)


@intrinsic
def _separate(typing_context: Any, sums: Any) -> Any:
    """Take the second pixel out of the first one's sums."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (sums,) = arguments
        for place in range(_VECTORS):
            second = builder.extract_value(sums, _VECTORS + place)
            sixteenfold = builder.shl(second, constant(_SUMS.vector, 4))
            first = builder.sub(builder.extract_value(sums, place), sixteenfold)
            sums = builder.insert_value(sums, first, place)
        return sums

    return _SUMS(_SUMS), generate


@implements(prepare, Weights)
def _prepare(weights, bits, step):
    rows, columns, words = bits.shape
    at = 0
    for row in range(rows):
        for column in range(columns):
            right = min(column + step, columns - 1)
            for word in range(words):
                one, two = bits[row, column, word], bits[row, right, word]
                low = (one & _LOW) | ((two & _LOW) << _FOUR)
                high = ((one >> _FOUR) & _LOW) | (two & ~_LOW)
                _store_offsets(weights.pairs, at, low, high)
                at += _NIBBLES


@implements(count_window, Weights)
def _count_window(weights, panel, bits, row, column, kernel, step):
    words = bits.shape[2]
    line = panel * weights.nibbles.shape[1] * LANES
    count = kernel * words * _NIBBLES
    totals = _no_totals()
    for i in range(kernel):
        at = ((row + i) * bits.shape[1] + column) * words * _NIBBLES
        end = at + count
        while at < end:
            sums = _no_sums()
            if at + _BEFORE_WIDENING <= end:
                sums = _count_most(sums, weights.table, weights.pairs, at, weights.nibbles, line)
                at += _BEFORE_WIDENING
                line += _BEFORE_WIDENING * LANES
            else:
                sums = _count_some(sums, weights.table, weights.pairs, at, weights.nibbles, line)
                at += _NIBBLES
                line += _NIBBLES * LANES
            totals = _widen(totals, _separate(sums))
    return _both(totals)


count_last_as_one_of_two(Weights)
