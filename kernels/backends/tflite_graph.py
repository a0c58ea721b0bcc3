"""A network as a TFLite flatbuffer of float32 operations that are exact on its integers.

The flatbuffer is written table by table with the small ``flatbuffers`` library; slot numbers are
those of TensorFlow Lite's published ``schema.fbs``, version 3. No converter, no TensorFlow. See
``kernels.network`` for why float32 is exact here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import flatbuffers
import numpy as np

from kernels.bits import unpack
from kernels.network import STREAM_CLIP, BinaryBlock, Embedding, Network, Stem, slope_shift

_FLOAT32, _INT32, _UINT8, _BOOL = 0, 2, 3, 6
_TENSOR_TYPES = {"float32": _FLOAT32, "int32": _INT32, "uint8": _UINT8, "bool": _BOOL}
_VALID = 1
_SYMMETRIC = 1
_NO_ACTIVATION, _RELU_N1_TO_1 = 0, 2


@dataclass(frozen=True)
class _Operator:
    """An operator of the schema: its code, the type of its options, their fields.

    Fields are (slot, kind, value), kind one of "int8" and "int32".
    """

    code: int
    version: int = 1
    options_type: int = 0
    fields: tuple[tuple[int, str, int], ...] = ()


def _conv(stride: int) -> _Operator:
    sizes = ((1, "int32", stride), (2, "int32", stride))
    return _Operator(3, 1, 1, ((0, "int8", _VALID), *sizes))


def _depthwise(stride: int) -> _Operator:
    sizes = ((1, "int32", stride), (2, "int32", stride))
    return _Operator(4, 1, 2, ((0, "int8", _VALID), *sizes, (3, "int32", 1)))


def _average_pool(size: int) -> _Operator:
    sizes = tuple((slot, "int32", size) for slot in (1, 2, 3, 4))
    return _Operator(1, 1, 5, ((0, "int8", _VALID), *sizes))


_ADD = _Operator(0, 1, 11)
_ADD_CLIPPED_TO_ONE = _Operator(0, 1, 11, ((0, "int8", _RELU_N1_TO_1),))
_MUL = _Operator(18, 1, 21)
_FLOOR = _Operator(8)
_MAXIMUM = _Operator(55, 1, 39)
_MINIMUM = _Operator(57, 1, 39)
_PAD = _Operator(60, 1, 43)
_MIRROR_PAD = _Operator(100, 1, 77, ((0, "int8", _SYMMETRIC),))
_CAST = _Operator(53, 1, 37, ((0, "int8", _UINT8), (1, "int8", _FLOAT32)))
_CONCATENATE = _Operator(2, 1, 10, ((0, "int32", 3),))
_GREATER = _Operator(61, 1, 44)


def build(network: Network, height: int, width: int) -> bytes:
    """The serialised model.

    Input: uint8 (1, height, width, 3). Outputs, one per level of each embedding in order: bool
    (1, height / spacing, width / spacing, channels).
    """
    graph = _Graph()
    stream = graph.input = graph.tensor((1, height, width, 3), _UINT8)
    for layer in network.layers:
        if isinstance(layer, Stem):
            stream = _stem(graph, layer, height, width)
        elif isinstance(layer, BinaryBlock):
            stream = _block(graph, layer, stream)
        else:
            graph.outputs += _embedding(graph, layer, stream)
    return graph.serialise(network.name)


class _Graph:
    """Tensors, operators and constants as they are added; tensors are named by number."""

    def __init__(self) -> None:
        self.input = -1
        self.outputs: list[int] = []
        self._tensors: list[tuple[tuple[int, ...], int, int]] = []
        self._buffers: list[bytes] = [b""]  # buffer 0 is empty by convention
        self._operators: list[tuple[_Operator, tuple[int, ...], int]] = []

    def tensor(self, shape: tuple[int, ...], dtype: int = _FLOAT32, buffer: int = 0) -> int:
        self._tensors.append((shape, dtype, buffer))
        return len(self._tensors) - 1

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self._tensors[tensor][0]

    def constant(self, value: np.ndarray | float, dtype: type = np.float32) -> int:
        array: np.ndarray = np.ascontiguousarray(value, dtype)
        self._buffers.append(array.tobytes())
        return self.tensor(array.shape, _TENSOR_TYPES[array.dtype.name], len(self._buffers) - 1)

    def per_channel(self, values: np.ndarray | float) -> int:
        return self.constant(np.atleast_1d(values))

    def add(
        self,
        operator: _Operator,
        *inputs: int,
        shape: tuple[int, ...] | None = None,
        dtype: int = _FLOAT32,
    ) -> int:
        output = self.tensor(self.shape(inputs[0]) if shape is None else shape, dtype)
        self._operators.append((operator, inputs, output))
        return output

    def shifted_right(self, value: int, shift: int) -> int:
        return self.add(_FLOOR, self.add(_MUL, value, self.per_channel(2.0**-shift)))

    def clipped(self, value: int, low: float, high: float) -> int:
        value = self.add(_MAXIMUM, value, self.per_channel(low))
        return self.add(_MINIMUM, value, self.per_channel(high))

    def bordered(self, value: int, before: int, after: int, outside: float | None = None) -> int:
        """One position more on each side given: a constant, or a copy of the edge."""
        _, height, width, channels = self.shape(value)
        pads = np.array([[0, 0], [before, after], [before, after], [0, 0]])
        total = before + after
        shape = (1, height + total, width + total, channels)
        paddings = self.constant(pads, np.int32)
        if outside is None:
            # Symmetric by one position repeats the edge.
            return self.add(_MIRROR_PAD, value, paddings, shape=shape)
        return self.add(_PAD, value, paddings, self.per_channel(outside), shape=shape)

    def convolve(self, value: int, weights: np.ndarray, bias: np.ndarray, stride: int) -> int:
        """weights: (outputs, k, k, inputs), which is TFLite's order too."""
        outputs, kernel, _, _ = weights.shape
        _, height, width, _ = self.shape(value)
        shape = (1, (height - kernel) // stride + 1, (width - kernel) // stride + 1, outputs)
        return self.add(
            _conv(stride), value, self.constant(weights), self.constant(bias), shape=shape
        )

    def serialise(self, name: str) -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        codes = list(dict.fromkeys((op.code, op.version) for op, _, _ in self._operators))
        code_tables = [_operator_code(builder, code, version) for code, version in codes]
        buffers = [_buffer(builder, data) for data in self._buffers]
        tensors = [_tensor(builder, number, *t) for number, t in enumerate(self._tensors)]
        operators = [
            _operator(builder, codes.index((op.code, op.version)), op, inputs, output)
            for op, inputs, output in self._operators
        ]
        subgraph = _table(
            builder,
            6,
            (0, "offset", _offsets(builder, tensors)),
            (1, "offset", _int32s(builder, (self.input,))),
            (2, "offset", _int32s(builder, self.outputs)),
            (3, "offset", _offsets(builder, operators)),
            (4, "offset", builder.CreateString(name)),
        )
        model = _table(
            builder,
            8,
            (0, "uint32", 3),
            (1, "offset", _offsets(builder, code_tables)),
            (2, "offset", _offsets(builder, [subgraph])),
            (3, "offset", builder.CreateString("edge-agent")),
            (4, "offset", _offsets(builder, buffers)),
        )
        builder.Finish(model, file_identifier=b"TFL3")
        return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, slots: int, *fields: tuple[int, str, int]) -> int:
    builder.StartObject(slots)
    put: dict[str, Callable[[int, int, int], None]] = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "int8": builder.PrependInt8Slot,
        "uint8": builder.PrependUint8Slot,
        "int32": builder.PrependInt32Slot,
        "uint32": builder.PrependUint32Slot,
    }
    for slot, kind, value in fields:
        put[kind](slot, value, 0)
    return int(builder.EndObject())


