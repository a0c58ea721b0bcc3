"""Hamming search on the fast ways of counting: the bank as a 1x1 convolution, a filter an entry.

A panel of 64 entries at a time meets all queries, so that it stays in the first cache. Per query
one comparison of 64 distances with the best so far follows; that one of them is closer is rare
(about the logarithm of the number of panels, per query), and only then is the entry looked for.
"""

from __future__ import annotations

from kernels.compiled import inlined, kernel
from kernels.counting import count_window, prepare
from kernels.vectors import LANES, equal, less, lowest_bit, repeat, smallest


@kernel
def nearest(weights, entries, panels, first_panel, queries, first_query, distances, indices):
    """``reference.nearest``: the first of equally close entries.

    Args:
        weights: the bank's entries cell by cell, each cell in whole panels of 64, laid out by a
            way of counting.
        entries: int32 (64 * panels,), which entry of the bank stands where; ascending in a cell,
            except for copies of its first entry that fill its last panel.
        panels: int32, which panels the queries of each cell meet, cell after cell, ascending.
        first_panel: int32 (cells + 1,), in ``panels``, of each cell.
        queries: uint64 (1, q, words), cell by cell, each cell an even number.
        first_query: int32 (cells + 1,), of each cell.
        distances: int16 (q,), written.
        indices: int32 (q,), written.
    """
    prepare(weights, queries, 1)
    distances[:] = 32767
    for cell in range(first_panel.shape[0] - 1):
        for place in range(first_panel[cell], first_panel[cell + 1]):
            panel = panels[place]
            for query in range(first_query[cell], first_query[cell + 1], 2):
                one, two = count_window(weights, panel, queries, 0, query, 1, 1)
                if less(one, repeat(distances[query])):
                    _keep_closest(one, panel, entries, query, distances, indices)
                if less(two, repeat(distances[query + 1])):
                    _keep_closest(two, panel, entries, query + 1, distances, indices)


@inlined
def _keep_closest(apart, panel, entries, query, distances, indices):
    best = smallest(apart)
    distances[query] = best
    indices[query] = entries[panel * LANES + lowest_bit(equal(apart, repeat(best)))]
