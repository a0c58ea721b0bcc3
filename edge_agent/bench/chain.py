"""A chain of dependent instructions, to measure a core's clock with."""

from __future__ import annotations

import numpy as np
from numba import njit

STEPS = 200_000


@njit(cache=True, nogil=True)
def chain(steps, increment):
    """``x = (x + increment) ^ (x >> 1)``, so many times: two cycles each, one after the other."""
    x = np.uint64(0x9E3779B97F4A7C15)
    for _ in range(steps):
        x = (x + increment) ^ (x >> np.uint64(1))
    return x
