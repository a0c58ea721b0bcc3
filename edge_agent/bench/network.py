"""A whole backbone, by every backend and every way of counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.bench.timing import interleave
from kernels.backends import BACKEND_NAMES, choose
from kernels.backends.numba import NumbaBackend
from kernels.errors import BackendUnavailable
from kernels.network import Network
from kernels.processor import available_ways


def measure(network: Network, side: int, rounds: int) -> list[dict[str, Any]]:
    """One row per backend and way.

    Args:
        network: the backbone.
        side: of the square picture, in pixels.
        rounds: samples of each candidate.
    """
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    candidates: dict[str, Callable[[], object]] = {}
    for way in available_ways():
        executor = NumbaBackend(way).executor(network, side, side)
        candidates[f"numba {way}"] = lambda run=executor.run: run(image)  # type: ignore[misc]
    for name in BACKEND_NAMES:
        if name in ("numba", "reference"):
            continue
        try:
            executor = choose(name).backend.executor(network, side, side)
        except BackendUnavailable:
            continue
        candidates[name] = lambda run=executor.run: run(image)  # type: ignore[misc]
    macs = network.macs(side, side)
    return [
        {
            "op": "network",
            "backbone": network.name,
            "kernel" if name.startswith("numba ") else "engine": name.removeprefix("numba "),
            "height": side,
            "width": side,
            "us_min": round(timing.us_min, 1),
            "us_median": round(timing.us_median, 1),
            "us_p99": round(timing.us_p99, 1),
            "gmacs": round(macs / timing.us_min / 1e3, 1),
        }
        for name, timing in interleave(candidates, rounds).items()
    ]
