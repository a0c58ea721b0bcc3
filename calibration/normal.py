"""What normal means for one kind of part: the memory bank, and how distances to it are scored.

Every good part is scored once against a bank that was made without it (five folds). Whatever can
be done in two ways is tried on these parts, the one that describes them better is kept, with a
sentence that says why, and the threshold is drawn from their scores. The bank of the model is then
made of all of them, in as many entries: new good parts score as those held out did.

Bits of the stem tell of brightness and edges as they are. That says most on parts that come in one
pose, of which each place knows how much these vary; parts in several poses are described without,
unless the network has no other bits as fine. What is around a patch looks different in every
orientation: parts that turn are described without, if the rest of the bits are fine enough.

What good parts alone cannot tell is told by defects drawn on them: whether the bits of a patch's
surroundings, and those of the stem, do more good than harm, how far a map is smoothed and whether
places count alike. What usually is best stays, unless another way finds these defects clearly
better.

Whether surroundings are needed, and whether whole pictures drift, is looked at with all places
alike: where each counts by what is usual there, that makes up for some of what bits do wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from calibration.comparison import Comparison
from calibration.folds import Folds, Unseen
from calibration.memory_bank import MemoryBank
from calibration.pose import Pose, choose_pose
from calibration.progress import Progress
from calibration.scoring import Scoring, Steps
from calibration.separation import Separation
from calibration.views import Views
from kernels.network import Network

# By whether there is a window, and whether parts turn. Without a window 2,560 entries of parts that
# turn find as much as 2,000 to 4,000; of 8,000 in rings a patch meets about as many.
_ENTRIES = {
    (False, False): 4000,
    (False, True): 2560,
    (True, False): 16_000,
    (True, True): 8000,
}
_USUAL_SMOOTHING = 1.0
_SMOOTHINGS = (0.5, 0.7, _USUAL_SMOOTHING, 1.4, 2.0)
# Pictures drift if their medians vary, unless parts spread more where that is allowed for: the
# standard deviation of the logarithm of the medians, times by how much the spread of the unseen
# scores stays below 1.2 times what it was. Of real and simulated parts that is 0.011 and more, or
# 0.008 and less.
_DRIFT_MUST_WEIGH = 0.0095
_DRIFT_MAY_SPREAD = 1.2


@dataclass(frozen=True)
class PatchWords:
    """What the words of a patch tell of.

    Attributes:
        stem: how many, the first ones, tell what the stem saw of it.
        detail: how many tell of the patch itself, these included; the rest tell of what is around
            it, and may be left out. None to keep all.
        fine: whether those between, of the network's blocks, tell of as small places as the stem.
    """

    stem: int = 0
    detail: int | None = None
    fine: bool = True

    @classmethod
    def of(cls, network: Network, surroundings_may_go: bool = True) -> PatchWords:
        """Of a network's patches; ``surroundings_may_go`` if nobody has decided about them."""
        detail = network.without_surroundings()
        may_go = surroundings_may_go and detail is not network
        words = detail.words_per_patch if may_go else None
        return cls(network.stem_words, words, network.is_fine)


