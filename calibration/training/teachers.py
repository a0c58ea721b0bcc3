"""Float teachers, read from quantised .tflite classifiers and run in PyTorch.

The two MobileNets are stored as int8 or uint8 with scales; dequantised they are ordinary float
networks again. Only the operators that a MobileNet trunk consists of are understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn

_OPERATOR_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_DTYPES = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT32: np.int32,
}


@dataclass(frozen=True)
class _Step:
    operator: int
    kind: str
    inputs: tuple[int, ...]
    output: int
    stride: int = 1
    relu6: bool = False


class Teacher(nn.Module):
    """The trunk of a quantised classifier up to the last operator asked for.

    Args:
        path: a .tflite file.
        taps: operator numbers whose outputs are returned.

    Raises:
        ValueError: if the trunk contains an operator other than convolution and addition.
    """

    def __init__(self, path: Path, taps: Iterable[int]) -> None:
        super().__init__()
        self.taps = tuple(taps)
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
        graph = model.subgraphs[0]
        self._input = int(graph.inputs[0])
        self._steps: list[_Step] = []
        for number, operator in enumerate(graph.operators[: max(self.taps) + 1]):
            code = model.operatorCodes[operator.opcodeIndex]
            kind = _OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
            inputs, output = tuple(map(int, operator.inputs)), int(operator.outputs[0])
            if kind in ("QUANTIZE", "ADD"):
                self._steps.append(_Step(number, kind, inputs, output))
                continue
            if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                raise ValueError(
                    f"{path.name}: operator {number} is {kind}, which no trunk here has"
                )
            axes = (3, 0, 1, 2) if kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
            weight = _dequantised(model, graph.tensors[inputs[1]]).permute(axes).contiguous()
            self.register_buffer(f"weight{number}", weight)
            self.register_buffer(f"bias{number}", _dequantised(model, graph.tensors[inputs[2]]))
            options = operator.builtinOptions
            relu6 = options.fusedActivationFunction == schema.ActivationFunctionType.RELU6
            step = _Step(number, kind, inputs[:1], output, int(options.strideH), relu6)
            self._steps.append(step)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """image: (n, 3, h, w), 0 .. 255 as floats -> the map behind each tap, (n, c, h', w')."""
        maps, taken = {self._input: image / 127.5 - 1}, {}
        for step in self._steps:
            x = maps[step.inputs[0]]
            if step.kind == "ADD":
                x = x + maps[step.inputs[1]]
            elif step.kind != "QUANTIZE":
                x = self._convolution(step, x)
            maps[step.output] = x
            if step.operator in self.taps:
                taken[step.operator] = x
        return taken

    def _convolution(self, step: _Step, x: Tensor) -> Tensor:
        weight, bias = (
            getattr(self, f"weight{step.operator}"),
            getattr(self, f"bias{step.operator}"),
        )
        groups = x.shape[1] if step.kind == "DEPTHWISE_CONV_2D" else 1
        x = F.pad(x, _same_padding(x.shape[-2:], weight.shape[-1], step.stride))
        x = F.conv2d(x, weight, bias, stride=step.stride, groups=groups)
        return x.clamp_(0, 6) if step.relu6 else x


def _same_padding(size: tuple[int, int], kernel: int, stride: int) -> list[int]:
    # TensorFlow's SAME: an odd row or column of padding goes to the bottom or the right.
    padding: list[int] = []
    for length in reversed(size):
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        padding += [total // 2, total - total // 2]
    return padding


def _dequantised(model: schema.ModelT, tensor: schema.TensorT) -> Tensor:
    raw = bytes(model.buffers[tensor.buffer].data)
    steps = np.frombuffer(raw, _DTYPES[tensor.type]).reshape(tensor.shape).astype(np.float64)
    scale = np.asarray(tensor.quantization.scale, np.float64)
    zero = np.asarray(tensor.quantization.zeroPoint, np.float64)
    if scale.size > 1:
        shape = [1] * steps.ndim
        shape[tensor.quantization.quantizedDimension] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return torch.tensor(((steps - zero) * scale).astype(np.float32))


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher file and which of its operators give the maps at strides 4, 8 and 16."""

    file: str
    taps: tuple[int, int, int]

    def load(self, folder: Path) -> Teacher:
        """The teacher, frozen."""
        return Teacher(folder / self.file, self.taps).eval().requires_grad_(False)


TEACHERS = (
    TeacherSpec("mobilenet_v1_1.0_224_quant_embedding.tflite", taps=(6, 10, 16)),
    TeacherSpec("mobilenet_v2_1.0_224_ptq.tflite", taps=(10, 21, 47)),
)
"""Both learn from ImageNet photographs; neither is best on every kind of part, so both teach."""
