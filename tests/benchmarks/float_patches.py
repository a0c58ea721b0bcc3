"""Patches of floats, to measure other descriptions under the product's own scoring.

A float teacher says of each patch what the backbone was trained to say in bits; HOG (Dalal and
Triggs, 2005) is what one would use without any training. Both go through the folds, the pose,
the places and the threshold of :mod:`calibration.normal`, with Euclidean distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from calibration.comparison import Measure
from calibration.memory_bank import MemoryBank, choose_bank
from calibration.progress import Progress
from kernels.neighbourhoods import Cells

_CANDIDATES = 10_000
_CHANNELS = 256
# Distances of standardised patches are about 1; the scoring has one constant in bits, of which a
# good patch has some 40.
_BITS = 40.0


class FloatPatches(Protocol):
    """Makes patches of prepared images: uint8 (h, w, 3) blue first -> float32 (h/8, w/8, c)."""

    name: str

    def fit(self, images: Sequence[np.ndarray]) -> None:
        """Learn the scale of each layer from some good images."""

    def of(self, image: np.ndarray) -> np.ndarray:
        """The patches of an image."""


class Hog:
    """Histograms of oriented gradients: cells of 8 x 8 pixels, blocks of 2 x 2 cells."""

    name = "HOG"

    def fit(self, images: Sequence[np.ndarray]) -> None:
        """Find the scale."""
        self._scale = 1.0
        blocks = np.concatenate([self.of(image).reshape(-1, 36) for image in images])
        self._scale = 1 / (float(blocks.std(axis=0).mean()) * 36**0.5)

    def of(self, image: np.ndarray) -> np.ndarray:
        """As the class of :class:`FloatPatches`."""
        height, width = image.shape[:2]
        framed = cv2.copyMakeBorder(image, 0, 8, 0, 8, cv2.BORDER_REPLICATE)
        hog = cv2.HOGDescriptor((width + 8, height + 8), (16, 16), (8, 8), (8, 8), 9)
        # OpenCV lists blocks column by column.
        blocks = hog.compute(framed).reshape(width // 8, height // 8, 36).transpose(1, 0, 2)
        return np.ascontiguousarray(blocks) * np.float32(self._scale)


class TeacherPatches:
    """A teacher's maps at strides 8 and 16, averaged over 3 x 3 as for distillation.

    Each stride counts alike. More than 256 channels are projected onto so many random directions,
    which keeps distances (Johnson and Lindenstrauss, 1984) and fits into memory.

    Args:
        name: for the table.
        number: of the teacher in ``calibration.training.teachers.TEACHERS``.
        folder: with the .tflite files.
    """

    def __init__(self, name: str, number: int, folder: Path) -> None:
        from calibration.training.teachers import TEACHERS

        self.name = name
        self._teacher = TEACHERS[number].load(folder)
        self._scales = [1.0, 1.0]
        self._projection: np.ndarray | None = None

    def _maps(self, image: np.ndarray) -> list[np.ndarray]:
        import torch
        from torch.nn import functional

        batch = torch.from_numpy(image[:, :, ::-1].astype(np.float32)).permute(2, 0, 1)[None]
        with torch.no_grad():
            _, fine, coarse = self._teacher(batch).values()
            both = [
                functional.avg_pool2d(m, 3, 1, 1, count_include_pad=False) for m in (fine, coarse)
            ]
            size = both[0].shape[2:]
            both[1] = functional.interpolate(both[1], size=size, mode="bilinear")
        return [one[0].permute(1, 2, 0).numpy() for one in both]

    def fit(self, images: Sequence[np.ndarray]) -> None:
        """Find the scale of each stride."""
        maps = [self._maps(image) for image in images]
        channels = [one.shape[2] for one in maps[0]]
        for level, count in enumerate(channels):
            spread = np.concatenate([m[level].reshape(-1, count) for m in maps]).std(axis=0).mean()
            self._scales[level] = 1 / (float(spread) * count**0.5)
        total = sum(channels)
        if total > _CHANNELS:
            directions = np.random.default_rng(0).normal(0, _CHANNELS**-0.5, (total, _CHANNELS))
            self._projection = directions.astype(np.float32)

    def of(self, image: np.ndarray) -> np.ndarray:
        """As the class of :class:`FloatPatches`."""
        maps = [m * np.float32(s) for m, s in zip(self._maps(image), self._scales, strict=True)]
        patches = np.concatenate(maps, axis=2)
        return patches if self._projection is None else patches @ self._projection


class FloatComparison:
    """Euclidean distances; as :class:`calibration.comparison.Comparison`."""

    def choose(
        self,
        grids: Sequence[np.ndarray],
        entries: int,
        rng: np.random.Generator,
        cells: Cells | None,
        progress: Progress,
    ) -> MemoryBank:
        """Greedy k-centre, as for bits."""
        return choose_bank(grids, entries, rng, cells, progress, _spread)

    def measure(self, bank: MemoryBank, rows: int, columns: int) -> Measure:
        """Distances, 40 times their Euclidean length."""
        near = bank.neighbourhoods(rows, columns)
        squares = np.einsum("ij,ij->i", bank.patches, bank.patches)
        if near is None:
            groups = [(np.arange(rows * columns), np.arange(len(bank)))]
        else:
            numbers = range(len(near.entries))
            groups = [(np.flatnonzero(near.cell_of_query == c), near.met(c)) for c in numbers]
        prepared = [(q, np.ascontiguousarray(bank.patches[e].T), squares[e]) for q, e in groups]

        def distances(grid: np.ndarray) -> np.ndarray:
            patches = grid.reshape(rows * columns, -1)
            own = np.einsum("ij,ij->i", patches, patches)
            out = np.empty(rows * columns, np.float32)
            for queries, entries, lengths in prepared:
                apart = lengths - 2 * (patches[queries] @ entries)
                out[queries] = apart.min(axis=1) + own[queries]
            return np.sqrt(np.clip(out, 0, None)).reshape(grid.shape[:2]) * np.float32(_BITS)

        return distances


def _spread(
    patches: np.ndarray, entries: int, rng: np.random.Generator, progress: Progress
) -> np.ndarray:
    if len(patches) > _CANDIDATES:
        patches = patches[np.sort(rng.choice(len(patches), _CANDIDATES, replace=False))]
    if len(patches) <= entries:
        return patches
    squares = np.einsum("ij,ij->i", patches, patches)
    closest = np.full(len(patches), np.inf, np.float32)
    chosen = [int(rng.integers(len(patches)))]
    for _ in progress(range(1, entries), "choosing the bank", entries - 1):
        last = chosen[-1]
        np.minimum(closest, squares + squares[last] - 2 * (patches @ patches[last]), out=closest)
        chosen.append(int(closest.argmax()))
    return patches[chosen]
