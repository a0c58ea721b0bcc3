"""Which entries of a memory bank a patch is compared with, by where on the part both come from.

The grid of patches is divided into cells. A patch meets the entries that came from its own cell and
from those that share a side with it; where these have none, from the nearest cells that have some.
What is normal in one place of a part is a defect in another, and the search is cheaper for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.errors import ShapeError


@dataclass(frozen=True)
class Cells:
    """How the patches of a grid are divided.

    - *Squares*, for parts that always come in the same pose.
    - *Rings* around the middle of the grid, for parts that turn: in any orientation, a place is as
      far from there. They are made of whole squares, by how far the middles of these are away.

    Attributes:
        side: of a square, and how wide a ring is, in patches.
        rings: whether the squares make up rings.

    Raises:
        ShapeError: if the side is not at least one patch.
    """

    side: int
    rings: bool = False

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ShapeError(f"no cells of {self.side} patches")

    def places(self, rows: int, columns: int) -> np.ndarray:
        """Where each cell is, in cells: int32 (cells, 2); those that share a side are one off."""
        down, across = self._squares(rows, columns)
        if not self.rings:
            return np.indices((down, across), np.int32).reshape(2, -1).T
        count = int(self.of_grid(rows, columns).max()) + 1
        return np.stack([np.arange(count), np.zeros(count)], axis=1).astype(np.int32)

    def _squares(self, rows: int, columns: int) -> tuple[int, int]:
        """Of a grid, down and across; those at its ends may lie partly beyond."""
        return -(-rows // self.side), -(-columns // self.side)

    def of_grid(self, rows: int, columns: int) -> np.ndarray:
        """The cell of every patch: int32 (rows * columns,)."""
        row, column = np.divmod(np.arange(rows * columns), columns)
        row, column = row // self.side, column // self.side
        down, across = self._squares(rows, columns)
        if not self.rings:
            return (row * across + column).astype(np.int32)
        # Twice the way from the middle in each direction, so that it is whole.
        away = np.hypot(2 * row - (down - 1), 2 * column - (across - 1)) / 2
        return away.astype(np.int32)


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Cells of a grid, the entries that came from each, and the cells that each is compared with.

    Attributes:
        rows: of the grid.
        columns: of the grid.
        side: of the squares of patches of which all belong to the same cell.
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
        cls, cell_of_entry: np.ndarray, rows: int, columns: int, cells: Cells
    ) -> Neighbourhoods:
        """Neighbourhoods on a grid.

        Args:
            cell_of_entry: int32 (m,), ascending, the cell that each entry of the bank came from.
            rows: of the grid.
            columns: of the grid.
            cells: how it is divided.

        Raises:
            ShapeError: if there are no entries, one of a cell that is not on the grid, or if they
                are not in the order of their cells.
        """
        if not len(cell_of_entry):
            raise ShapeError("the memory bank is empty: there is nothing to compare with")
        places = cells.places(rows, columns)
        if cell_of_entry[0] < 0 or cell_of_entry[-1] >= len(places):
            raise ShapeError(f"an entry of cell {cell_of_entry[-1]} on a grid of {len(places)}")
        if (np.diff(cell_of_entry) < 0).any():
            raise ShapeError("the entries of the memory bank are not in the order of their cells")
        ends = np.searchsorted(cell_of_entry, np.arange(len(places) + 1)).astype(np.int32)
        entries = tuple(np.arange(*ends[c : c + 2], dtype=np.int32) for c in range(len(places)))
        filled = np.flatnonzero(np.diff(ends))
        near = []
        for place in places:
            away = abs(places[filled] - place).sum(axis=1)
            near.append(filled[away <= max(1, away.min())].astype(np.int32))
        of_queries = cells.of_grid(rows, columns)
        return cls(rows, columns, cells.side, of_queries, entries, tuple(near))

    @classmethod
    def everywhere(cls, entries: int, rows: int, columns: int) -> Neighbourhoods:
        """One cell: every query is compared with every entry."""
        one_cell, queries = np.zeros(1, np.int32), np.zeros(rows * columns, np.int32)
        everything = np.arange(entries, dtype=np.int32)
        return cls(rows, columns, max(rows, columns), queries, (everything,), (one_cell,))

    def met(self, cell: int) -> np.ndarray:
        """The entries that the queries of a cell are compared with: int32, ascending."""
        return np.concatenate([self.entries[number] for number in self.near[cell]])
