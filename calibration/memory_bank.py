"""The memory bank: a small subset of the good patches that represents all of them.

Greedy k-centre selection in Hamming space (Roth et al., PatchCore, 2022, algorithm 1): each step
adds the patch that is farthest from everything chosen so far. Nothing in the good images is then
farther from the bank than the last step's distance.

With a *window*, the grid of patches is divided into square cells. Every cell keeps entries of its
own, and a patch is compared with those of its own cell and the eight around it only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.progress import Progress, silent
from kernels import portable
from kernels.bits import unpack
from kernels.neighbourhoods import Neighbourhoods, cell_count, cells_of_grid

_CANDIDATES = 120_000
_PANEL = 64  # entries that the fast searches compare at once
_ROUNDS = 6  # of finding out which entries are alike

Spread = Callable[[np.ndarray, int, np.random.Generator, Progress], np.ndarray]
"""Selects at most so many of patches (n, ...) that represent all of them."""


@dataclass(frozen=True, eq=False)
class MemoryBank:
    """Patches of good parts.

    Attributes:
        patches: uint64 (m, words).
        window: side of the cells, in patches; 0 where every patch is compared with every entry.
        cells: int32 (m,), the cell each entry came from; all 0 without a window.
    """

    patches: np.ndarray
    window: int
    cells: np.ndarray

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def bits(self) -> int:
        """Bits of a patch."""
        return int(self.patches.shape[1]) * 64

    def neighbourhoods(self, rows: int, columns: int) -> Neighbourhoods | None:
        """What the patches of a grid are compared with; None for everything."""
        if not self.window:
            return None
        return Neighbourhoods.around(self.cells, rows, columns, self.window)


def choose_bank(
    grids: Sequence[np.ndarray],
    entries: int,
    rng: np.random.Generator,
    window: int = 0,
    progress: Progress = silent,
    spread: Spread | None = None,
) -> MemoryBank:
    """Select representative patches.

    Args:
        grids: uint64 (rows, columns, words) each; of one size where there is a window.
        entries: how many to keep at most.
        rng: picks the first entry and, from very many patches, the candidates.
        window: side of the cells, in patches; 0 for none.
        progress: shows how far it is.
        spread: what selects; by default greedy k-centre in Hamming space.

    Returns:
        A bank without repeats (within a cell).
    """
    spread = spread or spread_bits
    rows, columns, words = grids[0].shape
    flat = np.concatenate([grid.reshape(-1, words) for grid in grids])
    if not window:
        chosen = spread(flat, entries, rng, progress)
        return MemoryBank(chosen, 0, np.zeros(len(chosen), np.int32))
    patches = flat.reshape(len(grids), rows * columns, words)
    cell_of_patch = cells_of_grid(rows, columns, window)
    _, cells = cell_count(rows, columns, window)
    share = max(1, entries // cells)
    kept = [
        spread(patches[:, cell_of_patch == cell].reshape(-1, words), share, rng, silent)
        for cell in progress(range(cells), "choosing the bank", cells)
    ]
    numbers = np.repeat(np.arange(cells, dtype=np.int32), [len(part) for part in kept])
    return MemoryBank(np.concatenate(kept), window, numbers)


def _alike_together(patches: np.ndarray) -> np.ndarray:
    """An order in which entries that are alike stand together, a search's panel of them at a time.

    A search passes over a panel if none of it can be close, which it seldom can of entries that
    were thrown together. Each half of a set is nearer to one of two middles: at first two patches
    far apart, then the means of the halves, as in k-means (Lloyd, 1982) with halves of equal size.
    """
    signs = 2 * unpack(patches).astype(np.float32) - 1

    def halve(numbers: np.ndarray) -> list[np.ndarray]:
        if len(numbers) <= _PANEL:
            return [np.sort(numbers)]
        half = -(-len(numbers) // (2 * _PANEL)) * _PANEL
        own = signs[numbers]
        one = own[(own @ own[0]).argmin()]
        other = own[(own @ one).argmin()]
        for _ in range(_ROUNDS):
            order = np.argsort(own @ (other - one), kind="stable")
            one, other = own[order[:half]].mean(axis=0), own[order[half:]].mean(axis=0)
        return halve(numbers[order[:half]]) + halve(numbers[order[half:]])

    return np.concatenate(halve(np.arange(len(patches))))


def spread_bits(
    patches: np.ndarray, entries: int, rng: np.random.Generator, progress: Progress
) -> np.ndarray:
    """Greedy k-centre in Hamming space: uint64 (n, words) -> (m, words), m at most ``entries``."""
    patches = np.unique(patches, axis=0)
    if len(patches) > _CANDIDATES:
        patches = patches[np.sort(rng.choice(len(patches), _CANDIDATES, replace=False))]
    if len(patches) <= entries:
        return patches[_alike_together(patches)]
    turned = np.ascontiguousarray(patches.T)
    distances = np.full(len(patches), np.iinfo(np.uint32).max, np.uint32)
    chosen = [int(rng.integers(len(patches)))]
    for _ in progress(range(1, entries), "choosing the bank", entries - 1):
        chosen.append(portable.keep_smaller_distances(patches[chosen[-1]], turned, distances))
    bank = patches[chosen]
    return bank[_alike_together(bank)]
