"""Hamming search on the fast ways of counting: the bank as a 1x1 convolution, a filter an entry.

A panel of 64 entries at a time meets two neighbouring queries, and of each lane the smallest
distance so far is kept: after a batch of panels, few enough to stay in the first cache, one
reduction a query tells how close the closest entry is. That is all that an inspection asks for.
Which entry it is, the first of those as close, is found by looking again at the lanes of the batch
that are as close.

Patches of a finer stride lie in blocks under one patch of a coarser stride. What the coarse bits
differ in is counted once for the block; and where that alone is farther than the closest entry of
every patch in it, from batches before, the fine bits need not be looked at. So a query meets the
panels of its own cell first.

The bank may lie in memory. Panels are asked for while the batch before the first that needs them is
compared: cell after cell, each panel once.

Bound: counting, one lane an entry, at what a way of counting takes for a 1x1 convolution. The
minimum of 64 lanes of 16 bits is two instructions more for each query with AVX-512, where a word
takes 24.
"""

from __future__ import annotations

import numpy as np

from kernels.compiled import inlined, kernel
from kernels.counting import count_last_window, count_window, prepare
from kernels.portable import population_count
from kernels.prefetch import fetch
from kernels.vectors import (
    LANES,
    add,
    any_less,
    equal,
    load,
    lowest_bit,
    minimum,
    repeat,
    smallest,
    store,
)

FARTHEST = 32766
"""A distance that no entry has; one more still fits an int16."""


@kernel
def nearest(weights, meetings, codes, distances, batches, lanes):
    """How far the closest entry is, ``reference.nearest``'s distances of whole strings of bits.

    Args:
        weights: the bank's entries, cell by cell, each cell in whole panels of 64; laid out by a
            way of counting.
        meetings: of the queries, a :class:`.meetings.Meetings`.
        codes: uint64 (rows, columns, words).
        distances: int32 (rows, columns), written.
        batches: int32 (rows, columns), written: the batch that it is in.
        lanes: uint64 (rows, columns), written: a bit for each lane that it may be in. Empty if
            nobody asks which entry it is.
    """
    prepare(weights, codes, 1)
    distances[:] = FARTHEST
    batches[:] = 0
    panels, ends, first_batch, runs, first_run = meetings
    asked_for = np.int32(0)
    for cell in range(first_run.size - 1):
        for batch in range(first_batch[cell], first_batch[cell + 1]):
            asked_for = _ask_ahead(weights, meetings, batch, asked_for)
            begin, end = ends[batch], ends[batch + 1]
            for run in range(first_run[cell], first_run[cell + 1]):
                row, left, right = runs[run, 0], runs[run, 1], runs[run, 2]
                for column in range(left, right - 1, 2):
                    one, two = repeat(np.int16(FARTHEST)), repeat(np.int16(FARTHEST))
                    for number in range(begin, end):
                        panel = panels[number]
                        first, second = count_window(weights, panel, codes, row, column, 1, 1)
                        one, two = minimum(one, first), minimum(two, second)
                    _keep(one, batch, meetings, row, column, distances, batches, lanes)
                    _keep(two, batch, meetings, row, column + 1, distances, batches, lanes)
                if (right - left) % 2:
                    last = repeat(np.int16(FARTHEST))
                    for number in range(begin, end):
                        panel = panels[number]
                        apart = count_last_window(weights, panel, codes, row, right - 1, 1, 1)
                        last = minimum(last, apart)
                    _keep(last, batch, meetings, row, right - 1, distances, batches, lanes)


@kernel
def nearest_in_blocks(
    fine_weights, coarse_weights, meetings, fine, coarse, common, kept, distances, batches, lanes
):
    """:func:`nearest` of patches that lie in blocks under the patches of a coarser stride.

    Args:
        fine_weights: the first bits of the bank's entries, as for :func:`nearest`.
        coarse_weights: their other bits, likewise.
        meetings: of the blocks.
        fine: uint64 (rows, columns, words).
        coarse: uint64 (rows / n, columns / n, words), n the side of a block.
        common: int16 (PANELS_AT_ONCE, 64), scratch: what the coarse bits differ in.
        kept: int32 (PANELS_AT_ONCE,), scratch: from which panels.
        distances: int32 (rows, columns), written.
        batches: int32 (rows, columns), written: the batch that it is in.
        lanes: uint64 (rows, columns), written: a bit for each lane that it may be in. Empty if
            nobody asks which entry it is.
    """
    prepare(fine_weights, fine, 1)
    prepare(coarse_weights, coarse, 1)
    distances[:] = FARTHEST
    batches[:] = 0
    block = fine.shape[0] // coarse.shape[0]
    panels, ends, first_batch, runs, first_run = meetings
    asked_for = np.int32(0)
    for cell in range(first_run.size - 1):
        for batch in range(first_batch[cell], first_batch[cell + 1]):
            _ask_ahead(fine_weights, meetings, batch, asked_for)
            asked_for = _ask_ahead(coarse_weights, meetings, batch, asked_for)
            for run in range(first_run[cell], first_run[cell + 1]):
                y = runs[run, 0]
                for x in range(runs[run, 1], runs[run, 2]):
                    # What is as far as the farthest may still be the first of equally close ones.
                    worst = np.int16(_largest(distances, y * block, x * block, block) + 1)
                    count = 0
                    for number in range(ends[batch], ends[batch + 1]):
                        panel = panels[number]
                        apart = count_last_window(coarse_weights, panel, coarse, y, x, 1, 1)
                        store(common, count * LANES, apart)
                        kept[count] = panel
                        count += any_less(apart, worst)
                    if count:
                        _meet(
                            fine_weights, fine, common, kept, count, y * block, x * block, block,
                            batch, meetings, distances, batches, lanes,
                        )  # fmt: skip


