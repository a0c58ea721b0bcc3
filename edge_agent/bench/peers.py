"""Other engines on the same work: those that are installed, each a function of no arguments.

Convolutions are 3x3, stride 1, with as many outputs as inputs, in the layout that the engine
prefers; int8 means 8-bit activations in and out and 8-bit weights. One thread each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[[], object]

_SCALE = 0.02


def convolutions(channels: int, height: int, width: int) -> dict[str, Call]:
    """Engines that run the convolution here, by name."""
    found: dict[str, Call] = {}
    for precision in ("fp32", "int8"):
        for engine, make in (
            ("onnxruntime", _onnxruntime),
            ("openvino", _openvino),
            ("litert", _litert),
        ):
            with contextlib.suppress(ImportError):
                found[f"{engine} {precision}"] = make(channels, height, width, precision)
    return found


def searches(queries: np.ndarray, bank: np.ndarray) -> dict[str, Call]:
    """Engines that search a bank here, by name; queries and bank uint64 (n, words)."""
    found: dict[str, Call] = {}
    asked, known = queries.view(np.uint8), bank.view(np.uint8)
    with contextlib.suppress(ImportError):
        import faiss  # type: ignore[import-not-found,unused-ignore]

        faiss.omp_set_num_threads(1)
        index = faiss.IndexBinaryFlat(8 * known.shape[1])
        index.add(known)
        found["faiss IndexBinaryFlat"] = lambda: index.search(asked, 1)
    import cv2

    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    found["opencv BFMatcher"] = lambda: matcher.match(asked, known)
    return found


def mobilenet(path: str) -> Call:
    """A forward pass of a TFLite image network on one thread.

    Raises:
        ImportError: if LiteRT is not installed.
        OSError: if there is no such file.
    """
    with open(path, "rb") as file:  # noqa: PTH123
        return _interpreter(file.read())


def _onnx_model(channels: int, height: int, width: int, precision: str) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shape = [1, channels, height, width]
    weights = rng.integers(-127, 128, (channels, channels, 3, 3)).astype(np.int8)
    conv: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    if precision == "fp32":
        kind = TensorProto.FLOAT
        nodes = [helper.make_node("Conv", ["x", "w"], ["y"], **conv)]
        constants = [numpy_helper.from_array(weights.astype(np.float32) / 127, "w")]
    else:
        kind = TensorProto.UINT8
        nodes = [
            helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xf"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=0),
            helper.make_node("Conv", ["xf", "wf"], ["yf"], **conv),
            helper.make_node("QuantizeLinear", ["yf", "ys", "xz"], ["y"]),
        ]
        constants = [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array(_SCALE, np.float32), "xs"),
            numpy_helper.from_array(np.array(128, np.uint8), "xz"),
            numpy_helper.from_array(np.full(channels, _SCALE, np.float32), "ws"),
            numpy_helper.from_array(np.zeros(channels, np.int8), "wz"),
            numpy_helper.from_array(np.array(10 * _SCALE, np.float32), "ys"),
        ]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def _input(shape: tuple[int, ...], precision: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    if precision == "fp32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, 256, shape).astype(np.uint8)


def _onnxruntime(channels: int, height: int, width: int, precision: str) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = _onnx_model(channels, height, width, precision)
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    bound = session.io_binding()
    image = _input((1, channels, height, width), precision)
    bound.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(image))
    bound.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(image.copy()))
    return lambda: session.run_with_iobinding(bound)


def _openvino(channels: int, height: int, width: int, precision: str) -> Call:
    import openvino  # type: ignore[import-not-found,unused-ignore]

    core = openvino.Core()
    model = core.read_model(_onnx_model(channels, height, width, precision), b"")
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    # Full precision stays full precision: no bfloat16 behind the user's back.
    settings["INFERENCE_PRECISION_HINT"] = "f32"
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(_input((1, channels, height, width), precision)))
    return request.infer


def _litert(channels: int, height: int, width: int, precision: str) -> Call:
    return _interpreter(_tflite_model(channels, height, width, precision))


def _interpreter(model: bytes) -> Call:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    rng = np.random.default_rng(1)
    image = rng.integers(0, 127, details["shape"]).astype(details["dtype"])
    interpreter.set_tensor(details["index"], image)
    return interpreter.invoke


def _tflite_model(channels: int, height: int, width: int, precision: str) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (channels, 3, 3, channels)).astype(np.int8)
    quantised = precision == "int8"
    kind = schema.TensorType.INT8 if quantised else schema.TensorType.FLOAT32
    bias_kind = schema.TensorType.INT32 if quantised else schema.TensorType.FLOAT32
    data = weights if quantised else weights.astype(np.float32) / 127
    bias = np.zeros(channels, np.int32 if quantised else np.float32)
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT() for _ in range(3)]
    for number, array in ((1, data), (2, bias)):
        model.buffers[number].data = np.frombuffer(array.tobytes(), np.uint8)
    shape = [1, height, width, channels]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(schema, "x", shape, kind, 0, [_SCALE] if quantised else None),
        _tensor(
            schema, "w", list(weights.shape), kind, 1, [_SCALE] * channels if quantised else None
        ),
        _tensor(
            schema, "b", [channels], bias_kind, 2, [_SCALE**2] * channels if quantised else None
        ),
        _tensor(schema, "y", shape, kind, 0, [10 * _SCALE] if quantised else None),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = options
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 3 if quantised else 1
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(
    schema: Any, name: str, shape: list[int], kind: int, buffer: int, scale: list[float] | None
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
    if scale:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array(scale, np.float32)
        tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
        tensor.quantization.quantizedDimension = 0
    return tensor
