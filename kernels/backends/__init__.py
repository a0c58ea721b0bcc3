"""Who executes a network: one interface, four implementations, the same bits from each.

========== =============================================== ==========================
name       what runs the network                           needs
========== =============================================== ==========================
numba      our XNOR-popcount kernels, compiled on the spot numba
tflite     LiteRT with a graph that we write               extra ``tflite``
onnx       ONNX Runtime with a graph that we write         onnxruntime
reference  NumPy, slowly                                   nothing
========== =============================================== ==========================
"""

from kernels.backends.base import Backend, Executor
from kernels.backends.choice import BACKEND_NAMES, Choice, choose

__all__ = ["BACKEND_NAMES", "Backend", "Choice", "Executor", "choose"]
