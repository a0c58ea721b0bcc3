"""Backend ``tflite``: LiteRT, or an older tflite_runtime, on a graph that we write."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.backends import tflite_graph
from kernels.backends.base import Backend, Executor
from kernels.bits import pack
from kernels.codes import by_grid
from kernels.errors import BackendUnavailable
from kernels.network import Network


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise BackendUnavailable(
                "the tflite backend needs LiteRT: pip install 'edge-agent[tflite]'"
            ) from error
    return Interpreter


class TfliteExecutor(Executor):
    """One interpreter, one thread: frames are the unit of parallelism."""

    def __init__(self, network: Network, height: int, width: int, interpreter: Any) -> None:
        super().__init__(network, height, width)
        # The interpreter reads from these bytes for as long as it lives.
        self._model = tflite_graph.build(network, height, width)
        self._interpreter = interpreter(model_content=self._model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        planes = [self._interpreter.get_tensor(index)[0] for index in self._outputs]
        codes = []
        for layer in self.network.embeddings:
            count = len(layer.levels)
            codes.append(pack(np.concatenate(planes[:count], axis=2)))
            planes = planes[count:]
        return by_grid(codes)


class TfliteBackend(Backend):
    """LiteRT."""

    name = "tflite"

    def __init__(self) -> None:
        self._interpreter = _interpreter_class()

    def executor(self, network: Network, height: int, width: int) -> TfliteExecutor:
        """See :meth:`Backend.executor`."""
        return TfliteExecutor(network, height, width, self._interpreter)
