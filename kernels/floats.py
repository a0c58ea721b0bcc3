"""Floats in vectors: four, of which three are a colour pixel, or sixteen where registers are wide.

Numba leaves sums of three numbers side by side to one instruction each (it does not let LLVM look
for vectors in straight code); as a vector they are one. Every product and every sum is rounded by
itself, so that all processors come to the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vectors import (
    Builder,
    Value,
    Vector,
    address,
    call,
    load_vector,
    repeater,
    splat,
    store_vector,
    storer,
)

_FOUR = ir.VectorType(ir.FloatType(), 4)
_SIXTEEN = ir.VectorType(ir.FloatType(), 16)

pixel = Vector("Pixel", _FOUR)
sixteen = Vector("Sixteen", _SIXTEEN)


def _store_rounded_down(vector: Vector) -> Any:
    """An intrinsic: write numbers of 0 .. 255 into a uint8 array from a flat element on."""
    whole = ir.VectorType(ir.IntType(32), vector.vector.count)
    octets = ir.VectorType(ir.IntType(8), vector.vector.count)

    def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
            array, index, value = arguments
            low = builder.trunc(builder.fptosi(value, whole), octets)
            store_vector(builder, low, address(context, builder, signature.args[0], array, index))
            return context.get_dummy_value()

        return types.void(array, types.intp, vector), generate

    return intrinsic(store)


all_of_pixel, all_of_sixteen = (repeater(vector, types.float32) for vector in (pixel, sixteen))
store_pixel, store_sixteen = _store_rounded_down(pixel), _store_rounded_down(sixteen)
store_floats = storer(sixteen)


@intrinsic
def add_share(typing_context: Any, total: Any, share: Any, values: Any, index: Any) -> Any:
    """``total + share * values[index : index + 4]`` of a float32 array; one share for a pixel."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        total, share, values, index = arguments
        pointer = address(context, builder, signature.args[2], values, index)
        product = builder.fmul(splat(builder, share, 4), load_vector(builder, pointer, _FOUR))
        return builder.fadd(total, product)

    return pixel(pixel, types.float32, values, types.intp), generate


@intrinsic
def add_share_of_bytes(typing_context: Any, total: Any, share: Any, octets: Any, index: Any) -> Any:
    """``total + share * octets[index : index + 16]`` of a uint8 array."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        total, share, octets, index = arguments
        pointer = address(context, builder, signature.args[2], octets, index)
        values = load_vector(builder, pointer, ir.VectorType(ir.IntType(8), 16))
        # By way of 32 bits: no instruction makes a float of a byte.
        values = builder.zext(values, ir.VectorType(ir.IntType(32), 16))
        product = builder.fmul(splat(builder, share, 16), builder.sitofp(values, _SIXTEEN))
        return builder.fadd(total, product)

    return sixteen(sixteen, types.float32, octets, types.intp), generate


@intrinsic
def add_picked(
    typing_context: Any,
    total: Any,
    shares: Any,
    share: Any,
    values: Any,
    first: Any,
    places: Any,
    place: Any,
) -> Any:
    """``total + shares[share : share + 16] * values[first + places[place : place + 16]]``.

    float32 and, ``places``, int32 arrays by flat element number. Places are 0 .. 31: to pick
    sixteen of 32 numbers in a row is one instruction (``vpermt2ps``), of AVX-512 alone.
    """
    numbers = ir.VectorType(ir.IntType(32), 16)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        total, shares, share, values, first, places, place = arguments

        def vector(argument: int, array: Value, index: Value, kind: ir.VectorType) -> Value:
            pointer = address(context, builder, signature.args[argument], array, index)
            return load_vector(builder, pointer, kind)

        low = vector(3, values, first, _SIXTEEN)
        high = vector(3, values, builder.add(first, ir.Constant(first.type, 16)), _SIXTEEN)
        wanted = vector(5, places, place, numbers)
        name = "llvm.x86.avx512.vpermi2var.ps.512"
        picked = call(builder, name, _SIXTEEN, low, wanted, high)
        return builder.fadd(total, builder.fmul(vector(1, shares, share, _SIXTEEN), picked))

    at = types.intp
    return sixteen(sixteen, shares, at, values, at, places, at), generate
