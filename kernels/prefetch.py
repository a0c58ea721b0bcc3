"""What is read soon, on its way to the first cache before it is.

A camera's picture lies in memory, or in a cache that another core wrote to, and its rows are read
several at a time. A memory bank is read once a picture, and what came between has driven it out of
the caches, at least out of a board's small ones. What a processor guesses by itself comes late: one
instruction a cache line asks for what is needed some hundred cycles later.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.compiled import inlined
from kernels.host import CACHE_LINE_BYTES
from kernels.vectors import address, call

_AHEAD_BYTES = 2048
_READ, _KEEP, _DATA = 0, 3, 1


@inlined
def rows_ahead(pitch: Any) -> Any:
    """How many rows, so many bytes apart, are far enough ahead; they may lie upside down."""
    return 1 + _AHEAD_BYTES // max(abs(pitch), 1)


@inlined
def fetch(array: Any, begin: Any, end: Any) -> Any:
    """Have all lines fetched from one place to another along the first axis of an array."""
    inside = array.size // array.shape[0]
    for place in range(begin * inside, end * inside, CACHE_LINE_BYTES // array.itemsize):
        prefetch(array, place)


@intrinsic
def prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Have the line fetched in which the flat element ``place`` of an array lies.

    It may lie outside the array: then this does nothing.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = address(context, builder, signature.args[0], *arguments)
        how = (ir.Constant(ir.IntType(32), number) for number in (_READ, _KEEP, _DATA))
        call(builder, "llvm.prefetch.p0", ir.VoidType(), where, *how)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
