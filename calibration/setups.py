"""Which backbone, whole or without surroundings, at which resolution: in so many milliseconds.

Some of the good images make a memory bank. The others are looked at as they are and with defects
drawn on them (:mod:`calibration.synthetic`), all under slightly other light. How well a setup tells
the two apart says little about its accuracy on real defects, whose kinds nobody knows yet, but much
about which of two setups is the better one. Differences that may be chance do not count: of those
that are nearly as good as the best, the one that looks closest is taken.

Without a budget nothing is tried. Drawn defects favour resolution somewhat: the small backbone at
448 px fared better on them than the larger one at 336 px, and on real ones in one set of four.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from calibration.backbones import usual_px
from calibration.errors import ImageMismatch, UnreadableImage
from calibration.good_images import GoodFolder
from calibration.images import list_images, read_image
from calibration.memory_bank import choose_bank
from calibration.metrics import auroc
from calibration.normal import NormalSettings
from calibration.pose import ONE_WAY_ROUND, Pose, choose_pose
from calibration.preparation import Preparation, Preparer, Roi
from calibration.progress import Progress
from calibration.scoring import smooth, strangeness
from calibration.synthetic import in_other_light, with_defect
from calibration.views import Viewer, Views, cut_to
from kernels.backends import Backend
from kernels.codes import gather
from kernels.network import Network

PATCH_PX = 8
"""Between patches, in pixels of the network's input: finer detail is looked at that often."""

_SIDES_PX = (192, 256, 336, 448, 640)
_IMAGES = 72
_HELD_OUT_EVERY = 3
_LARGEST_PX = 1000  # larger pictures are scaled down to this before defects are drawn on them
_DEFECTS = 6  # drawn on each picture held out, one at a time
_GOOD = 2  # without one
_FEWEST = 9
_AS_GOOD = 0.02  # of the AUROC
_OTHER_LIGHT = 0.06  # standard deviation of the logarithms of brightness and contrast


@dataclass(frozen=True)
class Wishes:
    """What is decided already; None lets the good parts decide.

    Attributes:
        input_pixels: size of the network's input, height times width, roughly.
        budget_ms: what an inspection may take on this machine.
        surroundings: whether patches have bits that tell of what is around them.
    """

    input_pixels: int | None = None
    budget_ms: float | None = None
    surroundings: bool | None = None


@dataclass(frozen=True)
class Setup:
    """A way of looking at parts.

    Attributes:
        network: the backbone, with the embeddings that make up a patch.
        input_pixels: size of its input, height times width, roughly.
        detail_only: whether the network was cut short, and tells nothing of a patch's surroundings.
    """

    network: Network
    input_pixels: int
    detail_only: bool = False

    @property
    def without_surroundings(self) -> Setup | None:
        """The same, if there is something to cut."""
        network = self.network.without_surroundings()
        if self.detail_only or network is self.network:
            return None
        return replace(self, network=network, detail_only=True)

    @property
    def macs(self) -> int:
        """Binary multiply-accumulates of the network, a measure of time on any machine."""
        side = round(self.input_pixels**0.5)
        return self.network.macs(side, side)

    @property
    def words(self) -> str:
        """For people."""
        without = ", without surroundings" if self.detail_only else ""
        return f"{self.network.name} at {round(self.input_pixels**0.5)} px{without}"


@dataclass(frozen=True)
class Trial:
    """How a setup fared.

    Attributes:
        setup: which.
        pose: in which parts came, as this setup saw them.
        found: AUROC of pictures with a drawn defect against those without.
        ms: of one inspection on this machine.
    """

    setup: Setup
    pose: Pose
    found: float
    ms: float


@dataclass(frozen=True)
class Choice:
    """The setup that was taken, and why.

    Attributes:
        setup: which.
        pose: it was tried with; None if nothing was tried.
        trials: of all setups, best first; none if there was nothing to choose.
        reason: a sentence.
    """

    setup: Setup
    pose: Pose | None
    trials: tuple[Trial, ...]
    reason: str


def choose_setup(
    folder: GoodFolder,
    networks: Sequence[Network],
    backend: Backend,
    wishes: Wishes,
    forced: NormalSettings,
    seed: int,
    progress: Progress,
) -> Choice:
    """Take the first backbone as usual, or within a budget try all on the parts of a folder.

    Args:
        folder: where good parts are; what is wrong with it is not looked at here.
        networks: the backbones to choose from.
        backend: that runs them.
        wishes: what is decided already.
        forced: what is decided of the description of good parts.
        seed: which images are looked at, and the defects drawn on them.
        progress: shows how far it is.
    """
    setups = _setups(networks, wishes)
    usual = setups[0]
    if wishes.budget_ms is None:
        return Choice(usual, None, (), "as nothing else was asked for")
    candidates = [_Candidate(setup, backend, forced) for setup in setups]
    rng = np.random.default_rng(seed)
    files = list_images(folder.path)
    sample = [files[i] for i in rng.permutation(len(files))[:_IMAGES]]
    _look(candidates, progress(sample, "trying setups", len(sample)), folder, rng)
    if len(candidates[0].bank_views) < _FEWEST or not candidates[0].plain:
        return Choice(usual, None, (), "too few images to try others")
    if wishes.surroundings is None:
        shorter = [candidate.without_surroundings() for candidate in candidates]
        candidates += [candidate for candidate in shorter if candidate]
    compared = progress(candidates, "comparing them", len(candidates))
    return _decide([candidate.judge(seed) for candidate in compared], wishes.budget_ms)


