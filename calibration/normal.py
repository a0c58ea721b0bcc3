"""What normal means for one kind of part: the memory bank, and how distances to it are scored.

Every good part is scored once against a bank that was made without it (five folds), and the
threshold is drawn from these scores. Whether pictures drift is decided by them too. The bank of the
model is then made of all parts: it knows more than each fold's, so that the scores err on the safe
side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.comparison import Comparison
from calibration.memory_bank import MemoryBank
from calibration.progress import Progress
from calibration.scoring import Scoring, drift, place_of, smooth

FOLDS = 5

_ENTRIES = 4000
_WINDOW_ENTRIES = 16_000
_MAPS_FOR_PLACE = 150
# Pictures drift if their medians vary by more than chance, and to allow for it makes parts alike.
_DRIFT_MUST_SPREAD = 0.027  # of the logarithm of the medians, standard deviation
_DRIFT_MUST_GAIN = 0.86  # spread of the unseen scores against what it was


@dataclass(frozen=True)
class NormalSettings:
    """How good parts are described; None lets them decide.

    Attributes:
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        bank_entries: size of the memory bank; None for 4,000, or 16,000 with a window.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose. 0 compares everything. See
            :mod:`calibration.setups` for how to choose.
        drift: whether maps are divided by how far the whole picture is off.
    """

    smoothing: float = 1.0
    bank_entries: int | None = None
    window: int = 0
    drift: bool | None = None

    @property
    def entries(self) -> int:
        """Size of the bank."""
        return self.bank_entries or bank_entries(self.window)


def bank_entries(window: int) -> int:
    """Size of a bank with a window of this side, or without one (0)."""
    return _WINDOW_ENTRIES if window else _ENTRIES


@dataclass(frozen=True, eq=False)
class Normal:
    """A description of good parts.

    Attributes:
        bank: the patches of all of them.
        scoring: how distances to it become a map.
        maps: float32 (n, rows, columns), of each part against a bank made without it.
        medians: float64 (n,), of these maps before the whole picture is allowed for.
        drift_reason: why drift is allowed for or not, a sentence.
    """

    bank: MemoryBank
    scoring: Scoring
    maps: np.ndarray
    medians: np.ndarray
    drift_reason: str

    @property
    def scores(self) -> np.ndarray:
        """float64 (n,), the highest value of each map."""
        return self.maps.max(axis=(1, 2)).astype(np.float64)


def describe(
    grids: Sequence[np.ndarray],
    comparison: Comparison,
    settings: NormalSettings,
    seed: int,
    progress: Progress,
) -> Normal:
    """Describe good parts.

    Args:
        grids: patches of good parts, (rows, columns, ...) each, at least :data:`FOLDS` parts.
        comparison: of such patches.
        settings: what is forced.
        seed: of the folds and the choice of the bank.
        progress: shows how far it is.
    """
    folds = _Folds(grids, comparison, settings, seed, progress)
    unseen = folds.unseen()
    bank = folds.bank(grids)
    scoring = Scoring(
        settings.smoothing, place_of(folds.maps(bank, grids[:_MAPS_FOR_PLACE], "weighing places"))
    )
    return _with_drift(unseen / scoring.place, bank, scoring, settings)


class _Folds:
    """Good parts, dealt out at random; each fold is compared with a bank of the others."""

    def __init__(
        self,
        grids: Sequence[np.ndarray],
        comparison: Comparison,
        settings: NormalSettings,
        seed: int,
        progress: Progress,
    ) -> None:
        self._grids, self._comparison, self._settings = grids, comparison, settings
        self._seed, self._progress = seed, progress
        self._fold_of = np.random.default_rng(seed).permutation(len(grids)) % FOLDS

    def bank(self, grids: Sequence[np.ndarray]) -> MemoryBank:
        rng = np.random.default_rng(self._seed)
        settings = self._settings
        return self._comparison.choose(
            grids, settings.entries, rng, settings.window, self._progress
        )

    def maps(self, bank: MemoryBank, grids: Sequence[np.ndarray], label: str) -> np.ndarray:
        measure = self._comparison.measure(bank, *grids[0].shape[:2])
        shown = self._progress(grids, label, len(grids))
        return np.stack([smooth(measure(grid), self._settings.smoothing) for grid in shown])

    def unseen(self) -> np.ndarray:
        """Smoothed maps of all parts, each against a bank without it."""
        rows, columns = self._grids[0].shape[:2]
        out = np.empty((len(self._grids), rows, columns), np.float32)
        for number in range(FOLDS):
            inside = self._fold_of == number
            others = [self._grids[i] for i in np.flatnonzero(~inside).tolist()]
            own = [self._grids[i] for i in np.flatnonzero(inside).tolist()]
            label = f"comparing good parts, {number + 1} of {FOLDS}"
            out[inside] = self.maps(self.bank(others), own, label)
        return out


def _with_drift(
    maps: np.ndarray,
    bank: MemoryBank,
    scoring: Scoring,
    settings: NormalSettings,
) -> Normal:
    medians = np.median(maps, axis=(1, 2)).astype(np.float64)
    usual = float(np.median(maps))
    relative = np.stack(
        [one / drift(float(m), usual) for one, m in zip(maps, medians, strict=True)]
    )
    spread, relative_spread = (
        float(scores.std() / scores.mean())
        for scores in (every.max(axis=(1, 2)).astype(float) for every in (maps, relative))
    )
    gain = relative_spread / max(spread, 1e-9)
    if settings.drift is None:
        varies = float(np.log(np.maximum(medians, 1e-3)).std())
        wanted = gain <= _DRIFT_MUST_GAIN and varies >= _DRIFT_MUST_SPREAD
        reason = (
            f"the medians of held-out pictures vary by {varies:.1%}, and compared with them, good"
            f" parts spread {gain:.2f} times as much: "
            + ("pictures drift" if wanted else "pictures are steady")
        )
    else:
        wanted, reason = settings.drift, "as asked for"
    if not wanted:
        return Normal(bank, scoring, maps, medians, reason)
    return Normal(bank, replace(scoring, usual_median=usual), relative, medians, reason)
