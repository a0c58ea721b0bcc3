"""Hamming search on the fast ways of counting: the bank as a 1x1 convolution, a filter an entry.

A panel of 64 entries at a time meets the queries that may meet it, so that it stays in the first
cache. Per query one comparison of 64 distances with the best so far follows; that one of them is
closer is rare (about the logarithm of the number of panels, per query), and only then is the entry
looked for. Every query begins with the panel that is the likeliest to be close: of its own cell the
one whose guide is closest, guides being what most entries of a panel agree on. All others follow in
their order; one that comes before the first, but is met after it, wins if equally close.

Patches of a finer stride lie in blocks under one patch of a coarser stride. What the coarse bits
differ in is counted once for the block, and where that alone is farther than the best of every
patch in it, the fine bits need not be looked at. Most panels are passed over like that.
"""

from __future__ import annotations

import numpy as np

from kernels.compiled import inlined, kernel
from kernels.counting import count_last_window, count_window, prepare
from kernels.vectors import LANES, add, any_less, equal, lowest_bit, repeat, smallest

FARTHEST = 32766
"""A distance that no entry has; one more still fits an int16."""


@kernel
def nearest(weights, entries, panels, runs, first_run, codes, begin, distances, indices):
    """``reference.nearest`` of whole strings of bits: the first of equally close entries.

    Args:
        weights: the bank's entries, cell by cell, each cell in whole panels of 64; laid out by a
            way of counting.
        entries: int32 (64 * panels,), which entry of the bank stands where; ascending in a cell,
            except for copies of its first entry that fill its last panel.
        panels: int32 (cells + 1,), the first panel of each cell.
        runs: int32 (n, 3), row, first and last column + 1 of queries that meet the panels of a
            cell, cell after cell.
        first_run: int32 (cells + 1,), in ``runs``, of each cell.
        codes: uint64 (rows, columns, words).
        begin: int32 (rows, columns), with which of the panels that it meets each query begins.
        distances: int32 (rows, columns), written.
        indices: int32 (rows, columns), written.
    """
    prepare(weights, codes, 1)
    distances[:] = FARTHEST
    indices[:] = 0
    rows, columns = distances.shape
    for row in range(rows):
        for column in range(columns):
            panel = begin[row, column]
            one = count_last_window(weights, panel, codes, row, column, 1, 1)
            _keep(one, entries, panel, row, column, distances, indices)
    for cell in range(panels.shape[0] - 1):
        for panel in range(panels[cell], panels[cell + 1]):
            for place in range(first_run[cell], first_run[cell + 1]):
                row, left, right = runs[place, 0], runs[place, 1], runs[place, 2]
                for column in range(left, right - 1, 2):
                    first, second = _at(begin, row, column), _at(begin, row, column + 1)
                    if first == panel == second:
                        continue
                    one, two = count_window(weights, panel, codes, row, column, 1, 1)
                    tie = np.int32(panel < first)
                    _keep_if_closer(one, tie, entries, panel, row, column, distances, indices)
                    tie = np.int32(panel < second)
                    _keep_if_closer(two, tie, entries, panel, row, column + 1, distances, indices)
                first = _at(begin, row, right - 1)
                if (right - left) % 2 and first != panel:
                    one = count_last_window(weights, panel, codes, row, right - 1, 1, 1)
                    tie = np.int32(panel < first)
                    _keep_if_closer(one, tie, entries, panel, row, right - 1, distances, indices)


@kernel
def nearest_guides(guides, panel_of_guide, panels, home, coarse, begin):
    """With which panel each coarse patch begins: the first whose guide is closest.

    Args:
        guides: of all panels, cell by cell, laid out as the entries of :func:`nearest` are.
        panel_of_guide: int32 (64 * panels of guides,), as ``entries`` there.
        panels: int32 (cells + 1,), the first panel of guides of each cell.
        home: int32 (rows, columns), the cell with whose panels each patch begins.
        coarse: uint64 (rows, columns, words).
        begin: int32 (rows, columns), written.
    """
    prepare(guides, coarse, 1)
    rows, columns = home.shape
    for row in range(rows):
        for column in range(columns):
            closest = np.int16(FARTHEST)
            cell = home[row, column]
            for panel in range(panels[cell], panels[cell + 1]):
                apart = count_last_window(guides, panel, coarse, row, column, 1, 1)
                nearer = smallest(apart)
                if nearer < closest:
                    closest = nearer
                    place = panel * LANES + lowest_bit(equal(apart, repeat(nearer)))
                    begin[row, column] = panel_of_guide[place]


