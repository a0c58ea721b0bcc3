"""The memory bank: a small subset of the good patches that represents all of them.

Greedy k-centre selection in Hamming space (Roth et al., PatchCore, 2022, algorithm 1): each step
adds the patch that is farthest from everything chosen so far. Nothing in the good images is then
farther from the bank than the last step's distance.
"""

from __future__ import annotations

import numpy as np

from calibration.progress import Progress, silent
from kernels import portable

_CANDIDATES = 120_000


def choose_bank(
    patches: np.ndarray, entries: int, rng: np.random.Generator, progress: Progress = silent
) -> np.ndarray:
    """Select representative patches.

    Args:
        patches: uint64 (n, words).
        entries: how many to keep at most.
        rng: picks the first entry and, from very many patches, the candidates.
        progress: shows how far it is.

    Returns:
        uint64 (m, words), m <= entries, without repeats.
    """
    patches = np.unique(patches, axis=0)
    if len(patches) > _CANDIDATES:
        patches = patches[np.sort(rng.choice(len(patches), _CANDIDATES, replace=False))]
    if len(patches) <= entries:
        return patches
    turned = np.ascontiguousarray(patches.T)
    distances = np.full(len(patches), np.iinfo(np.uint32).max, np.uint32)
    chosen = [int(rng.integers(len(patches)))]
    for _ in progress(range(1, entries), "choosing the bank", entries - 1):
        chosen.append(portable.keep_smaller_distances(patches[chosen[-1]], turned, distances))
    return patches[chosen]
