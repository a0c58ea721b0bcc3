"""Backend ``onnx``: ONNX Runtime on a graph that we write."""

from __future__ import annotations

import numpy as np
import onnxruntime

from kernels.backends import onnx_graph
from kernels.backends.base import Backend, Executor
from kernels.bits import pack
from kernels.codes import by_grid
from kernels.network import Network


class OnnxExecutor(Executor):
    """One inference session, one thread: frames are the unit of parallelism."""

    def __init__(self, network: Network, height: int, width: int) -> None:
        super().__init__(network, height, width)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            onnx_graph.build(network, height, width), options, providers=["CPUExecutionProvider"]
        )

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        planes = self._session.run(None, {"image": image})
        return by_grid([pack(code[0].transpose(1, 2, 0)) for code in planes])


class OnnxBackend(Backend):
    """ONNX Runtime."""

    name = "onnx"

    def executor(self, network: Network, height: int, width: int) -> OnnxExecutor:
        """See :meth:`Backend.executor`."""
        return OnnxExecutor(network, height, width)