def _offsets(builder: flatbuffers.Builder, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _int32s(builder: flatbuffers.Builder, values: tuple[int, ...] | list[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, np.int32)))


def _operator_code(builder: flatbuffers.Builder, code: int, version: int) -> int:
    # The old field is a byte; codes above 127 would say so there, and none is used here.
    return _table(builder, 4, (0, "int8", code), (2, "int32", version), (3, "int32", code))


def _buffer(builder: flatbuffers.Builder, data: bytes) -> int:
    if not data:
        return _table(builder, 1)
    # Kernels expect constants on 16-byte boundaries.
    builder.StartVector(1, len(data), 16)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return _table(builder, 1, (0, "offset", int(builder.EndVector())))


def _tensor(
    builder: flatbuffers.Builder, number: int, shape: tuple[int, ...], dtype: int, buffer: int
) -> int:
    name = builder.CreateString(f"t{number}")
    dimensions = _int32s(builder, shape)
    return _table(
        builder,
        8,
        (0, "offset", dimensions),
        (1, "int8", dtype),
        (2, "uint32", buffer),
        (3, "offset", name),
    )


def _operator(
    builder: flatbuffers.Builder, code: int, kind: _Operator, inputs: tuple[int, ...], output: int
) -> int:
    options = _table(builder, 8, *kind.fields) if kind.options_type else 0
    ins, outs = _int32s(builder, inputs), _int32s(builder, (output,))
    fields = [(0, "uint32", code), (1, "offset", ins), (2, "offset", outs)]
    if kind.options_type:
        fields += [(3, "uint8", kind.options_type), (4, "offset", options)]
    return _table(builder, 9, *fields)


