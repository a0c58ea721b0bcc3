"""Counting mismatches on aarch64: lane = output channel, a byte of input channels per lane.

A byte of each of two pixels, broadcast from memory (``ld1r``, no vector arithmetic), meets a byte
of weights of each of 64 output channels, four registers of them. Per register and pixel: ``eor``,
``cnt``, ``add``: 3.0 vector instructions per 128 bits, as many as in the hand-written assembly of
Larq Compute Engine. A byte holds 31 such counts of at most 8; after three words (24 bytes) they are
widened to 16 bits.

Bound. 128 multiply-accumulates per three vector instructions: 85 per cycle on a core that starts
two a cycle (Cortex-A72, A76).
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
    Tile,
    address,
    aligned,
    both_pixels,
    call,
    load_vector,
    splat,
    widen,
    zeros,
)

BOUND_MACS_PER_CYCLE = 85

_BYTES = 8  # per word
_WORDS_BEFORE_WIDENING = 3
_VECTORS = LANES // 16
_SUMS = Tile(8, 16, 2 * _VECTORS)
_TOTALS = Tile(16, LANES, 2)
_no_sums, _no_totals = zeros(_SUMS), zeros(_TOTALS)
_widen, _both = widen(_TOTALS, _SUMS), both_pixels(_TOTALS)


class Weights(NamedTuple):
    """A layer's weights.

    Attributes:
        octets: uint8 (outputs / 64, 8 * lines, 64); a line is a word of a tap.
    """

    octets: np.ndarray


def lay_out(weights: np.ndarray, source_shape: tuple[int, int, int]) -> Weights:
    """Weights uint64 (outputs, lines) in the order in which they are read."""
    del source_shape
    outputs, lines = weights.shape
    octets = np.ascontiguousarray(weights).view(np.uint8)
    panels = octets.reshape(outputs // LANES, LANES, _BYTES * lines)
    return Weights(aligned(panels.transpose(0, 2, 1)))


@intrinsic
def _count_word(
    typing_context: Any, sums: Any, bits: Any, at: Any, step: Any, octets: Any, line: Any
) -> Any:
    """Add one word of two pixels, ``bits[at]`` and ``bits[at + step]``, against eight lines."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, bits, at, step, octets, line = arguments
        byte = ir.IntType(8)
        pixels = []
        for pixel in range(2):
            where = builder.add(at, builder.mul(step, ir.Constant(step.type, pixel)))
            pointer = address(context, builder, signature.args[1], bits, where)
            pixels.append(builder.bitcast(pointer, byte.as_pointer()))
        for part in range(_BYTES):
            offset = ir.Constant(ir.IntType(64), part)
            values = [splat(builder, builder.load(builder.gep(p, [offset])), 16) for p in pixels]
            for number in range(_VECTORS):
                start = ir.Constant(line.type, part * LANES + 16 * number)
                where = builder.add(line, start)
                pointer = address(context, builder, signature.args[4], octets, where)
                weights = load_vector(builder, pointer, _SUMS.vector)
                for pixel in range(2):
                    place = pixel * _VECTORS + number
                    different = builder.xor(values[pixel], weights)
                    different = call(builder, "llvm.ctpop.v16i8", _SUMS.vector, different)
                    total = builder.add(builder.extract_value(sums, place), different)
                    sums = builder.insert_value(sums, total, place)
        return sums

    return _SUMS(_SUMS, bits, types.intp, types.intp, octets, types.intp), generate


@implements(prepare, Weights)
def _prepare(weights, bits, step):
    pass


@implements(count_window, Weights)
def _count_window(weights, panel, bits, row, column, kernel, step):
    words = bits.shape[2]
    line = panel * weights.octets.shape[1] * LANES
    totals = _no_totals()
    for i in range(kernel):
        at = ((row + i) * bits.shape[1] + column) * words
        end = at + kernel * words
        while at < end:
            stop = min(at + _WORDS_BEFORE_WIDENING, end)
            sums = _no_sums()
            while at < stop:
                sums = _count_word(sums, bits, at, step * words, weights.octets, line)
                at += 1
                line += _BYTES * LANES
            totals = _widen(totals, sums)
    return _both(totals)


count_last_as_one_of_two(Weights)
