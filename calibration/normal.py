"""What normal means for one kind of part: the memory bank, and how distances to it are scored.

Every good part is scored once against a bank that was made without it (five folds). Whatever can
be done in two ways is tried on these parts, the one that describes them better is kept, with a
sentence that says why, and the threshold is drawn from their scores. The bank of the model is then
made of all of them: it knows more than each fold's, so that the scores err on the safe side.
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
WINDOW = 2
"""Side of the cells of a window, in patches."""

_WINDOW_ENTRIES = 16_000
_WINDOW_MAY_COST = 1.07  # in bits of the median unseen score; it is also several times faster
_MAPS_FOR_PLACE = 150
# Pictures drift if their medians vary by more than chance, and to allow for it makes parts alike.
_DRIFT_MUST_SPREAD = 0.027  # of the logarithm of the medians, standard deviation
_DRIFT_MUST_GAIN = 0.86  # spread of the unseen scores against what it was


@dataclass(frozen=True)
class NormalSettings:
    """What may be forced; None lets the good parts decide.

    Attributes:
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        bank_entries: size of the memory bank; None for 4,000, or 16,000 with a window.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose. 0 compares everything.
        drift: whether maps are divided by how far the whole picture is off.
    """

    smoothing: float = 1.0
    bank_entries: int | None = None
    window: int | None = None
    drift: bool | None = None

    def entries(self, window: int) -> int:
        """Size of a bank with this window."""
        return self.bank_entries or usual_entries(window)


def usual_entries(window: int) -> int:
    """Size of a bank with a window of this side, or without one (0)."""
    return _WINDOW_ENTRIES if window else _ENTRIES


def in_one_pose(nearby: float, everywhere: float) -> bool:
    """Whether parts come in one pose and a window suits them.

    Args:
        nearby: median score of unseen good parts that are compared with their surroundings.
        everywhere: the same, compared with everything.
    """
    return nearby <= everywhere * _WINDOW_MAY_COST


@dataclass(frozen=True, eq=False)
class Normal:
    """A description of good parts.

    Attributes:
        bank: the patches of all of them.
        scoring: how distances to it become a map.
        maps: float32 (n, rows, columns), of each part against a bank made without it.
        medians: float64 (n,), of these maps before the whole picture is allowed for.
        reasons: why it was chosen, a sentence by choice.
    """

    bank: MemoryBank
    scoring: Scoring
    maps: np.ndarray
    medians: np.ndarray
    reasons: dict[str, str]

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
    window, reason = settings.window, "as asked for"
    if window is None:
        window, reason = _choose_window(folds)
    unseen = folds.unseen(window)
    bank = folds.bank(grids, window)
    scoring = Scoring(
        settings.smoothing, place_of(folds.maps(bank, grids[:_MAPS_FOR_PLACE], "weighing places"))
    )
    return _with_drift(unseen / scoring.place, bank, scoring, settings, reason)


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
        self._done: dict[tuple[int, int], np.ndarray] = {}

    def bank(self, grids: Sequence[np.ndarray], window: int) -> MemoryBank:
        rng = np.random.default_rng(self._seed)
        entries = self._settings.entries(window)
        return self._comparison.choose(grids, entries, rng, window, self._progress)

    def maps(self, bank: MemoryBank, grids: Sequence[np.ndarray], label: str) -> np.ndarray:
        measure = self._comparison.measure(bank, *grids[0].shape[:2])
        shown = self._progress(grids, label, len(grids))
        return np.stack([smooth(measure(grid), self._settings.smoothing) for grid in shown])

    def fold(self, number: int, window: int) -> np.ndarray:
        """Smoothed maps of the parts of one fold, float32 (parts, rows, columns)."""
        if (number, window) not in self._done:
            inside = self._fold_of == number
            others = [self._grids[i] for i in np.flatnonzero(~inside).tolist()]
            bank = self.bank(others, window)
            label = f"comparing good parts, {number + 1} of {FOLDS}"
            own = [self._grids[i] for i in np.flatnonzero(inside).tolist()]
            self._done[number, window] = self.maps(bank, own, label)
        return self._done[number, window]

    def unseen(self, window: int) -> np.ndarray:
        """Smoothed maps of all parts, each against a bank without it."""
        rows, columns = self._grids[0].shape[:2]
        out = np.empty((len(self._grids), rows, columns), np.float32)
        for number in range(FOLDS):
            out[self._fold_of == number] = self.fold(number, window)
        return out


def _choose_window(folds: _Folds) -> tuple[int, str]:
    # One fold tells: two medians are compared, and the second way may be the dear one.
    everywhere, nearby = (
        float(np.median(folds.fold(0, window).max(axis=(1, 2)))) for window in (0, WINDOW)
    )
    one_pose = in_one_pose(nearby, everywhere)
    reason = (
        f"held-out good parts score {nearby:.1f} bits compared with their surroundings and"
        f" {everywhere:.1f} with everything (medians): "
        + ("they come in one pose" if one_pose else "a part's pattern turns up all over it")
    )
    return (WINDOW if one_pose else 0), reason


def _with_drift(
    maps: np.ndarray,
    bank: MemoryBank,
    scoring: Scoring,
    settings: NormalSettings,
    window_reason: str,
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
    reasons = {"window": window_reason, "drift": reason}
    if not wanted:
        return Normal(bank, scoring, maps, medians, reasons)
    return Normal(bank, replace(scoring, usual_median=usual), relative, medians, reasons)
