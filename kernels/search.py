"""Hamming search on the fast ways of counting: the bank as a 1x1 convolution, a filter an entry.

A panel of 64 entries at a time meets the queries of a cell, so that it stays in the first cache.
Per query one comparison of 64 distances with the best so far follows; that one of them is closer
is rare (about the logarithm of the number of panels, per query), and only then is the entry looked
for.

Patches of a finer stride lie in blocks under one patch of a coarser stride. What the coarse bits
differ in is counted once for the block, and where that alone is farther than the best of every
patch in it, the fine bits need not be looked at. A cell's own entries come first: they are the
likeliest to be close, so that most others are then passed over.
"""

from __future__ import annotations

import numpy as np

from kernels.compiled import inlined, kernel
from kernels.counting import count_last_window, count_window, prepare
from kernels.vectors import LANES, add, equal, less, lowest_bit, repeat, smallest

FARTHEST = 32766
"""A distance that no entry has; one more still fits an int16."""


@kernel
def nearest(weights, entries, panels, first_panel, side, codes, distances, indices):
    """``reference.nearest`` of whole strings of bits: the first of equally close entries.

    Args:
        weights: the bank's entries, cell by cell, each cell in whole panels of 64; laid out by a
            way of counting.
        entries: int32 (64 * panels,), which entry of the bank stands where; ascending in a cell,
            except for copies of its first entry that fill its last panel.
        panels: int32, which panels the queries of each cell meet, cell after cell: its own first,
            if it has any, and the others ascending.
        first_panel: int32 (cells + 1,), in ``panels``, of each cell.
        side: of a cell, in patches.
        codes: uint64 (rows, columns, words).
        distances: int32 (rows, columns), written.
        indices: int32 (rows, columns), written.
    """
    prepare(weights, codes, 1)
    distances[:] = FARTHEST
    indices[:] = 0
    rows, columns = distances.shape
    across = -(-columns // side)
    for cell in range(first_panel.shape[0] - 1):
        top, left = cell // across * side, cell % across * side
        bottom, right = min(top + side, rows), min(left + side, columns)
        own = panels[first_panel[cell]]
        for place in range(first_panel[cell], first_panel[cell + 1]):
            panel = panels[place]
            # An entry that is met late, but comes before the best so far, wins if equally close.
            tie = np.int32(panel < own)
            for row in range(top, bottom):
                for column in range(left, right - 1, 2):
                    one, two = count_window(weights, panel, codes, row, column, 1, 1)
                    if less(one, repeat(np.int16(distances[row, column] + tie))):
                        _keep(one, entries, panel, row, column, distances, indices)
                    if less(two, repeat(np.int16(distances[row, column + 1] + tie))):
                        _keep(two, entries, panel, row, column + 1, distances, indices)
                if (right - left) % 2:
                    last = right - 1
                    one = count_last_window(weights, panel, codes, row, last, 1, 1)
                    if less(one, repeat(np.int16(distances[row, last] + tie))):
                        _keep(one, entries, panel, row, last, distances, indices)


@kernel
def nearest_in_blocks(
    fine_weights,
    coarse_weights,
    entries,
    panels,
    first_panel,
    side,
    fine,
    coarse,
    distances,
    indices,
):
    """The same for patches that lie in blocks under the patches of a coarser stride.

    Args:
        fine_weights: the first bits of the bank's entries, as for :func:`nearest`.
        coarse_weights: their other bits, likewise.
        entries: as for :func:`nearest`; so are ``panels`` and ``first_panel``.
        panels: see there.
        first_panel: see there.
        side: of a cell, in patches; whole blocks, if it is not the whole grid.
        fine: uint64 (rows, columns, words).
        coarse: uint64 (rows / n, columns / n, words), n the side of a block.
        distances: int32 (rows, columns), written.
        indices: int32 (rows, columns), written.
    """
    prepare(fine_weights, fine, 1)
    prepare(coarse_weights, coarse, 1)
    distances[:] = FARTHEST
    indices[:] = 0
    rows, columns = distances.shape
    across = -(-columns // side)
    block = rows // coarse.shape[0]
    for cell in range(first_panel.shape[0] - 1):
        top, left = cell // across * side, cell % across * side
        bottom, right = min(top + side, rows), min(left + side, columns)
        own = panels[first_panel[cell]]
        for place in range(first_panel[cell], first_panel[cell + 1]):
            panel = panels[place]
            tie = np.int32(panel < own)
            for y in range(top // block, bottom // block):
                for x in range(left // block, right // block):
                    common = count_last_window(coarse_weights, panel, coarse, y, x, 1, 1)
                    worst = _largest(distances, y * block, x * block, block)
                    if not less(common, repeat(np.int16(worst + tie))):
                        continue
                    end = (x + 1) * block
                    for row in range(y * block, (y + 1) * block):
                        for column in range(x * block, end - 1, 2):
                            one, two = count_window(fine_weights, panel, fine, row, column, 1, 1)
                            one, two = add(one, common), add(two, common)
                            if less(one, repeat(np.int16(distances[row, column] + tie))):
                                _keep(one, entries, panel, row, column, distances, indices)
                            if less(two, repeat(np.int16(distances[row, column + 1] + tie))):
                                _keep(two, entries, panel, row, column + 1, distances, indices)
                        if block % 2:
                            one = count_last_window(fine_weights, panel, fine, row, end - 1, 1, 1)
                            one = add(one, common)
                            if less(one, repeat(np.int16(distances[row, end - 1] + tie))):
                                _keep(one, entries, panel, row, end - 1, distances, indices)


@inlined
def _largest(distances, top, left, side):
    largest = np.int32(0)
    for row in range(top, top + side):
        for column in range(left, left + side):
            largest = max(largest, distances[row, column])
    return largest


@inlined
def _keep(apart, entries, panel, row, column, distances, indices):
    # Come here only if one of the 64 is closer, or may be as close and come before.
    closest = smallest(apart)
    entry = entries[panel * LANES + lowest_bit(equal(apart, repeat(closest)))]
    wins = closest < distances[row, column] or entry < indices[row, column]
    distances[row, column] = closest
    indices[row, column] = entry if wins else indices[row, column]
