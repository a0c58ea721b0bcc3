"""What normal means for one kind of part: the memory bank, and how distances to it are scored.

Every good part is scored once against a bank that was made without it (five folds). Whatever can
be done in two ways is tried on these parts, the one that describes them better is kept, with a
sentence that says why, and the threshold is drawn from their scores. The bank of the model is then
made of all of them, in as many entries: new good parts score as those held out did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.comparison import Comparison, Measure
from calibration.memory_bank import MemoryBank
from calibration.pose import ONE_WAY_ROUND, Pose, choose_pose
from calibration.progress import Progress
from calibration.scoring import Scoring, drift, place_of, smooth
from calibration.views import Views

FOLDS = 5

# By whether there is a window, and whether parts turn. Without a window 2,560 entries of parts that
# turn find as much as 2,000 to 4,000; of 8,000 in rings a patch meets about as many.
_ENTRIES = {
    (False, False): 4000,
    (False, True): 2560,
    (True, False): 16_000,
    (True, True): 8000,
}
# Pictures drift if their medians vary, and to allow for it makes parts alike. Much of the one makes
# up for little of the other: the standard deviation of the logarithm of the medians, times the
# share by which the spread of the unseen scores shrinks.
_DRIFT_MUST_WEIGH = 0.0036


@dataclass(frozen=True)
class NormalSettings:
    """What may be forced; None lets the good parts decide.

    Attributes:
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        bank_entries: size of the memory bank; None for 16,000 with a window, 8,000 with one of
            rings, 2,560 for parts in any orientation without places, and 4,000 for others.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose, or turn in place. 0 compares
            everything.
        turned: whether the bank knows the good parts turned, too: for parts in any orientation.
        drift: whether maps are divided by how far the whole picture is off.
    """

    smoothing: float = 1.0
    bank_entries: int | None = None
    window: int | None = None
    turned: bool | None = None
    drift: bool | None = None

    def entries(self, pose: Pose) -> int:
        """Size of a bank of parts that come like this."""
        return self.bank_entries or _ENTRIES[pose.window > 0, pose.turned]

    def scoring(self, pose: Pose, unseen: np.ndarray) -> Scoring:
        """How distances become a map, before drift is looked at.

        Args:
            pose: how parts come.
            unseen: float32 (n, rows, columns), smoothed distances of good parts to others.
        """
        if pose.turned and not pose.window:
            # Whatever lies in a place of such a part lies elsewhere on the next one.
            return Scoring(self.smoothing, np.ones(unseen.shape[1:], np.float32))
        return Scoring(self.smoothing, place_of(unseen, all_around=pose.turned))


@dataclass(frozen=True, eq=False)
class Normal:
    """A description of good parts.

    Attributes:
        bank: the patches of all of them.
        pose: how they come.
        scoring: how distances to it become a map.
        maps: float32 (n, rows, columns), of each part against a bank made without it.
        medians: float64 (n,), of these maps before the whole picture is allowed for.
        reasons: why it was chosen, a sentence by choice.
    """

    bank: MemoryBank
    pose: Pose
    scoring: Scoring
    maps: np.ndarray
    medians: np.ndarray
    reasons: dict[str, str]

    @property
    def scores(self) -> np.ndarray:
        """float64 (n,), the highest value of each map."""
        return self.maps.max(axis=(1, 2)).astype(np.float64)


def describe(
    parts: Sequence[Views],
    comparison: Comparison,
    settings: NormalSettings,
    seed: int,
    progress: Progress,
) -> Normal:
    """Describe good parts.

    Args:
        parts: good ones, at least :data:`FOLDS`. Unless some have views that are turned, rotation
            is out of the question.
        comparison: of such patches.
        settings: what is forced.
        seed: of the folds and the choice of the bank.
        progress: shows how far it is.
    """
    folds = _Folds(parts, comparison, settings, seed, progress)
    asked = settings.turned if any(views.turned for views in parts) else False
    pose, reason = choose_pose(folds.median, folds.median_turned, settings.window, asked)
    unseen = folds.unseen(pose)
    bank = folds.bank(parts, pose)
    scoring = settings.scoring(pose, unseen)
    return _with_drift(unseen / scoring.place, bank, pose, scoring, settings, reason)


class _Folds:
    """Good parts, dealt out at random; each fold is compared with a bank of the others."""

    def __init__(
        self,
        parts: Sequence[Views],
        comparison: Comparison,
        settings: NormalSettings,
        seed: int,
        progress: Progress,
    ) -> None:
        self._parts, self._comparison, self._settings = parts, comparison, settings
        self._seed, self._progress = seed, progress
        self._fold_of = np.random.default_rng(seed).permutation(len(parts)) % FOLDS
        self._measures: dict[tuple[int, Pose], Measure] = {}
        self._maps: dict[tuple[int, Pose], np.ndarray] = {}

    def bank(self, parts: Sequence[Views], pose: Pose) -> MemoryBank:
        rng = np.random.default_rng(self._seed)
        grids = [grid for views in parts for grid in views.learnt(pose)]
        entries = self._settings.entries(pose)
        return self._comparison.choose(grids, entries, rng, pose.cells, self._progress)

    def _inside(self, number: int) -> list[Views]:
        return [self._parts[i] for i in np.flatnonzero(self._fold_of == number).tolist()]

    def _measure_of(self, number: int, pose: Pose) -> Measure:
        """Against a bank of the parts outside a fold."""
        if (number, pose) not in self._measures:
            outside = np.flatnonzero(self._fold_of != number).tolist()
            bank = self.bank([self._parts[i] for i in outside], pose)
            size = self._parts[0].plain.shape[:2]
            self._measures[number, pose] = self._comparison.measure(bank, *size)
        return self._measures[number, pose]

    def fold(self, number: int, pose: Pose) -> np.ndarray:
        """Smoothed maps of the parts of one fold, float32 (parts, rows, columns)."""
        if (number, pose) not in self._maps:
            label = f"comparing good parts, {number + 1} of {FOLDS}"
            measure, parts = self._measure_of(number, pose), self._inside(number)
            shown = self._progress(parts, label, len(parts))
            sigma = self._settings.smoothing
            self._maps[number, pose] = np.stack([smooth(measure(v.plain), sigma) for v in shown])
        return self._maps[number, pose]

    def median(self, pose: Pose) -> float:
        """Of the scores of one fold: enough to compare poses, of which some are dear."""
        return float(np.median(self.fold(0, pose).max(axis=(1, 2))))

    def median_turned(self) -> float:
        """The same of turned pictures, against others as they came."""
        measure = self._measure_of(0, ONE_WAY_ROUND)
        turned = [grid for views in self._inside(0) for grid in views.turned]
        if not turned:
            return math.inf
        scores = [smooth(measure(grid), self._settings.smoothing).max() for grid in turned]
        return float(np.median(scores))

    def unseen(self, pose: Pose) -> np.ndarray:
        """Smoothed maps of all parts, each against a bank without it."""
        rows, columns = self._parts[0].plain.shape[:2]
        out = np.empty((len(self._parts), rows, columns), np.float32)
        for number in range(FOLDS):
            out[self._fold_of == number] = self.fold(number, pose)
        return out


def _with_drift(
    maps: np.ndarray,
    bank: MemoryBank,
    pose: Pose,
    scoring: Scoring,
    settings: NormalSettings,
    pose_reason: str,
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
        wanted = varies * (1 - gain) >= _DRIFT_MUST_WEIGH
        reason = (
            f"the medians of held-out pictures vary by {varies:.1%}, and compared with them, good"
            f" parts spread {gain:.2f} times as much: "
            + ("pictures drift" if wanted else "pictures are steady")
        )
    else:
        wanted, reason = settings.drift, "as asked for"
    reasons = {"pose": pose_reason, "drift": reason}
    if not wanted:
        return Normal(bank, pose, scoring, maps, medians, reasons)
    relatively = replace(scoring, usual_median=usual)
    return Normal(bank, pose, relatively, relative, medians, reasons)
