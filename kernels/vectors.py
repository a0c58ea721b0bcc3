"""Vectors in Numba: the few types and instructions that the fast kernels are written with.

LLVM's own vector operations do nearly everything (``ctpop``, ``icmp``, saturating additions) and
are the same on every processor. Five kinds of instruction have to be called by name:

==================  =====================  =====================  =======================
what                x86-64 AVX2            x86-64 AVX-512         aarch64
==================  =====================  =====================  =======================
look up 16 bytes    ``pshufb``             (not used)             ``tbl1``
(a * b + 2^14)>>15  ``pmulhrsw``           ``pmulhrsw``           ``sqrdmulh``
sum of products     ``pmaddwd``; as with   ``vpdpbusd``,          ``sdot``; or ``smull``,
                    AVX-512 if AVX-VNNI    ``vpdpwssd`` (VNNI)    ``smlal``, ``sadalp``
shift by a vector   ``vpsravd``            ``vpsravd``            (LLVM's own)
clip to fewer bits  (LLVM's own)           ``packssdw``           (LLVM's own)
                                           ``packuswb``
==================  =====================  =====================  =======================

x86-64 without AVX2 (Atom) has the same on 16 bytes from SSSE3 on, but for ``vpsravd``.

``Sixty4`` is what all kernels agree on: 64 values of 16 bits, one per output channel of a word.
LLVM splits it into as many registers as the processor needs. A ``Tile`` is a handful of vectors
that stay in registers. Loads and stores address C-contiguous arrays by flat element number and
check nothing; :mod:`kernels.backends.numba` owns the buffers and their sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from kernels.host import ARM, CACHE_LINE_BYTES, FEATURES

LANES = 64
"""Values in a Sixty4: the output channels that make one word of bits."""

_I8, _I16, _I32, _I64 = (ir.IntType(n) for n in (8, 16, 32, 64))
_SIXTY4 = ir.VectorType(_I16, LANES)

Builder = Any
Value = Any


class Tile(types.Type):
    """``count`` vectors of ``lanes`` integers of ``width`` bits."""

    def __init__(self, width: int, lanes: int, count: int) -> None:
        self.width, self.lanes, self.count = width, lanes, count
        super().__init__(name=f"Tile({count} x <{lanes} x i{width}>)")

    @property
    def vector(self) -> ir.VectorType:
        """LLVM's type of one of the vectors."""
        return ir.VectorType(ir.IntType(self.width), self.lanes)


class Vector(types.Type):
    """One vector, of whatever LLVM's type says."""

    def __init__(self, name: str, vector: ir.VectorType) -> None:
        self.vector = vector
        super().__init__(name=name)


sixty4 = Vector("Sixty4", _SIXTY4)


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Tile) -> None:
        super().__init__(manager, kind, ir.ArrayType(kind.vector, kind.count))


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.vector)


def aligned(array: np.ndarray) -> np.ndarray:
    """A C-contiguous copy that begins on a cache line, so that no vector of it straddles two."""
    room = np.zeros(array.nbytes + CACHE_LINE_BYTES, np.uint8)
    start = -room.ctypes.data % CACHE_LINE_BYTES
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


# Building blocks for intrinsics: Python that emits LLVM instructions.


def address(context: Any, builder: Builder, array_type: Any, array: Value, index: Value) -> Value:
    """Pointer to the flat element ``index`` of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def load_vector(builder: Builder, pointer: Value, kind: ir.VectorType) -> Value:
    """Unaligned load."""
    loaded = builder.load(builder.bitcast(pointer, kind.as_pointer()))
    loaded.align = 1
    return loaded


def store_vector(builder: Builder, value: Value, pointer: Value) -> None:
    """Unaligned store."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 1


