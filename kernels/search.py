"""Hamming search on the fast ways of counting: the bank as a 1x1 convolution, a filter an entry.

A panel of 64 entries at a time meets all queries, so that it stays in the first cache. Per query
one comparison of 64 distances with the best so far follows; that one of them is closer is rare
(about the logarithm of the number of panels, per query), and only then is the entry looked for.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kernels.counting import count_window, prepare
from kernels.vectors import LANES, equal, less, lowest_bit, repeat, smallest


@njit(cache=True, nogil=True)
def nearest(weights, panels, queries, distances, indices):
    """``reference.nearest``: the first of equally close entries.

    Args:
        weights: the bank, laid out by a way of counting; the rows that fill its last panel are
            copies of the first entry.
        panels: of 64 entries.
        queries: uint64 (1, q or q + 1, words), an even number of columns.
        distances: int16 (q or q + 1,), written.
        indices: int32 (q or q + 1,), written.
    """
    prepare(weights, queries, 1)
    distances[:] = 32767
    for panel in range(panels):
        for query in range(0, distances.shape[0], 2):
            one, two = count_window(weights, panel, queries, 0, query, 1, 1)
            if less(one, repeat(distances[query])):
                _keep_closest(one, panel, query, distances, indices)
            if less(two, repeat(distances[query + 1])):
                _keep_closest(two, panel, query + 1, distances, indices)


@njit(nogil=True, forceinline=True)
def _keep_closest(apart, panel, query, distances, indices):
    best = smallest(apart)
    distances[query] = best
    indices[query] = panel * LANES + lowest_bit(equal(apart, repeat(best)))
