"""Which backend runs here, and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from kernels import KERNELS_VARIABLE
from kernels.backends.base import Backend
from kernels.errors import BackendUnavailable

BACKEND_NAMES = ("numba", "tflite", "onnx", "reference")

_AUTOMATIC = ("numba", "tflite", "onnx")


@dataclass(frozen=True)
class Choice:
    """A backend and the sentence that explains it.

    Attributes:
        backend: ready to use.
        reason: for a person, e.g. "numba: the fastest here".
    """

    backend: Backend
    reason: str


def choose(name: str = "auto") -> Choice:
    """Make a backend by name, or the fastest that works here.

    Whoever asks for kernels by ``EDGE_KERNELS`` asks for "numba", whose kernels they are.

    Args:
        name: "auto", or one of :data:`BACKEND_NAMES`.

    Raises:
        BackendUnavailable: if the named backend, or every automatic one, cannot run here.
        ValueError: if there is no backend of that name.
    """
    if name == "auto" and os.environ.get(KERNELS_VARIABLE):
        name = "numba"
    if name != "auto":
        if name not in _MAKERS:
            raise ValueError(f"there is no backend {name!r}: use auto, {', '.join(BACKEND_NAMES)}")
        return Choice(_MAKERS[name](), f"{name}: as configured")
    refusals: list[str] = []
    for candidate in _AUTOMATIC:
        try:
            backend = _MAKERS[candidate]()
        except BackendUnavailable as error:
            refusals.append(str(error))
            continue
        reason = f"{candidate}: the fastest that runs here"
        return Choice(backend, "; ".join([reason, *refusals]))
    raise BackendUnavailable("no backend can run here: " + "; ".join(refusals))


def _numba() -> Backend:
    try:
        from kernels.backends.numba import NumbaBackend
    except (ImportError, OSError, RuntimeError) as error:
        # RuntimeError: LLVM may not map executable memory (MemoryDenyWriteExecute=yes).
        raise BackendUnavailable(f"numba cannot run here ({error})") from error
    return NumbaBackend()


def _tflite() -> Backend:
    from kernels.backends.tflite import TfliteBackend

    return TfliteBackend()


def _onnx() -> Backend:
    try:
        from kernels.backends.onnx import OnnxBackend
    except ImportError as error:
        raise BackendUnavailable(f"ONNX Runtime cannot run here ({error})") from error
    return OnnxBackend()


def _reference() -> Backend:
    from kernels.backends.reference import ReferenceBackend

    return ReferenceBackend()


_MAKERS: dict[str, Callable[[], Backend]] = {
    "numba": _numba,
    "tflite": _tflite,
    "onnx": _onnx,
    "reference": _reference,
}