def _setups(networks: Sequence[Network], wishes: Wishes) -> list[Setup]:
    """All that are looked through, the usual one first."""
    setups = []
    for network in networks:
        usual = usual_px(network.name)
        sides = sorted(_SIDES_PX, key=lambda side_px: side_px != usual)
        sizes = [wishes.input_pixels] if wishes.input_pixels else [side * side for side in sides]
        seen = network.with_patches_every(PATCH_PX)
        setups += [Setup(seen, pixels) for pixels in sizes]
    if wishes.surroundings is False:
        return [setup.without_surroundings or setup for setup in setups]
    return setups


@dataclass(eq=False)
class _Candidate:
    """A setup, and the codes that it saw."""

    setup: Setup
    backend: Backend
    forced: NormalSettings
    bank_views: list[Views] = field(default_factory=list)
    plain: list[list[np.ndarray]] = field(default_factory=list)
    plain_turned: list[np.ndarray] = field(default_factory=list)
    good: list[list[np.ndarray]] = field(default_factory=list)
    defective: list[list[np.ndarray]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def prepare(self, size: tuple[int, int], light: int) -> None:
        network, pixels = self.setup.network, self.setup.input_pixels
        fitted = Preparation.fit(size, None, pixels, network.size_multiple, light)
        self.preparation = fitted
        self.preparer = Preparer(fitted)
        size = fitted.input_height, fitted.input_width
        self.viewer = Viewer(network, self.backend, *size)

    def learn(self, image: np.ndarray) -> None:
        prepared = self.preparation.apply(image)
        views = Views(self.viewer.plain(prepared), self.viewer.turned(prepared))
        self.bank_views.append(views)

    def codes(self, image: np.ndarray) -> list[np.ndarray]:
        return [code.copy() for code in self._timed(image)]

    def _timed(self, image: np.ndarray) -> list[np.ndarray]:
        self.looked_at = image
        started = time.perf_counter()
        codes = self.viewer.upright.run(self.preparer.prepare(image)[0])
        self.ms.append(1e3 * (time.perf_counter() - started))
        return codes

    def without_surroundings(self) -> _Candidate | None:
        """The same cut short, if it can be: it saw the same, and is timed anew."""
        setup = self.setup.without_surroundings
        if setup is None:
            return None
        words = slice(setup.network.words_per_patch)
        other = replace(
            self._cut(words, lambda codes: [cut_to(words, gather(codes))]), setup=setup, ms=[]
        )
        other.preparation, other.preparer = self.preparation, self.preparer
        size = self.preparation.input_height, self.preparation.input_width
        other.viewer = Viewer(setup.network, self.backend, *size)
        for _ in self.plain:
            other._timed(self.looked_at)
        return other

    def _without_stem(self) -> _Candidate:
        """What it saw but for bits of the stem; itself, if there are none."""
        stem_words = self.setup.network.stem_words
        if not stem_words:
            return self
        words = slice(stem_words, None)
        return self._cut(words, lambda codes: [cut_to(words, codes[0]), *codes[1:]])

    def _cut(self, words: slice, cut: Callable[[list[np.ndarray]], list[np.ndarray]]) -> _Candidate:
        """What it saw, some words of each patch; ``cut`` does so to the codes of a picture."""
        return replace(
            self,
            bank_views=[views.cut(words) for views in self.bank_views],
            plain=[cut(codes) for codes in self.plain],
            plain_turned=[cut_to(words, grid) for grid in self.plain_turned],
            good=[cut(codes) for codes in self.good],
            defective=[cut(codes) for codes in self.defective],
        )

    def judge(self, seed: int) -> Trial:
        judges: dict[Pose, _Judge] = {}
        learnt = self._without_stem()

        def judged(pose: Pose) -> _Judge:
            if pose not in judges:
                judges[pose] = _Judge(learnt, pose, seed)
            return judges[pose]

        def unseen(pose: Pose) -> float:
            return float(np.median(judged(pose).plain_scores(learnt.plain)))

        def unseen_turned() -> tuple[float, float]:
            judge, turned = judged(ONE_WAY_ROUND), [[grid] for grid in learnt.plain_turned]
            plain, any_way = (np.median(judge.strange(some)) for some in (learnt.plain, turned))
            return float(plain), float(any_way)

        pose, _ = choose_pose(unseen, unseen_turned, self.forced.window, self.forced.turned)
        with_stem, _ = self.forced.with_stem(pose, self.setup.network.is_fine)
        if with_stem and learnt is not self:
            seen, judge = self, _Judge(self, pose, seed)
        else:
            seen, judge = learnt, judged(pose)
        found = auroc(judge.scores(seen.good), judge.scores(seen.defective))
        assert found is not None
        return Trial(self.setup, pose, found, float(np.median(self.ms) + np.median(judge.ms)))


class _Judge:
    """A bank of what a candidate saw, and scores by it."""

    def __init__(self, candidate: _Candidate, pose: Pose, seed: int) -> None:
        self._forced = candidate.forced
        rows, columns, _ = candidate.bank_views[0].plain.shape
        learnt = [grid for views in candidate.bank_views for grid in views.learnt(pose)]
        rng = np.random.default_rng(seed)
        bank = choose_bank(learnt, self._forced.entries(pose), rng, pose.cells)
        near = bank.neighbourhoods(rows, columns)
        self._index = candidate.backend.index(bank.patches, near)
        unseen = np.stack([self._index.distances(codes).copy() for codes in candidate.plain])
        steps = self._forced.usual_steps(pose)
        self._scoring = steps.fit(unseen, all_around=pose.turned)
        self.ms: list[float] = []

    def plain_scores(self, pictures: list[list[np.ndarray]]) -> np.ndarray:
        """All places counting alike."""
        sigma = self._forced.usual_smoothing
        return np.array([smooth(self._index.distances(codes), sigma).max() for codes in pictures])

    def strange(self, pictures: list[list[np.ndarray]]) -> np.ndarray:
        """How strange they are as a whole; without a window, of grids of any shape."""
        sigma = self._forced.usual_smoothing
        return np.array([strangeness(self._index.distances(codes), sigma) for codes in pictures])

    def scores(self, pictures: list[list[np.ndarray]]) -> np.ndarray:
        return np.array([self._score(codes) for codes in pictures])

    def _score(self, codes: list[np.ndarray]) -> float:
        started = time.perf_counter()
        score = self._scoring.judge(self._index.distances(codes)).score
        self.ms.append(1e3 * (time.perf_counter() - started))
        return score


def _look(
    candidates: list[_Candidate],
    files: Iterable[Path],
    folder: GoodFolder,
    rng: np.random.Generator,
) -> None:
    size: tuple[int, ...] | None = None
    for number, file in enumerate(files):
        try:
            image = _inspected(read_image(file), folder.roi)
            if size is None:
                size = image.shape[:2]
                for candidate in candidates:
                    candidate.prepare((size[0], size[1]), folder.light)
            if number % _HELD_OUT_EVERY:
                for candidate in candidates:
                    candidate.learn(image)
                continue
            good = [in_other_light(image, _OTHER_LIGHT, rng) for _ in range(_GOOD)]
            defective = [
                in_other_light(with_defect(image, rng), _OTHER_LIGHT, rng) for _ in range(_DEFECTS)
            ]
            for candidate in candidates:
                candidate.plain.append(candidate.codes(image))
                prepared = candidate.preparation.apply(image)
                candidate.plain_turned += candidate.viewer.turned(prepared)
                candidate.good += [candidate.codes(picture) for picture in good]
                candidate.defective += [candidate.codes(picture) for picture in defective]
        except (UnreadableImage, ImageMismatch):
            continue  # who reads all images says what is wrong with this one


def _inspected(image: np.ndarray, roi: Roi | None) -> np.ndarray:
    if roi:
        image = roi.of(image)
    scale = _LARGEST_PX / float(np.sqrt(image.shape[0] * image.shape[1]))
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _decide(trials: list[Trial], budget_ms: float) -> Choice:
    ordered = tuple(sorted(trials, key=lambda trial: (-trial.found, trial.ms)))
    affordable = [trial for trial in ordered if trial.ms <= budget_ms]
    if not affordable:
        chosen = min(trials, key=lambda trial: trial.ms)
        why = f"nothing takes {budget_ms:g} ms or less here; this is the fastest"
    else:
        best = affordable[0]
        as_good = [trial for trial in affordable if trial.found >= best.found - _AS_GOOD]
        chosen = max(as_good, key=lambda trial: trial.setup.macs)
        why = f"tells drawn defects best within {budget_ms:g} ms"
        if chosen is not best:
            why = (
                f"within {budget_ms:g} ms as good as the best ({best.setup.words},"
                f" {best.found:.2f}) as far as can be told, and looks closer"
            )
    reason = f"{why}; AUROC {chosen.found:.2f} on defects drawn to be hard, {chosen.ms:.1f} ms here"
    return Choice(chosen.setup, chosen.pose, ordered, reason)