@kernel
def first_of_nearest(bank, entries, meetings, fine, coarse, distances, batches, lanes, indices):
    """Which entries are the closest, after :func:`nearest` or :func:`nearest_in_blocks`.

    Args:
        bank: uint64 (m, words), the entries in their own order.
        entries: int32 (64 * panels,), which of them stands where; ascending in a cell, except for
            copies of its first entry that fill its last panel.
        meetings: as there.
        fine: uint64 (rows, columns, words).
        coarse: uint64 (rows / n, columns / n, words); without words if there is no such stride.
        distances: as written there.
        batches: likewise.
        lanes: likewise.
        indices: int32 (rows, columns), written: the first of equally close ones.
    """
    block = fine.shape[0] // coarse.shape[0]
    for row in range(fine.shape[0]):
        for column in range(fine.shape[1]):
            one, other = fine[row, column], coarse[row // block, column // block]
            batch = batches[row, column]
            begin, end = meetings.ends[batch], meetings.ends[batch + 1]
            panels, some = meetings.panels[begin:end], lanes[row, column]
            place = _first_at(distances[row, column], bank, entries, panels, some, one, other)
            indices[row, column] = place


@inlined
def _ask_ahead(weights, meetings, batch, asked_for):
    # Panels up to the last of the next batch, but for those asked for already; says how many are.
    last = min(batch + 2, meetings.ends.size - 1)
    coming = max(asked_for, np.int32(meetings.panels[meetings.ends[last] - 1] + 1))
    fetch(weights[0], asked_for, coming)
    return coming


@inlined
def _first_at(distance, bank, entries, panels, lanes, fine, coarse):
    for panel in panels:
        left = lanes
        while left:
            entry = entries[panel * LANES + lowest_bit(left)]
            if distance == _apart(fine, bank[entry], 0) + _apart(coarse, bank[entry], fine.size):
                return entry
            left &= left - np.uint64(1)
    return np.int32(-1)


@inlined
def _apart(codes, entry, first):
    apart = np.int64(0)
    for word in range(codes.size):
        apart += np.int64(population_count(codes[word] ^ entry[first + word]))
    return apart


@inlined
def _meet(
    weights, fine, common, kept, count, top, left, block, batch, meetings, distances, batches, lanes
):
    # The patches of a block meet some panels, of which they share what the coarse bits differ in.
    for row in range(top, top + block):
        for column in range(left, left + block - 1, 2):
            one, two = repeat(np.int16(FARTHEST)), repeat(np.int16(FARTHEST))
            for number in range(count):
                first, second = count_window(weights, kept[number], fine, row, column, 1, 1)
                shared = load(common, number * LANES)
                one, two = minimum(one, add(first, shared)), minimum(two, add(second, shared))
            _keep(one, batch, meetings, row, column, distances, batches, lanes)
            _keep(two, batch, meetings, row, column + 1, distances, batches, lanes)
        if block % 2:
            column = left + block - 1
            last = repeat(np.int16(FARTHEST))
            for number in range(count):
                apart = count_last_window(weights, kept[number], fine, row, column, 1, 1)
                last = minimum(last, add(apart, load(common, number * LANES)))
            _keep(last, batch, meetings, row, column, distances, batches, lanes)


@inlined
def _keep(apart, batch, meetings, row, column, distances, batches, lanes):
    closest, best = smallest(apart), distances[row, column]
    if closest < best or (closest == best and _comes_before(batch, batches[row, column], meetings)):
        distances[row, column] = closest
        batches[row, column] = batch
        if lanes.size:
            lanes[row, column] = equal(apart, repeat(closest))


@inlined
def _comes_before(one, other, meetings):
    # A batch may be met after another whose entries come after its own.
    return meetings.panels[meetings.ends[one]] < meetings.panels[meetings.ends[other]]


@inlined
def _largest(distances, top, left, side):
    largest = np.int32(0)
    for row in range(top, top + side):
        for column in range(left, left + side):
            largest = max(largest, distances[np.uint64(row), np.uint64(column)])
    return largest
