"""Rows of a picture on their way to the first cache before they are read.

A camera's picture lies in memory, or in a cache that another core wrote to, and its rows are read
several at a time: what a processor guesses by itself comes late. One instruction a cache line asks
for what is needed some hundred cycles later.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.compiled import inlined

CACHE_LINE_BYTES = 64
_AHEAD_BYTES = 2048
_READ, _KEEP, _DATA = 0, 3, 1


@inlined
def rows_ahead(pitch: Any) -> Any:
    """How many rows, so many bytes apart, are far enough ahead; they may lie upside down."""
    return 1 + _AHEAD_BYTES // max(abs(pitch), 1)


@intrinsic
def prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Have the line fetched that lies so many bytes after an array's first.

    It may lie outside the array: then this does nothing.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place = arguments
        number, octets = ir.IntType(32), ir.IntType(8).as_pointer()
        data = context.make_array(signature.args[0])(context, builder, array).data
        where = builder.gep(builder.bitcast(data, octets), [place])
        kind = ir.FunctionType(ir.VoidType(), [octets, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [where, *(number(how) for how in (_READ, _KEEP, _DATA))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
