"""Hamming search of a bank, by every way of counting and every engine installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.bench import peers
from edge_agent.bench.timing import clock_ghz, interleave
from kernels.backends.numba import NumbaBackend
from kernels.processor import available_ways

QUERIES, BITS = 1024, 256
BANKS = (1000, 4000, 20000)


def measure(rounds: int, with_peers: bool) -> list[dict[str, Any]]:
    """One row per bank and candidate.

    Args:
        rounds: samples of each candidate.
        with_peers: also time the other engines that are installed.
    """
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for entries in BANKS:
        queries = rng.integers(0, 2**64, (QUERIES, BITS // 64), dtype=np.uint64)
        bank = rng.integers(0, 2**64, (entries, BITS // 64), dtype=np.uint64)
        ways = available_ways()
        candidates = {way: _search(way, queries, bank) for way in ways}
        if with_peers:
            candidates |= peers.searches(queries, bank)
        ghz = clock_ghz()
        for name, timing in interleave(candidates, rounds).items():
            row: dict[str, Any] = {"op": "search", "queries": QUERIES, "bank": entries}
            row |= {"bits": BITS}
            row |= {"kernel": name} if name in ways else {"engine": name}
            gmacs = QUERIES * entries * BITS / timing.us_min / 1e3
            row |= {
                "us_min": round(timing.us_min, 1),
                "us_median": round(timing.us_median, 1),
                "us_p99": round(timing.us_p99, 1),
                "gmacs": round(gmacs, 1),
                "macs_per_cycle": round(gmacs / ghz, 1),
            }
            rows.append(row)
    return rows


def _search(way: str, queries: np.ndarray, bank: np.ndarray) -> Callable[[], object]:
    index = NumbaBackend(way).index(bank)
    return lambda: index.nearest([queries[None]])
