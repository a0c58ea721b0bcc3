"""Which queries meet which entries of a memory bank, in the order in which :mod:`.search` walks.

Entries stand in panels of 64, cell by cell. Panels that a query meets are taken in batches that fit
into the first cache; if they are more than one, those of its own cell come first, where what is
closest is likely to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels.neighbourhoods import Neighbourhoods
from kernels.vectors import LANES

PANELS_AT_ONCE = 8
"""Most panels of a batch: at four words an entry 16 KB of bits, or 32 KB as nibbles in bytes."""


class Meetings(NamedTuple):
    """Cell after cell: its queries, and the panels that these meet.

    Attributes:
        panels: int32 (n,), numbers of panels, batch after batch, ascending in each. A batch comes
            wholly before any other that the same queries meet, by these numbers, or wholly after.
        ends: int32 (batches + 1,), of batches in ``panels``.
        first_batch: int32 (cells + 1,), of each cell.
        runs: int32 (r, 3), row, first and last column + 1 of queries, or of their blocks, that
            belong to the cell.
        first_run: int32 (cells + 1,), of each cell.
    """

    panels: np.ndarray
    ends: np.ndarray
    first_batch: np.ndarray
    runs: np.ndarray
    first_run: np.ndarray


def in_panels(entries: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Entries of each cell in whole panels.

    Args:
        entries: per cell, int32, ascending.

    Returns:
        int32 (64 * panels,), which entry stands where: copies of a cell's first one fill its last
        panel, for what they stand for is never closer. And int32 (cells + 1,), the first panel of
        each cell.
    """
    padded = [np.concatenate([own, np.repeat(own[:1], -len(own) % LANES)]) for own in entries]
    ends = np.cumsum([0] + [len(own) // LANES for own in padded])
    return np.concatenate(padded).astype(np.int32), ends.astype(np.int32)


def meetings_of(near: Neighbourhoods, panels: np.ndarray, cell_of_query: np.ndarray) -> Meetings:
    """Who meets whom.

    Args:
        near: which cells meet.
        panels: int32 (cells + 1,), the first panel of each cell.
        cell_of_query: int32 (rows, columns), of queries or of their blocks.
    """
    batches: list[np.ndarray] = []
    first_batch = [0]
    for cell, cells in enumerate(near.near):
        batches += _batches(cell, cells, panels)
        first_batch.append(len(batches))
    ends = np.cumsum([0] + [len(batch) for batch in batches])
    return Meetings(
        np.concatenate(batches).astype(np.int32),
        ends.astype(np.int32),
        np.array(first_batch, np.int32),
        *_runs(cell_of_query, len(near.near)),
    )


def _batches(cell: int, cells: np.ndarray, panels: np.ndarray) -> list[np.ndarray]:
    met = np.concatenate([np.arange(*panels[c : c + 2]) for c in cells])
    if len(met) <= PANELS_AT_ONCE:
        return [met]
    own = cell if cell in cells else cells[0]
    begin, end = panels[own : own + 2]
    parts = met[(met >= begin) & (met < end)], met[met < begin], met[met >= end]
    starts = [(part, i) for part in parts for i in range(0, len(part), PANELS_AT_ONCE)]
    return [part[i : i + PANELS_AT_ONCE] for part, i in starts]


def _runs(cell_of_query: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring queries of a row that belong to the same cell: ``runs`` and ``first_run``."""
    rows, columns = cell_of_query.shape
    begins = np.ones((rows, columns), bool)
    begins[:, 1:] = cell_of_query[:, 1:] != cell_of_query[:, :-1]
    row, left = np.nonzero(begins)
    right = np.append(left[1:], 0)
    right[right == 0] = columns  # what follows begins a row
    cell = cell_of_query[row, left]
    order = np.argsort(cell, kind="stable")
    first_run = np.append(0, np.cumsum(np.bincount(cell, minlength=cells)))
    return np.stack([row, left, right], axis=1)[order].astype(np.int32), first_run.astype(np.int32)