@kernel
def nearest_in_blocks(
    fine_weights,
    coarse_weights,
    entries,
    panels,
    runs,
    first_run,
    fine,
    coarse,
    begin,
    distances,
    indices,
):
    """The same for patches that lie in blocks under the patches of a coarser stride.

    Args:
        fine_weights: the first bits of the bank's entries, as for :func:`nearest`.
        coarse_weights: their other bits, likewise.
        entries: as for :func:`nearest`.
        panels: likewise.
        runs: likewise, but in blocks.
        first_run: likewise.
        fine: uint64 (rows, columns, words).
        coarse: uint64 (rows / n, columns / n, words), n the side of a block.
        begin: int32 (rows / n, columns / n), as for :func:`nearest`, of each block.
        distances: int32 (rows, columns), written.
        indices: int32 (rows, columns), written.
    """
    prepare(fine_weights, fine, 1)
    prepare(coarse_weights, coarse, 1)
    distances[:] = FARTHEST
    indices[:] = 0
    block = distances.shape[0] // coarse.shape[0]
    for y in range(coarse.shape[0]):
        for x in range(coarse.shape[1]):
            panel = begin[y, x]
            common = count_last_window(coarse_weights, panel, coarse, y, x, 1, 1)
            _meet(fine_weights, panel, fine, common, 0, y, x, block, entries, distances, indices)
    for cell in range(panels.shape[0] - 1):
        for panel in range(panels[cell], panels[cell + 1]):
            for place in range(first_run[cell], first_run[cell + 1]):
                y = runs[place, 0]
                for x in range(runs[place, 1], runs[place, 2]):
                    first = _at(begin, y, x)
                    if panel == first:
                        continue
                    common = count_last_window(coarse_weights, panel, coarse, y, x, 1, 1)
                    tie = np.int32(panel < first)
                    worst = _largest(distances, y * block, x * block, block)
                    if any_less(common, np.int16(worst + tie)):
                        _meet(
                            fine_weights,
                            panel,
                            fine,
                            common,
                            tie,
                            y,
                            x,
                            block,
                            entries,
                            distances,
                            indices,
                        )


@inlined
def _at(array, row, column):
    # By unsigned numbers, or every access would ask whether they count from the end.
    return array[np.uint64(row), np.uint64(column)]


@inlined
def _meet(weights, panel, fine, common, tie, y, x, block, entries, distances, indices):
    # The patches of a block meet a panel, of which they share what the coarse bits differ in.
    end = (x + 1) * block
    for row in range(y * block, (y + 1) * block):
        for column in range(x * block, end - 1, 2):
            one, two = count_window(weights, panel, fine, row, column, 1, 1)
            one, two = add(one, common), add(two, common)
            _keep_if_closer(one, tie, entries, panel, row, column, distances, indices)
            _keep_if_closer(two, tie, entries, panel, row, column + 1, distances, indices)
        if block % 2:
            one = count_last_window(weights, panel, fine, row, end - 1, 1, 1)
            one = add(one, common)
            _keep_if_closer(one, tie, entries, panel, row, end - 1, distances, indices)


@inlined
def _keep_if_closer(apart, tie, entries, panel, row, column, distances, indices):
    if any_less(apart, np.int16(_at(distances, row, column) + tie)):
        _keep(apart, entries, panel, row, column, distances, indices)


@inlined
def _largest(distances, top, left, side):
    largest = np.int32(0)
    for row in range(top, top + side):
        for column in range(left, left + side):
            largest = max(largest, _at(distances, row, column))
    return largest


@inlined
def _keep(apart, entries, panel, row, column, distances, indices):
    # Come here only if one of the 64 is closer, or may be as close and come before.
    closest = smallest(apart)
    entry = entries[panel * LANES + lowest_bit(equal(apart, repeat(closest)))]
    wins = closest < distances[row, column] or entry < indices[row, column]
    distances[row, column] = closest
    indices[row, column] = entry if wins else indices[row, column]
