"""Comparing durations on a noisy machine: one core, one run, candidates by turns."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_agent.bench.remote import RemoteCall

_SAMPLE_US = 5000.0
"""A sample lasts at least about this long, so that caches are as warm as they
are in use, and reading the clock does not count."""


@dataclass(frozen=True)
class Timing:
    """Durations of one candidate.

    Attributes:
        us_min: the fastest sample, in microseconds: what the code can do undisturbed.
        us_median: of all samples.
        us_p99: of all samples.
        samples: how many.
    """

    us_min: float
    us_median: float
    us_p99: float
    samples: int


@contextlib.contextmanager
def one_core() -> Iterator[int]:
    """Stay on one core of those allowed, and go back; gives its number."""
    import cv2

    allowed, threads = os.sched_getaffinity(0), cv2.getNumThreads()
    core = max(allowed)  # the first one serves most interrupts
    os.sched_setaffinity(0, {core})
    cv2.setNumThreads(1)  # or its threads would wait for each other on the one core
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)
        cv2.setNumThreads(threads)


def interleave(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Time every candidate once a round.

    Args:
        candidates: what to call, by name; each is called once beforehand.
        rounds: samples of each; a sample of a fast candidate is the mean of several calls.
    """
    calls: dict[str, int] = {}
    for name, candidate in candidates.items():
        candidate()
        calls[name] = max(1, round(_SAMPLE_US / max(_sample(candidate, 1), 0.1)))
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            samples[name].append(_sample(candidate, calls[name]))
    return {name: _summary(values) for name, values in samples.items()}


def _sample(candidate: Callable[[], object], calls: int) -> float:
    if isinstance(candidate, RemoteCall):
        return candidate.sample_us(calls)
    started = time.perf_counter_ns()
    for _ in range(calls):
        candidate()
    return (time.perf_counter_ns() - started) / calls / 1e3


def _summary(values: Iterable[float]) -> Timing:
    us = np.array(list(values))
    return Timing(float(us.min()), float(np.median(us)), float(np.quantile(us, 0.99)), len(us))


def clock_ghz() -> float:
    """Clock of this core under load, from a chain of instructions of known latency.

    An addition and an exclusive or that wait for each other take a cycle each on every processor
    we know.
    """
    from edge_agent.bench.chain import STEPS, chain

    increment = np.uint64(3)
    chain(1, increment)
    best = min(_sample(lambda: chain(STEPS, increment), 1) for _ in range(30))
    return 2 * STEPS / best / 1e3
