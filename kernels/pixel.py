"""A colour pixel as one vector: four floats, of which the last is for nothing.

Numba leaves sums of three numbers side by side to one instruction each (it does not let LLVM look
for vectors in straight code); as a vector they are one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vectors import Builder, Value, Vector, address, load_vector, splat, store_vector

_FOUR = ir.VectorType(ir.FloatType(), 4)


pixel = Vector("Pixel", _FOUR)


@intrinsic
def all_of(typing_context: Any, value: Any) -> Any:
    """The same float32 four times."""

    def generate(context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
        return splat(builder, arguments[0], 4)

    return pixel(types.float32), generate


@intrinsic
def add_share(typing_context: Any, total: Any, share: Any, values: Any, index: Any) -> Any:
    """``total + share * values[index : index + 4]`` of a float32 array, rounded after each step."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        total, share, values, index = arguments
        pointer = address(context, builder, signature.args[2], values, index)
        product = builder.fmul(splat(builder, share, 4), load_vector(builder, pointer, _FOUR))
        return builder.fadd(total, product)

    return pixel(pixel, types.float32, values, types.intp), generate


@intrinsic
def store_rounded_down(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a pixel of 0 .. 255 into a uint8 array; one byte more than its three is written."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        array, index, value = arguments
        whole = builder.fptosi(value, ir.VectorType(ir.IntType(32), 4))
        octets = builder.trunc(whole, ir.VectorType(ir.IntType(8), 4))
        store_vector(builder, octets, address(context, builder, signature.args[0], array, index))
        return context.get_dummy_value()

    return types.void(array, types.intp, pixel), generate