def _stem(graph: _Graph, layer: Stem, height: int, width: int) -> int:
    x = graph.add(_CAST, graph.input, shape=(1, height, width, 3))
    x = graph.convolve(graph.bordered(x, 1, 0), layer.fine_weights, layer.fine_bias, 2)
    x = graph.clipped(graph.shifted_right(x, layer.fine_shift), 0, 255)
    x = graph.convolve(x, layer.coarse_weights, layer.coarse_bias, 2)
    return graph.clipped(graph.shifted_right(x, layer.coarse_shift), -32768, 32767)


def _block(graph: _Graph, layer: BinaryBlock, stream: int) -> int:
    # clip(2 * stream - (2 * level + 1), -1, 1) is a sign: the difference is odd, never zero.
    twice = graph.add(_MUL, stream, graph.per_channel(2.0))
    odd = graph.per_channel(-(2.0 * layer.threshold + 1))
    bits = graph.add(_ADD_CLIPPED_TO_ONE, twice, odd)
    if layer.kernel == 3:
        bits = graph.bordered(bits, 1, 1, outside=-1.0)
    signs = np.where(unpack(layer.weights), 1.0, -1.0)
    products = graph.convolve(bits, signs, np.zeros(layer.outputs), layer.stride)
    excess = graph.add(_MUL, products, graph.per_channel(0.5))
    shift = slope_shift(layer.count)
    scaled = graph.add(_MUL, excess, graph.per_channel(layer.slope))
    scaled = graph.add(_ADD, scaled, graph.per_channel(float(1 << shift >> 1)))
    y = graph.add(_ADD, graph.shifted_right(scaled, shift), graph.per_channel(layer.offset))
    leaked = graph.add(_MUL, y, graph.per_channel(layer.leak))
    leaked = graph.shifted_right(graph.add(_ADD, leaked, graph.per_channel(128.0)), 8)
    y = graph.add(_MAXIMUM, y, leaked)
    total = graph.add(_ADD, _shortcut(graph, layer, stream), y)
    return graph.clipped(total, -32768, 32767)


def _shortcut(graph: _Graph, layer: BinaryBlock, stream: int) -> int:
    if layer.stride == 2:
        _, height, width, channels = graph.shape(stream)
        shape = (1, height // 2, width // 2, channels)
        mean = graph.add(_average_pool(2), stream, shape=shape)
        stream = graph.add(_FLOOR, graph.add(_ADD, mean, graph.per_channel(0.5)))
    repeats = layer.outputs // layer.inputs
    if repeats > 1:
        wider = (*graph.shape(stream)[:3], layer.outputs)
        stream = graph.add(_CONCATENATE, *[stream] * repeats, shape=wider)
    return stream


def _embedding(graph: _Graph, layer: Embedding, stream: int) -> list[int]:
    every = layer.every
    _, height, width, channels = graph.shape(stream)
    shape = (1, height // every, width // every, channels)
    # The first window of all begins outside, the first of every second does not.
    x = graph.bordered(graph.clipped(stream, -STREAM_CLIP, STREAM_CLIP), 2 - every, 1)
    ones, none = graph.constant(np.ones((1, 3, 3, channels))), graph.constant(np.zeros(channels))
    total = graph.add(_depthwise(every), x, ones, none, shape=shape)
    return [
        graph.add(_GREATER, total, graph.per_channel(level), shape=shape, dtype=_BOOL)
        for level in layer.levels
    ]
