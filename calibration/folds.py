"""Good parts as they look to a bank that does not know them.

The parts are dealt out to five folds. Each is measured against a bank made of the other four: so
every part is a new one once, and none is spared for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.comparison import Comparison, Measure
from calibration.memory_bank import MemoryBank
from calibration.pose import ONE_WAY_ROUND, Pose
from calibration.progress import Progress
from calibration.scoring import smooth, strangeness
from calibration.views import Views

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Unseen:
    """Distances of parts, each to a bank that was made without it.

    Attributes:
        good: (n, rows, columns) of any number type.
        drawn: (k, rows, columns) each, of parts with k defects drawn on them, one at a time.
        parts: int (m,), which parts these are.
    """

    good: np.ndarray
    drawn: list[np.ndarray]
    parts: np.ndarray


class Folds:
    """Good parts, dealt out at random; each fold is compared with a bank of the others.

    Args:
        parts: good ones, at least :data:`FOLDS`.
        comparison: of such patches.
        entries: of a bank of parts that come like this.
        smoothing: of maps whose scores are compared, in patches.
        seed: of the folds and the choice of banks.
        progress: shows how far it is.
    """

    def __init__(
        self,
        parts: Sequence[Views],
        comparison: Comparison,
        entries: Callable[[Pose], int],
        smoothing: float,
        seed: int,
        progress: Progress,
    ) -> None:
        self._parts, self._comparison, self._entries = parts, comparison, entries
        self._smoothing, self._seed, self._progress = smoothing, seed, progress
        self._fold_of = np.random.default_rng(seed).permutation(len(parts)) % FOLDS
        self._measures: dict[tuple[int, Pose], Measure] = {}
        self._good: dict[tuple[int, Pose], np.ndarray] = {}

    def bank_of_all(self, pose: Pose) -> MemoryBank:
        """The patches of all parts."""
        return self._bank(self._parts, pose)

    def _bank(self, parts: Sequence[Views], pose: Pose) -> MemoryBank:
        rng = np.random.default_rng(self._seed)
        grids = [grid for views in parts for grid in views.learnt(pose)]
        entries = self._entries(pose)
        return self._comparison.choose(grids, entries, rng, pose.cells, self._progress)

    def _inside(self, number: int) -> list[Views]:
        return [self._parts[i] for i in np.flatnonzero(self._fold_of == number).tolist()]

    def _measure_of(self, number: int, pose: Pose) -> Measure:
        """Against a bank of the parts outside a fold; what it gives is the caller's to keep."""
        if (number, pose) not in self._measures:
            outside = np.flatnonzero(self._fold_of != number).tolist()
            bank = self._bank([self._parts[i] for i in outside], pose)
            size = self._parts[0].plain.shape[:2]
            measure = self._comparison.measure(bank, *size)
            self._measures[number, pose] = lambda grid: measure(grid).copy()
        return self._measures[number, pose]

    def _fold(self, number: int, pose: Pose) -> np.ndarray:
        """Distances of the parts of one fold, (parts, rows, columns)."""
        if (number, pose) not in self._good:
            label = f"comparing good parts, {number + 1} of {FOLDS}"
            measure, parts = self._measure_of(number, pose), self._inside(number)
            shown = self._progress(parts, label, len(parts))
            self._good[number, pose] = np.stack([measure(views.plain) for views in shown])
        return self._good[number, pose]

    def median(self, pose: Pose) -> float:
        """Of the scores of one fold: enough to compare poses, of which some are dear."""
        scores = [smooth(of_part, self._smoothing).max() for of_part in self._fold(0, pose)]
        return float(np.median(scores))

    def medians_turned(self) -> tuple[float, float]:
        """Of how strange pictures of one fold are, as they came and turned, to others as they came.

        The latter is infinite if none is turned.
        """
        measure = self._measure_of(0, ONE_WAY_ROUND)
        turned = [measure(grid) for views in self._inside(0) for grid in views.turned]
        strange = [
            [strangeness(of_part, self._smoothing) for of_part in distances]
            for distances in (self._fold(0, ONE_WAY_ROUND), turned)
        ]
        plain, any_way = (float(np.median(some)) if some else math.inf for some in strange)
        return plain, any_way

    def unseen(self, pose: Pose) -> Unseen:
        """Of all parts, and of the defects drawn on them."""
        folds = [self._fold(number, pose) for number in range(FOLDS)]
        good = np.empty((len(self._parts), *folds[0].shape[1:]), folds[0].dtype)
        for number, distances in enumerate(folds):
            good[self._fold_of == number] = distances
        parts = np.flatnonzero([bool(views.drawn) for views in self._parts])
        drawn = []
        for part in self._progress(parts.tolist(), "comparing drawn defects", len(parts)):
            measure = self._measure_of(int(self._fold_of[part]), pose)
            drawn.append(np.stack([measure(grid) for grid in self._parts[part].drawn]))
        return Unseen(good, drawn, parts)
