"""How patches are compared: what a description of good parts needs to know about their kind.

The product compares strings of bits. Everything above (folds, window, place, drift, threshold) is
the same for any other kind of patch, which is how float teachers are measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from calibration.memory_bank import MemoryBank, choose_bank
from calibration.progress import Progress
from kernels.backends import Backend
from kernels.neighbourhoods import Cells

Measure = Callable[[np.ndarray], np.ndarray]
"""Patches of a part (rows, columns, ...) -> their distances to the bank (rows, columns).

Without square cells the grid may be turned."""


class Comparison(Protocol):
    """A kind of patch, and distances between patches of that kind."""

    def choose(
        self,
        grids: Sequence[np.ndarray],
        entries: int,
        rng: np.random.Generator,
        cells: Cells | None,
        progress: Progress,
    ) -> MemoryBank:
        """A bank of at most so many entries; see :func:`calibration.memory_bank.choose_bank`."""

    def measure(self, bank: MemoryBank, rows: int, columns: int) -> Measure:
        """What gives the distances of the patches of a grid to the bank."""


class BitComparison:
    """Strings of bits in Hamming space.

    Args:
        backend: that searches.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def choose(
        self,
        grids: Sequence[np.ndarray],
        entries: int,
        rng: np.random.Generator,
        cells: Cells | None,
        progress: Progress,
    ) -> MemoryBank:
        """Grids are uint64 (rows, columns, words)."""
        return choose_bank(grids, entries, rng, cells, progress)

    def measure(self, bank: MemoryBank, rows: int, columns: int) -> Measure:
        """Distances are in bits."""
        index = self._backend.index(bank.patches, bank.neighbourhoods(rows, columns))

        return lambda grid: index.distances([grid])
