"""What the processor can do that Numba compiles for, by LLVM's names.

That is the one at hand, unless ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` name another.
"""

from __future__ import annotations

import ctypes
import platform
import sys

from numba.core import config
from numba.core.codegen import get_host_cpu_features
from numba.core.registry import cpu_target

ARM = platform.machine().lower() in ("aarch64", "arm64")
CACHE_LINE_BYTES = 64

_HARDWARE = 16  # AT_HWCAP of Linux's auxiliary vector
_DOT_PRODUCTS = 1 << 20  # HWCAP_ASIMDDP: Cortex-A76 (Pi 5), A78AE (Jetson Orin), not A72 (Pi 4)


def _has_dot_products() -> bool:
    """What Linux says of an aarch64 processor; LLVM finds out little of it."""
    if not ARM or sys.platform != "linux":
        return False
    auxiliary = ctypes.CDLL(None).getauxval
    auxiliary.argtypes, auxiliary.restype = [ctypes.c_ulong], ctypes.c_ulong
    return bool(auxiliary(_HARDWARE) & _DOT_PRODUCTS)


if config.CPU_FEATURES is None and _has_dot_products():  # type: ignore[attr-defined]
    _known = get_host_cpu_features()  # type: ignore[no-untyped-call]
    config.CPU_FEATURES = f"{_known},+dotprod".strip(",")  # type: ignore[attr-defined]

FEATURES = frozenset(
    feature[1:]
    for feature in cpu_target.target_context.codegen()._tm_features.split(",")
    if feature.startswith("+")
)
