"""Which way of counting this processor runs best; chosen once, and shown by ``edge-agent doctor``.

====================  ============================================  =========================
way                   needs                                         written in
====================  ============================================  =========================
``popcount-avx512``   x86-64 with AVX-512 VPOPCNTDQ and VNNI (Ice   :mod:`.popcount_avx512`
                      Lake on, Zen 4 on)
``lookup``            x86-64 with SSSE3 (twice as wide with AVX2),  :mod:`.table_lookup`
                      or aarch64
``popcount-neon``     aarch64; the better one on Cortex-A72 (Pi 4)  :mod:`.popcount_neon`
``portable``          anything                                      :mod:`.portable`
====================  ============================================  =========================

The environment variable ``EDGE_KERNELS`` forces one of them, for tests and for measuring.
"""

from __future__ import annotations

import os
from types import ModuleType

from llvmlite import binding
from numba.core import config

from kernels import KERNELS_VARIABLE
from kernels.errors import BackendUnavailable
from kernels.host import ARM, FEATURES

WAYS = ("popcount-avx512", "lookup", "popcount-neon", "portable")

_NEEDS_X86 = {
    "popcount-avx512": {
        *("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vpopcntdq", "avx512vnni"),
    },
    "lookup": {"ssse3"},
}
_WEAK_LOOKUP_CORES = ("cortex-a72", "cortex-a53", "cortex-a57", "cortex-a73")


def available_ways() -> tuple[str, ...]:
    """The ways that can run here, the fastest first."""
    fast: tuple[str, ...]
    if ARM:
        lookup_first = _processor_name() not in _WEAK_LOOKUP_CORES
        fast = ("lookup", "popcount-neon") if lookup_first else ("popcount-neon", "lookup")
        return (*fast, "portable")
    fast = tuple(way for way, needs in _NEEDS_X86.items() if needs <= FEATURES)
    return (*fast, "portable")


def choose_way(name: str | None = None) -> str:
    """The fastest way here, or the one asked for.

    Args:
        name: of a way; None for what ``EDGE_KERNELS`` says, or else the fastest.

    Raises:
        BackendUnavailable: if this processor cannot run it, or there is no such way.
    """
    name = name or os.environ.get(KERNELS_VARIABLE) or None
    here = available_ways()
    if name is None:
        return here[0]
    if name not in WAYS:
        raise BackendUnavailable(f"there are no kernels {name!r}: use one of {', '.join(WAYS)}")
    if name not in here:
        raise BackendUnavailable(
            f"this processor cannot run the kernels {name!r}: it runs {', '.join(here)}"
        )
    return name


def way_module(name: str) -> ModuleType:
    """The module of a fast way: ``Weights``, ``lay_out``, ``BOUND_MACS_PER_CYCLE``."""
    if name == "popcount-avx512":
        from kernels import popcount_avx512

        return popcount_avx512
    if name == "popcount-neon":
        from kernels import popcount_neon

        return popcount_neon
    from kernels import table_lookup

    return table_lookup


def _processor_name() -> str:
    return str(getattr(config, "CPU_NAME", None) or binding.get_host_cpu_name())