@dataclass(frozen=True)
class NormalSettings:
    """What may be forced; None lets the good parts decide.

    Attributes:
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        places: whether each place counts by what good parts show there.
        bank_entries: size of the memory bank; None for 16,000 with a window, 8,000 with one of
            rings, 2,560 for parts in any orientation without places, and 4,000 for others.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose, or turn in place. 0 compares
            everything.
        turned: whether the bank knows the good parts turned, too: for parts in any orientation.
        drift: whether maps are divided by how far the whole picture is off.
        stem: whether patches have bits of the stem.
    """

    smoothing: float | None = None
    places: bool | None = None
    bank_entries: int | None = None
    window: int | None = None
    turned: bool | None = None
    drift: bool | None = None
    stem: bool | None = None

    def entries(self, pose: Pose) -> int:
        """Size of a bank of parts that come like this."""
        return self.bank_entries or _ENTRIES[pose.window > 0, pose.turned]

    @property
    def usual_smoothing(self) -> float:
        """Where nothing speaks for another."""
        return _USUAL_SMOOTHING if self.smoothing is None else self.smoothing

    def usual_steps(self, pose: Pose) -> Steps:
        """How distances become a map where nothing speaks for another way."""
        # What lies in a place of a part that turns, but not in place, lies elsewhere on others.
        places = pose.window > 0 or not pose.turned
        return Steps(self.usual_smoothing, places if self.places is None else self.places)

    def with_stem(self, pose: Pose, fine: bool) -> tuple[bool, str]:
        """Whether patches of parts that come like this have bits of the stem, and why.

        ``fine`` as of :class:`PatchWords`.
        """
        if self.stem is not None:
            return self.stem, "as asked for"
        if pose.window > 0 and not pose.turned:
            return True, "parts come in one pose"
        if not fine:
            return True, "parts come in several poses, but nothing else tells of as small places"
        return False, "parts come in several poses"

    def all_steps(self) -> list[Steps]:
        """The ways to choose from."""
        smoothings = _SMOOTHINGS if self.smoothing is None else (self.smoothing,)
        places = (True, False) if self.places is None else (self.places,)
        return [Steps(*way) for way in product(smoothings, places)]


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
        detail_only: whether the bank holds no words of a patch's surroundings.
        with_stem: whether it holds those of the stem.
    """

    bank: MemoryBank
    pose: Pose
    scoring: Scoring
    maps: np.ndarray
    medians: np.ndarray
    reasons: dict[str, str]
    detail_only: bool = False
    with_stem: bool = False

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
    words: PatchWords = PatchWords(),
) -> Normal:
    """Describe good parts.

    Args:
        parts: good ones, at least :data:`calibration.folds.FOLDS`. Unless some have views that are
            turned, rotation is out of the question; unless some have drawn defects, all is done as
            usual.
        comparison: of such patches.
        settings: what is forced.
        seed: of the folds and the choice of the bank.
        progress: shows how far it is.
        words: of a patch. All else is decided without those of the stem.
    """

    def dealt_out(first: int, end: int | None) -> Folds:
        smoothing = settings.usual_smoothing
        cut = [views.cut(slice(first, end)) for views in parts]
        return Folds(cut, comparison, settings.entries, smoothing, seed, progress)

    folds = dealt_out(words.stem, None)
    asked = settings.turned if any(views.turned for views in parts) else False
    pose, reason = choose_pose(folds.median, folds.medians_turned, settings.window, asked)
    reasons = {"pose": reason, "surroundings": "as the setup has it"}
    steps, detail_only = settings.usual_steps(pose), False
    if words.detail:
        detail_folds = dealt_out(words.stem, words.detail)
        whole, detail = (
            _Tried(some.unseen(pose), steps.alike, pose) for some in (folds, detail_folds)
        )
        rather_without = pose.turned and words.fine
        detail_only, reasons["surroundings"] = _without_surroundings(whole, detail, rather_without)
        if detail_only:
            folds = detail_folds
    tried = _Tried(folds.unseen(pose), steps, pose)
    with_stem = False
    if words.stem:
        with_stem, reasons["stem"] = settings.with_stem(pose, words.fine)
    if with_stem:
        stem_folds = dealt_out(0, words.detail if detail_only else None)
        seen = _Tried(stem_folds.unseen(pose), steps, pose)
        if settings.stem is None and seen.separation:
            worse, reasons["stem"] = _preferred(seen, "with bits of the stem", tried, "without")
            with_stem = not worse
        if with_stem:
            folds, tried = stem_folds, seen
    tried, reasons["map"] = _with_best_steps(tried, settings.all_steps(), pose)
    drifts, reasons["drift"] = _drifting(tried, pose, settings.drift)
    scoring, maps = tried.relative() if drifts else (tried.scoring, tried.maps)
    bank = folds.bank_of_all(pose)
    return Normal(bank, pose, scoring, maps, tried.medians, reasons, detail_only, with_stem)


def _without_surroundings(whole: _Tried, detail: _Tried, rather_without: bool) -> tuple[bool, str]:
    """Whether to leave out the bits that tell of a patch's surroundings, and why.

    What is around a patch looks different in every orientation, and good parts were not seen in
    all: parts that turn need a reason to have these bits, others one to be without, if the rest of
    the bits are fine enough.
    """
    if not whole.separation:
        return rather_without, "as usual of parts that come like this"
    if rather_without:
        needed, reason = _preferred(detail, "without bits of surroundings", whole, "with")
        return not needed, reason
    return _preferred(whole, "with bits of surroundings", detail, "without")


class _Tried:
    """A way to describe good parts, and how it did.

    Attributes:
        unseen: the distances.
        steps: that make maps of them.
        scoring: fitted to good parts.
        maps: float32 (n, rows, columns), of good parts.
        separation: of defects drawn on them; None if there are none.
    """

    def __init__(self, unseen: Unseen, steps: Steps, pose: Pose) -> None:
        self.unseen, self.steps = unseen, steps
        self.scoring = steps.fit(unseen.good, all_around=pose.turned)
        self.maps = _maps(self.scoring, unseen.good)
        self.separation: Separation | None = None
        if unseen.drawn:
            maps = (_maps(self.scoring, defects) for defects in unseen.drawn)
            drawn = np.stack([of_part.max(axis=(1, 2)) for of_part in maps])
            self.separation = Separation(self.maps.max(axis=(1, 2)), drawn, unseen.parts)

    @property
    def medians(self) -> np.ndarray:
        """float64 (n,), of the maps."""
        return np.median(self.maps, axis=(1, 2)).astype(np.float64)

    def relative(self) -> tuple[Scoring, np.ndarray]:
        """A scoring that allows for how far a whole picture is off, and its maps."""
        scoring = replace(self.scoring, usual_median=float(np.median(self.maps)))
        return scoring, _maps(scoring, self.unseen.good)

    @property
    def auroc(self) -> float:
        """Of drawn defects against good parts; 0 if there are none."""
        return self.separation.auroc if self.separation else 0.0


def _maps(scoring: Scoring, distances: np.ndarray) -> np.ndarray:
    return np.stack([scoring.judge(one).map for one in distances])


def _with_best_steps(usual: _Tried, ways: Sequence[Steps], pose: Pose) -> tuple[_Tried, str]:
    """The same distances, made maps of as defects tell, and why."""
    if len(ways) == 1:
        return usual, "as asked for"
    if not usual.separation:
        return usual, "as usual"
    best = max((_Tried(usual.unseen, way, pose) for way in ways), key=lambda tried: tried.auroc)
    ours, theirs = (f"with {tried.steps.words}" for tried in (usual, best))
    changed, reason = _preferred(usual, ours, best, theirs)
    return (best if changed else usual), reason


def _preferred(usual: _Tried, usually: str, other: _Tried, otherwise: str) -> tuple[bool, str]:
    """Whether another way is clearly better than the usual one, and why."""
    assert usual.separation
    assert other.separation
    told = f"defects drawn on good parts are told by an AUROC of {usual.auroc:.3f} {usually}"
    if otherwise == usually:
        return False, f"{told}, and by none better otherwise"
    better = other.separation.clearly_better_than(usual.separation)
    verdict = "clearly better" if better else "no clear gain"
    return better, f"{told}, {other.auroc:.3f} {otherwise}: {verdict}"


def _drifting(tried: _Tried, pose: Pose, forced: bool | None) -> tuple[bool, str]:
    """Whether pictures are off as a whole, and why."""
    if forced is not None:
        return forced, "as asked for"
    alike = _Tried(replace(tried.unseen, drawn=[]), tried.steps.alike, pose)
    _, relative = alike.relative()
    spread, relative_spread = (
        float(scores.std() / scores.mean())
        for scores in (maps.max(axis=(1, 2)).astype(float) for maps in (alike.maps, relative))
    )
    gain = relative_spread / max(spread, 1e-9)
    varies = float(np.log(np.maximum(alike.medians, 1e-3)).std())
    drifts = varies * (_DRIFT_MAY_SPREAD - gain) >= _DRIFT_MUST_WEIGH
    return drifts, (
        f"the medians of held-out pictures vary by {varies:.1%}, and compared with them, good"
        f" parts spread {gain:.2f} times as much: "
        + ("pictures drift" if drifts else "pictures are steady")
    )
