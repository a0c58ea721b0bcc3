"""Binary 3x3 convolutions, bits to bits, by every way of counting and every engine installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.bench import peers
from edge_agent.bench.remote import RemoteEngine
from edge_agent.bench.timing import clock_ghz, interleave
from kernels.binary_convolution import BinaryConvolution
from kernels.processor import available_ways, way_module

SIZES = ((64, 56), (128, 28), (256, 14), (512, 7))
"""Channels and side of the maps: 115.6 million multiply-accumulates each, as in a ResNet."""


def measure(
    rounds: int, with_peers: bool, remote: RemoteEngine | None = None
) -> list[dict[str, Any]]:
    """One row per size and candidate.

    Args:
        rounds: samples of each candidate.
        with_peers: also time the other engines that are installed.
        remote: and one that lives in another Python.
    """
    rows: list[dict[str, Any]] = []
    for channels, side in SIZES:
        ways = available_ways()
        candidates: dict[str, Callable[[], object]] = {w: _layer(channels, side, w) for w in ways}
        if with_peers:
            candidates |= peers.convolutions(channels, side, side)
        if remote is not None:
            candidates |= remote.prepare(f"conv {channels} {side} {side}")
        ghz = clock_ghz()
        macs = side * side * channels * channels * 9
        for name, timing in interleave(candidates, rounds).items():
            row: dict[str, Any] = {"op": "conv3x3", "channels": channels}
            row |= {"height": side, "width": side}
            row |= {"kernel": name} if name in ways else {"engine": name}
            gmacs = macs / timing.us_min / 1e3
            row |= {
                "us_min": round(timing.us_min, 2),
                "us_median": round(timing.us_median, 2),
                "us_p99": round(timing.us_p99, 2),
                "gmacs": round(gmacs, 1),
                "macs_per_cycle": round(gmacs / ghz, 1),
            }
            if name in ways and name != "portable":
                bound = way_module(name).BOUND_MACS_PER_CYCLE
                row["share_of_bound"] = round(gmacs / ghz / bound, 3)
            rows.append(row)
    return rows


def _layer(channels: int, side: int, way: str) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    words = channels // 64
    weights = rng.integers(0, 2**64, (channels, 3, 3, words), dtype=np.uint64)
    limit = np.full(channels, 9 * channels // 2)
    layer = BinaryConvolution(weights, limit, 1, side, side, way)
    bits = rng.integers(0, 2**64, (side, side, words), dtype=np.uint64)
    return lambda: layer.run(bits)
