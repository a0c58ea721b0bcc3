"""Two kinds of parts in one folder: images that fall into two groups with a gulf between them.

Each image is summed up by how often each bit of its patches is set: that does not depend on where
on the picture something lies. Two groups are sought (2-means), and the sums are projected onto the
line through their centres: between two kinds of parts lies a wide empty stretch, within one kind
there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_GULF = 0.5  # of the distance between the centres, empty
_SMALLEST_GROUP = 0.05
_ROUNDS = 50


def two_groups(grids: Sequence[np.ndarray]) -> np.ndarray | None:
    """Tell whether images are of two kinds.

    Args:
        grids: of patches, uint64 (rows, columns, words) each.

    Returns:
        bool (n,), which of them belong to the smaller group; None if they are of one kind.
    """
    sums = np.stack([_bit_shares(grid) for grid in grids])
    found = [_split(sums, first) for first in _first_guesses(sums)]
    gulf, group = max(found, key=lambda one: one[0])
    if group.sum() * 2 > len(group):
        group = ~group
    if gulf < _GULF or group.sum() < max(3, _SMALLEST_GROUP * len(group)):
        return None
    return group


def _bit_shares(grid: np.ndarray) -> np.ndarray:
    words = grid.shape[2]
    bits = np.unpackbits(grid.reshape(-1, words).view(np.uint8), axis=1)
    return bits.mean(axis=0, dtype=np.float32)


def _first_guesses(sums: np.ndarray) -> list[np.ndarray]:
    centred = sums - sums.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    farthest = np.linalg.norm(centred, axis=1).argmax()
    away = np.linalg.norm(sums - sums[farthest], axis=1)
    return [centred @ directions[0] > 0, away > away.max() / 2]


def _split(sums: np.ndarray, group: np.ndarray) -> tuple[float, np.ndarray]:
    """2-means; the empty stretch as a share of the distance between the centres, and a group."""
    for _ in range(_ROUNDS):
        if group.all() or not group.any():
            return 0.0, group
        one, other = sums[group].mean(axis=0), sums[~group].mean(axis=0)
        nearer = np.linalg.norm(sums - one, axis=1) < np.linalg.norm(sums - other, axis=1)
        if (nearer == group).all():
            break
        group = nearer
    distance = float(np.linalg.norm(one - other))
    if group.all() or not group.any() or not distance:
        return 0.0, group
    along = sums @ (one - other) / distance
    return float(along[group].min() - along[~group].max()) / distance, group