def splat(builder: Builder, value: Value, lanes: int) -> Value:
    """A vector with the same value in every lane."""
    one = ir.VectorType(value.type, 1)
    single = builder.insert_element(ir.Constant(one, ir.Undefined), value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(single, single, _lanes([0] * lanes))


def constant(kind: ir.VectorType, value: int) -> ir.Constant:
    """The same number in every lane."""
    return ir.Constant(kind, [value] * kind.count)


def call(builder: Builder, name: str, result: Any, *arguments: Value) -> Value:
    """An LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def concatenate(builder: Builder, parts: list[Value]) -> Value:
    """Vectors of one size, a power of two of them, end to end."""
    while len(parts) > 1:
        lanes = _lanes(range(2 * parts[0].type.count))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(a, b, lanes) for a, b in pairs]
    return parts[0]


def split(builder: Builder, value: Value, lanes: int) -> list[Value]:
    """The opposite of :func:`concatenate`: pieces of ``lanes`` lanes."""
    if value.type.count == lanes:
        return [value]
    return [
        builder.shuffle_vector(value, value, _lanes(range(start, start + lanes)))
        for start in range(0, value.type.count, lanes)
    ]


def _lanes(numbers: Any) -> ir.Constant:
    numbers = list(numbers)
    return ir.Constant(ir.VectorType(_I32, len(numbers)), numbers)


# Which names the processor that is compiled for has for the instructions of the table above.

WIDE_REGISTERS = "avx512bw" in FEATURES
"""Whether registers have 512 bits."""

REGISTER_BYTES = 32 if "avx2" in FEATURES else 16
"""Width of the registers that :func:`look_up` works on, and of all others without AVX-512."""


def look_up(builder: Builder, table: Value, index: Value) -> Value:
    """``table[index]`` for bytes, 16 entries repeated in each 128 bits of ``table``."""
    if ARM:
        return call(builder, "llvm.aarch64.neon.tbl1.v16i8", index.type, table, index)
    name = "llvm.x86.avx2.pshuf.b" if REGISTER_BYTES == 32 else "llvm.x86.ssse3.pshuf.b.128"
    return call(builder, name, index.type, table, index)


def _multiply_rounding(builder: Builder, a: Value, b: Value) -> Value:
    if ARM:
        name, lanes = "llvm.aarch64.neon.sqrdmulh.v8i16", 8
    elif WIDE_REGISTERS:
        name, lanes = "llvm.x86.avx512.pmul.hr.sw.512", 32
    elif REGISTER_BYTES == 32:
        name, lanes = "llvm.x86.avx2.pmul.hr.sw", 16
    elif "ssse3" in FEATURES:
        name, lanes = "llvm.x86.ssse3.pmul.hr.sw.128", 8
    else:
        wide = ir.VectorType(_I32, a.type.count)
        product = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
        rounded = builder.add(product, constant(wide, 1 << 14))
        return builder.trunc(builder.ashr(rounded, constant(wide, 15)), a.type)
    return _by_name(builder, name, lanes, a, b)


def _products_by() -> str:
    if ARM:
        return "sdot" if "dotprod" in FEATURES else "smull"
    return "vpdpbusd" if ("avx512vnni" if WIDE_REGISTERS else "avxvnni") in FEATURES else "pmaddwd"


PRODUCTS_BY = _products_by()
"""The instruction that multiplies small integers."""

PRODUCTS_OF_BYTES = PRODUCTS_BY != "pmaddwd"
"""Whether four products of bytes are added to a sum at once. Otherwise two of 16 bits are."""

SIGNED_INPUTS = ARM
"""Whether the inputs of such products are signed bytes. Weights are, and none of them is -128."""

PAIRS_APART = PRODUCTS_BY == "smull"
"""Whether weights of such products lie in blocks of 16 bytes, each with the first two of the four
of four sums and then the other two, instead of four by four."""


def add_products(builder: Builder, sums: Value, inputs: Value, taps: Value) -> Value:
    """``sums`` (16 x i32) plus the products of ``inputs`` and ``taps``, neighbours added.

    Four neighbours a sum, where :data:`PRODUCTS_OF_BYTES`, of 64 bytes; or two, not on aarch64, of
    32 x i16 each.
    """
    if PRODUCTS_BY == "sdot":
        return _by_name(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", 4, sums, inputs, taps)
    if PRODUCTS_BY == "smull":
        return _in_parts(builder, 4, _add_products_of_pairs, sums, inputs, taps)
    in_register = 16 if WIDE_REGISTERS else REGISTER_BYTES // 4
    if PRODUCTS_BY == "vpdpbusd":
        name = "vpdpbusd" if inputs.type.count == 4 * sums.type.count else "vpdpwssd"
        name = f"llvm.x86.avx512.{name}.{32 * in_register}"
        words = [builder.bitcast(value, sums.type) for value in (inputs, taps)]
        return _by_name(builder, name, in_register, sums, *words)
    names = {4: "sse2.pmadd.wd", 8: "avx2.pmadd.wd", 16: "avx512.pmaddw.d.512"}

    def add(builder: Builder, some: Value, a: Value, b: Value) -> Value:
        return builder.add(some, call(builder, f"llvm.x86.{names[in_register]}", some.type, a, b))

    return _in_parts(builder, in_register, add, sums, inputs, taps)


def _by_name(builder: Builder, name: str, lanes: int, *operands: Value) -> Value:
    """An LLVM intrinsic that takes so many lanes of its first operand, and makes more of these."""

    def emit(builder: Builder, some: Value, *others: Value) -> Value:
        return call(builder, name, some.type, some, *others)

    return _in_parts(builder, lanes, emit, *operands)


def _in_parts(builder: Builder, lanes: int, emit: Callable[..., Value], *operands: Value) -> Value:
    """What is made of so many lanes of the first operand, and as much of the others, at a time."""
    parts = operands[0].type.count // lanes
    pieces = [split(builder, value, value.type.count // parts) for value in operands]
    return concatenate(builder, [emit(builder, *some) for some in zip(*pieces, strict=True)])


def _add_products_of_pairs(builder: Builder, sums: Value, inputs: Value, taps: Value) -> Value:
    """Of signed bytes, four sums at once, as ``sdot`` does; taps have their pairs apart."""
    # Two products fit 16 bits. The inputs are the same four for all sums.
    wide = ir.VectorType(_I16, 8)
    pairs = builder.bitcast(inputs, wide)
    pairs = builder.shuffle_vector(pairs, pairs, _lanes([0] * 4 + [1] * 4))
    apart = builder.bitcast(pairs, inputs.type)
    halves = zip(split(builder, apart, 8), split(builder, taps, 8), strict=True)
    one, two = (builder.mul(builder.sext(x, wide), builder.sext(w, wide)) for x, w in halves)
    name = "llvm.aarch64.neon.saddlp.v4i32.v8i16"
    return builder.add(sums, call(builder, name, sums.type, builder.add(one, two)))


def shift_right(builder: Builder, value: Value, by: Value) -> Value:
    """16 x i32, each number shifted by its own distance; the sign stays."""
    if REGISTER_BYTES < 32:
        return builder.ashr(value, by)
    # LLVM sees that all are shifted by the same, and x86 has two instructions for that.
    if WIDE_REGISTERS:
        return _by_name(builder, "llvm.x86.avx512.psrav.d.512", 16, value, by)
    return _by_name(builder, "llvm.x86.avx2.psrav.d.256", 8, value, by)


def clip_to_int16(builder: Builder, low: Value, high: Value) -> Value:
    """Two vectors of 16 x i32, end to end, each number clipped to what 16 bits hold."""
    if WIDE_REGISTERS:
        kind = ir.VectorType(_I16, 32)
        packed = call(builder, "llvm.x86.avx512.packssdw.512", kind, low, high)
        # It takes four of the one and four of the other by turns.
        return _in_order(builder, packed, 64, (0, 2, 4, 6, 1, 3, 5, 7))
    return _clipped(builder, concatenate(builder, [low, high]), -32768, 32767, 16)


def clip_to_bytes(builder: Builder, values: list[Value]) -> Value:
    """Two or four vectors (four with AVX-512) of 16 x i32, end to end, clipped to 0 .. 255."""
    if WIDE_REGISTERS:
        kind = ir.VectorType(_I16, 32)
        name = "llvm.x86.avx512.packssdw.512"
        pairs = [call(builder, name, kind, *values[i : i + 2]) for i in (0, 2)]
        kind = ir.VectorType(_I8, 64)
        packed = call(builder, "llvm.x86.avx512.packuswb.512", kind, *pairs)
        order = [4 * lane + value for value in range(4) for lane in range(4)]
        return _in_order(builder, packed, 32, order)
    return _clipped(builder, concatenate(builder, values), 0, 255, 8)


def _clipped(builder: Builder, value: Value, low: int, high: int, width: int) -> Value:
    kind = value.type
    value = call(builder, f"llvm.smax.v{kind.count}i32", kind, value, constant(kind, low))
    value = call(builder, f"llvm.smin.v{kind.count}i32", kind, value, constant(kind, high))
    return builder.trunc(value, ir.VectorType(ir.IntType(width), kind.count))


def _in_order(builder: Builder, value: Value, width: int, order: Sequence[int]) -> Value:
    """A vector's pieces of so many bits in another order."""
    pieces = builder.bitcast(value, ir.VectorType(ir.IntType(width), len(order)))
    return builder.bitcast(builder.shuffle_vector(pieces, pieces, _lanes(order)), value.type)


def zeros(tile: Tile) -> Any:
    """An intrinsic without arguments that gives a tile full of zeros."""

    def make(typing_context: Any) -> Any:
        def generate(_context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Value:
            kind = ir.ArrayType(tile.vector, tile.count)
            return ir.Constant(kind, [constant(tile.vector, 0)] * tile.count)

        return tile(), generate

    return intrinsic(make)


def widen(totals: Tile, sums: Tile) -> Any:
    """An intrinsic: totals (two pixels of 64 channels) and sums (the same, in bytes), added up."""

    def add_up(typing_context: Any, _totals: Any, _sums: Any) -> Any:
        def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
            grown, parts = arguments
            for pixel in range(2):
                places = range(pixel * sums.count // 2, (pixel + 1) * sums.count // 2)
                octets = concatenate(builder, [builder.extract_value(parts, i) for i in places])
                total = builder.extract_value(grown, pixel)
                total = builder.add(total, builder.zext(octets, totals.vector))
                grown = builder.insert_value(grown, total, pixel)
            return grown

        return totals(totals, sums), generate

    return intrinsic(add_up)


def both_pixels(totals: Tile) -> Any:
    """An intrinsic: a tile of two times 64 channels as two Sixty4."""

    def take(typing_context: Any, _totals: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
            pixels = [builder.extract_value(arguments[0], pixel) for pixel in range(2)]
            return context.make_tuple(builder, signature.return_type, pixels)

        return types.UniTuple(sixty4, 2)(totals), generate

    return intrinsic(take)


def storer(vector: Vector) -> Any:
    """An intrinsic: write all of a vector into an array of such numbers from a flat element on."""

    def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
            array, index, value = arguments
            store_vector(builder, value, address(context, builder, signature.args[0], array, index))
            return context.get_dummy_value()

        return types.void(array, types.intp, vector), generate

    return intrinsic(store)


def repeater(vector: Vector, number: types.Type) -> Any:
    """An intrinsic: the same number in all lanes."""

    def repeat(typing_context: Any, value: Any) -> Any:
        def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
            return splat(builder, arguments[0], vector.vector.count)

        return vector(number), generate

    return intrinsic(repeat)


# Sixty4: what is done to 64 channels at once.


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """64 values of a 16-bit array from a flat element number on."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        pointer = address(context, builder, signature.args[0], *arguments)
        return load_vector(builder, pointer, _SIXTY4)

    return sixty4(array, types.intp), generate


store = storer(sixty4)


@intrinsic
def load_bytes(typing_context: Any, array: Any, index: Any) -> Any:
    """64 values of a uint8 array from a flat element number on."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        pointer = address(context, builder, signature.args[0], *arguments)
        return builder.zext(load_vector(builder, pointer, ir.VectorType(_I8, LANES)), _SIXTY4)

    return sixty4(array, types.intp), generate


@intrinsic
def store_bytes(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write 64 values of 0 .. 255 into a uint8 array from a flat element number on."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        array, index, value = arguments
        octets = builder.trunc(value, ir.VectorType(_I8, LANES))
        store_vector(builder, octets, address(context, builder, signature.args[0], array, index))
        return context.get_dummy_value()

    return types.void(array, types.intp, sixty4), generate


repeat = repeater(sixty4, types.int16)


def _two_operands(emit: Callable[[Builder, Value, Value], Value], explain: str) -> Any:
    def operation(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
            return emit(builder, *arguments)

        return sixty4(sixty4, sixty4), generate

    operation.__doc__ = explain
    return intrinsic(operation)


def _named(name: str) -> Callable[[Builder, Value, Value], Value]:
    return lambda builder, a, b: call(builder, f"llvm.{name}.v64i16", _SIXTY4, a, b)


subtract = _two_operands(lambda builder, a, b: builder.sub(a, b), "a - b, wrapping.")
add = _two_operands(lambda builder, a, b: builder.add(a, b), "a + b, wrapping.")
add_saturating = _two_operands(_named("sadd.sat"), "a + b, clipped to int16.")
shift_left = _two_operands(lambda builder, a, b: builder.shl(a, b), "a << b.")
maximum = _two_operands(_named("smax"), "The larger.")
minimum = _two_operands(_named("smin"), "The smaller.")
multiply_rounding = _two_operands(_multiply_rounding, "(a * b + 2**14) >> 15.")


def _comparison(operator: str, signed: bool, explain: str) -> Any:
    def operation(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
            compare = builder.icmp_signed if signed else builder.icmp_unsigned
            return builder.bitcast(compare(operator, *arguments), _I64)

        return types.uint64(sixty4, sixty4), generate

    operation.__doc__ = explain
    return intrinsic(operation)


greater = _comparison(">", True, "A word of bits, set where a > b.")
less_or_equal = _comparison("<=", True, "A word of bits, set where a <= b.")
equal = _comparison("==", True, "A word of bits, set where a == b.")


@intrinsic
def smallest(typing_context: Any, value: Any) -> Any:
    """The smallest of the 64, int16."""

    def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
        return call(builder, "llvm.vector.reduce.smin.v64i16", _I16, arguments[0])

    return types.int16(sixty4), generate


@intrinsic
def any_less(typing_context: Any, value: Any, limit: Any) -> Any:
    """Whether any of the 64 is less than an int16."""

    def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
        value, limit = arguments
        half = LANES // 2
        low, high = split(builder, value, half)
        least = call(builder, f"llvm.smin.v{half}i16", low.type, low, high)
        less_lanes = builder.icmp_signed("<", least, splat(builder, limit, half))
        return builder.icmp_unsigned("!=", builder.bitcast(less_lanes, _I32), ir.Constant(_I32, 0))

    return types.boolean(sixty4, types.int16), generate


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Number of the lowest bit that is set in a word that is not zero."""

    def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def mean_of_four(typing_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """(a + b + c + d + 2) >> 2, without overflow."""

    # With x = 4 * (x >> 2) + (x & 3), everything stays within 16 bits.
    def generate(_context: Any, builder: Builder, _signature: Any, arguments: Any) -> Value:
        two, three = constant(_SIXTY4, 2), constant(_SIXTY4, 3)
        quarters, rest = constant(_SIXTY4, 0), two
        for value in arguments:
            quarters = builder.add(quarters, builder.ashr(value, two))
            rest = builder.add(rest, builder.and_(value, three))
        return builder.add(quarters, builder.lshr(rest, two))

    return sixty4(sixty4, sixty4, sixty4, sixty4), generate
