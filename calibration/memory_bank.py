"""The memory bank: a small subset of the good patches that represents all of them.

Greedy k-centre selection in Hamming space (Roth et al., PatchCore, 2022, algorithm 1): each step
adds the patch that is farthest from everything chosen so far. Nothing in the good images is then
farther from the bank than the last step's distance.

With a *window*, the grid of patches is divided into cells. Every cell keeps entries of its own, and
a patch is compared with those of its own cell and of those next to it only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.progress import Progress, silent
from kernels import portable
from kernels.bits import unpack
from kernels.neighbourhoods import Cells, Neighbourhoods

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
        cells: that grids are divided into; None where every patch is compared with every entry.
        cell_of_entry: int32 (m,), ascending, where each came from; all 0 without cells.
    """

    patches: np.ndarray
    cells: Cells | None
    cell_of_entry: np.ndarray

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def bits(self) -> int:
        """Bits of a patch."""
        return int(self.patches.shape[1]) * 64

    @property
    def window(self) -> int:
        """Side of the cells, in patches; 0 without."""
        return self.cells.side if self.cells else 0

    def neighbourhoods(self, rows: int, columns: int) -> Neighbourhoods | None:
        """What the patches of a grid are compared with; None for everything."""
        if not self.cells:
            return None
        return Neighbourhoods.around(self.cell_of_entry, rows, columns, self.cells)


def choose_bank(
    grids: Sequence[np.ndarray],
    entries: int,
    rng: np.random.Generator,
    cells: Cells | None = None,
    progress: Progress = silent,
    spread: Spread | None = None,
) -> MemoryBank:
    """Select representative patches.

    Args:
        grids: uint64 (rows, columns, words) each; of one size where there are square cells.
        entries: how many to keep at most.
        rng: picks the first entry and, from very many patches, the candidates.
        cells: that grids are divided into, if they are.
        progress: shows how far it is.
        spread: what selects; by default greedy k-centre in Hamming space.

    Returns:
        A bank without repeats (within a cell).
    """
    spread = spread or spread_bits
    flat = np.concatenate([grid.reshape(-1, grid.shape[2]) for grid in grids])
    if not cells:
        chosen = spread(flat, entries, rng, progress)
        return MemoryBank(chosen, None, np.zeros(len(chosen), np.int32))
    cell_of_patch = np.concatenate([cells.of_grid(*grid.shape[:2]) for grid in grids])
    order = np.argsort(cell_of_patch, kind="stable")
    sizes = np.bincount(cell_of_patch)
    inside = np.split(order, np.cumsum(sizes)[:-1])
    shares = np.maximum(1, entries * sizes // len(flat))
    numbers = progress(range(len(sizes)), "choosing the bank", len(sizes))
    kept = [spread(flat[inside[cell]], int(shares[cell]), rng, silent) for cell in numbers]
    of_entry = np.repeat(np.arange(len(sizes), dtype=np.int32), [len(part) for part in kept])
    return MemoryBank(np.concatenate(kept), cells, of_entry)


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
