"""Which entries of a memory bank a patch is compared with, by where on the part both come from.

The grid of patches is divided into square cells. A patch meets the entries that came from its own
cell and the eight around it; where these have none, from the nearest ring of cells that has some.
Parts that always come in the same pose need no more, and the search is many times cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Cells of a grid, the entries that came from each, and the cells that each is compared with.

    Attributes:
        rows: of the grid.
        columns: of the grid.
        side: of a cell, in patches.
        cell_of_query: int32 (rows * columns,), in the order of the grid, row by row.
        entries: per cell, int32, ascending, and ascending from cell to cell: an entry belongs to
            one cell.
        near: per cell, int32, ascending: the cells whose entries its queries meet, at least one of
            them with entries.
    """

    rows: int
    columns: int
    side: int
    cell_of_query: np.ndarray
    entries: tuple[np.ndarray, ...]
    near: tuple[np.ndarray, ...]

    @classmethod
    def around(
        cls, cell_of_entry: np.ndarray, rows: int, columns: int, side: int
    ) -> Neighbourhoods:
        """Neighbourhoods on a grid.

        Args:
            cell_of_entry: int32 (m,), ascending, the cell that each entry of the bank came from.
            rows: of the grid.
            columns: of the grid.
            side: of a cell, in patches.

        Raises:
            ShapeError: if there are no entries, one of a cell that is not on the grid, or if they
                are not in the order of their cells.
        """
        across, cells = cell_count(rows, columns, side)
        if not len(cell_of_entry):
            raise ShapeError("the memory bank is empty: there is nothing to compare with")
        if cell_of_entry[0] < 0 or cell_of_entry[-1] >= cells:
            raise ShapeError(f"an entry of cell {cell_of_entry[-1]} on a grid of {cells} cells")
        if (np.diff(cell_of_entry) < 0).any():
            raise ShapeError("the entries of the memory bank are not in the order of their cells")
        ends = np.searchsorted(cell_of_entry, np.arange(cells + 1)).astype(np.int32)
        entries = tuple(np.arange(ends[c], ends[c + 1], dtype=np.int32) for c in range(cells))
        filled = np.flatnonzero(np.diff(ends))
        filled_row, filled_column = np.divmod(filled, across)
        near = []
        for cell in range(cells):
            row, column = divmod(cell, across)
            ring = np.maximum(abs(filled_row - row), abs(filled_column - column))
            near.append(filled[ring <= max(1, ring.min())].astype(np.int32))
        of_queries = cells_of_grid(rows, columns, side)
        return cls(rows, columns, side, of_queries, entries, tuple(near))

    @classmethod
    def everywhere(cls, entries: int, rows: int, columns: int) -> Neighbourhoods:
        """One cell: every query is compared with every entry."""
        one_cell, queries = np.zeros(1, np.int32), np.zeros(rows * columns, np.int32)
        everything = np.arange(entries, dtype=np.int32)
        return cls(rows, columns, max(rows, columns), queries, (everything,), (one_cell,))

    def met(self, cell: int) -> np.ndarray:
        """The entries that the queries of a cell are compared with: int32, ascending."""
        return np.concatenate([self.entries[number] for number in self.near[cell]])


def cell_count(rows: int, columns: int, side: int) -> tuple[int, int]:
    """Cells in a row of a grid of patches, and in all of it."""
    if rows < 1 or columns < 1 or side < 1:
        raise ShapeError(f"no cells of {side} patches on a grid of {rows} x {columns}")
    across = -(-columns // side)
    return across, across * -(-rows // side)


def cells_of_grid(rows: int, columns: int, side: int) -> np.ndarray:
    """The cell of every patch: int32 (rows * columns,)."""
    across, _ = cell_count(rows, columns, side)
    row, column = np.divmod(np.arange(rows * columns), columns)
    return (row // side * across + column // side).astype(np.int32)
