"""A network as an ONNX graph of float32 operations that are exact on its integers.

See ``kernels.network`` for why float32 is exact here. Bits are -1.0 and +1.0, a right shift is a
product with a power of two and a floor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kernels.bits import unpack
from kernels.network import STREAM_CLIP, BinaryBlock, Embedding, Network, Stem, slope_shift

_OPSET = 17
_IR_VERSION = 9


def build(network: Network, height: int, width: int) -> bytes:
    """The serialised model.

    Input ``image``: uint8 (height, width, 3). Outputs ``code0``, ``code1``, ...: one per embedding,
    bool (1, bits, height / stride, width / stride).
    """
    graph = _Graph()
    stream = ""
    outputs: list[onnx.ValueInfoProto] = []
    for layer in network.layers:
        if isinstance(layer, Stem):
            stream = _stem(graph, layer)
        elif isinstance(layer, BinaryBlock):
            stream = _block(graph, layer, stream)
        else:
            name = f"code{len(outputs)}"
            _embedding(graph, layer, stream, name)
            shape = [1, layer.bits, height // layer.spacing, width // layer.spacing]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.BOOL, shape))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [height, width, 3])
    model = helper.make_model(
        helper.make_graph(graph.nodes, network.name, [image], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="edge-agent",
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants as they are added; every value gets a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray | float, dtype: type = np.float32) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def per_channel(self, values: np.ndarray) -> str:
        return self.constant(values.astype(np.float32).reshape(1, -1, 1, 1))

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def shifted_right(self, value: str, shift: int) -> str:
        return self.add("Floor", self.add("Mul", value, self.constant(2.0**-shift)))

    def clipped(self, value: str, low: float, high: float) -> str:
        return self.add("Clip", value, self.constant(low), self.constant(high))

    def bordered(self, value: str, before: int, after: int, **attributes: Any) -> str:
        pads = self.constant(np.array([0, 0, before, before, 0, 0, after, after]), np.int64)
        if attributes.get("mode") == "constant":
            return self.add("Pad", value, pads, self.constant(-1.0), mode="constant")
        return self.add("Pad", value, pads, **attributes)


def _convolution_weights(weights: np.ndarray) -> np.ndarray:
    """(outputs, k, k, inputs) -> (outputs, inputs, k, k)."""
    return np.ascontiguousarray(weights.transpose(0, 3, 1, 2), np.float32)


def _stem(graph: _Graph, layer: Stem) -> str:
    x = graph.add("Cast", "image", to=TensorProto.FLOAT)
    x = graph.add("Unsqueeze", x, graph.constant(np.array([0]), np.int64))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.bordered(x, 1, 0, mode="edge")
    weights = graph.constant(_convolution_weights(layer.fine_weights))
    x = graph.add("Conv", x, weights, graph.constant(layer.fine_bias), strides=[2, 2])
    x = graph.clipped(graph.shifted_right(x, layer.fine_shift), 0, 255)
    weights = graph.constant(_convolution_weights(layer.coarse_weights))
    x = graph.add("Conv", x, weights, graph.constant(layer.coarse_bias), strides=[2, 2])
    return graph.clipped(graph.shifted_right(x, layer.coarse_shift), -32768, 32767)


def _block(graph: _Graph, layer: BinaryBlock, stream: str) -> str:
    # Stream and levels are integers: half a step above the level there is never a tie.
    bits = graph.add("Sign", graph.add("Sub", stream, graph.per_channel(layer.threshold + 0.5)))
    if layer.kernel == 3:
        bits = graph.bordered(bits, 1, 1, mode="constant")
    signs = np.where(unpack(layer.weights), 1.0, -1.0)
    weights = graph.constant(_convolution_weights(signs))
    products = graph.add("Conv", bits, weights, strides=[layer.stride, layer.stride])
    excess = graph.add("Mul", products, graph.constant(0.5))
    shift = slope_shift(layer.count)
    scaled = graph.add("Mul", excess, graph.per_channel(layer.slope))
    scaled = graph.add("Add", scaled, graph.constant(float(1 << shift >> 1)))
    y = graph.add("Add", graph.shifted_right(scaled, shift), graph.per_channel(layer.offset))
    leaked = graph.add("Mul", y, graph.per_channel(layer.leak))
    leaked = graph.shifted_right(graph.add("Add", leaked, graph.constant(128.0)), 8)
    y = graph.add("Max", y, leaked)
    return _with_shortcut(graph, layer, stream, y)


def _with_shortcut(graph: _Graph, layer: BinaryBlock, stream: str, y: str) -> str:
    shortcut = stream
    if layer.stride == 2:
        mean = graph.add("AveragePool", stream, kernel_shape=[2, 2], strides=[2, 2])
        shortcut = graph.add("Floor", graph.add("Add", mean, graph.constant(0.5)))
    repeats = layer.outputs // layer.inputs
    if repeats > 1:
        shortcut = graph.add("Concat", *[shortcut] * repeats, axis=1)
    return graph.clipped(graph.add("Add", shortcut, y), -32768, 32767)


def _embedding(graph: _Graph, layer: Embedding, stream: str, name: str) -> None:
    x = graph.clipped(stream, -STREAM_CLIP, STREAM_CLIP)
    # The first window of all begins outside, the first of every second does not.
    x = graph.bordered(x, 2 - layer.every, 1, mode="edge")
    ones = graph.constant(np.ones((layer.channels, 1, 3, 3)))
    total = graph.add("Conv", x, ones, group=layer.channels, strides=[layer.every] * 2)
    bits = [graph.add("Greater", total, graph.per_channel(level)) for level in layer.levels]
    graph.add("Concat", *bits, axis=1, output=name)
