"""Which backbone, which resolution, and with a window or without: what suits this part.

Some of the good images make a memory bank, the others are looked at as they are and with defects
drawn on them (:mod:`calibration.synthetic`). How well a setup tells the two apart says little about
its accuracy on real defects, whose kinds nobody knows yet, but much about which of two setups is
the better one. Differences that may be chance do not count: of those that are nearly as good as the
best, the one with the highest resolution and the larger network is taken. Who is in a hurry gives a
budget of time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from calibration.errors import ImageMismatch, UnreadableImage
from calibration.images import list_images, read_image
from calibration.memory_bank import choose_bank
from calibration.metrics import auroc
from calibration.normal import bank_entries
from calibration.preparation import Preparation, Roi
from calibration.progress import Progress
from calibration.scoring import Scoring, place_of, smooth
from calibration.synthetic import with_defect
from kernels.backends import Backend
from kernels.backends.base import Index
from kernels.codes import gather
from kernels.network import Network

STRIDES = (8, 16)
"""Of the embeddings that make up a patch: local detail and surroundings."""

WINDOW = 2
"""Side of the cells of a window, in patches."""

_SIDES_PX = (256, 336, 448)
_WITH_BUDGET_PX = (192, 256, 336, 448, 640)
_MOST_MACS = 2.4e9  # without a budget: about what MobileNet v2 takes, whatever the processor
_IMAGES = 72
_HELD_OUT_EVERY = 3
_LARGEST_PX = 1000  # larger pictures are scaled down to this before defects are drawn on them
_DEFECTS = 6  # drawn on each picture held out, one at a time
_FEWEST = 9
_AS_GOOD = 0.02  # of the AUROC


@dataclass(frozen=True)
class Wishes:
    """What is decided already; None lets the good parts decide.

    Attributes:
        input_pixels: size of the network's input, height times width, roughly.
        window: side of the cells of the window, in patches; 0 for no window.
        budget_ms: what an inspection may take on this machine.
    """

    input_pixels: int | None = None
    window: int | None = None
    budget_ms: float | None = None


@dataclass(frozen=True)
class Setup:
    """A way of looking at parts.

    Attributes:
        network: the backbone, with the embeddings that make up a patch.
        input_pixels: size of its input, height times width, roughly.
        window: side of the cells of the window, in patches; 0 for no window.
    """

    network: Network
    input_pixels: int
    window: int

    @property
    def macs(self) -> int:
        """Binary multiply-accumulates of the network, a measure of time on any machine."""
        side = round(self.input_pixels**0.5)
        return self.network.macs(side, side)

    @property
    def words(self) -> str:
        """For people."""
        window = "with a window" if self.window else "without a window"
        return f"{self.network.name} at {round(self.input_pixels**0.5)} px {window}"


@dataclass(frozen=True)
class Trial:
    """How a setup fared.

    Attributes:
        setup: which.
        found: AUROC of pictures with a drawn defect against those without.
        ms: of one inspection on this machine.
    """

    setup: Setup
    found: float
    ms: float


@dataclass(frozen=True)
class Choice:
    """The setup that was taken, and why.

    Attributes:
        setup: which.
        trials: of all setups, best first; none if there was nothing to choose.
        reason: a sentence.
    """

    setup: Setup
    trials: tuple[Trial, ...]
    reason: str


def choose_setup(
    folder: Path,
    networks: Sequence[Network],
    backend: Backend,
    wishes: Wishes,
    roi: Roi | None,
    seed: int,
    progress: Progress,
) -> Choice:
    """Try setups on the parts of a folder.

    Args:
        folder: with images of good parts; what is wrong with it is not looked at here.
        networks: the backbones to choose from.
        backend: that runs them.
        wishes: what is decided already.
        roi: part of the images to inspect; None for everything.
        seed: which images are looked at, and the defects drawn on them.
        progress: shows how far it is.
    """
    networks = [network.only(STRIDES) for network in networks]
    windows = (WINDOW, 0) if wishes.window is None else (wishes.window,)
    candidates = [
        _Candidate(network, pixels, backend)
        for network in networks
        for pixels in _sizes(network, wishes)
    ]
    if len(candidates) * len(windows) == 1:
        return Choice(candidates[0].setup(windows[0]), (), "as asked for")
    rng = np.random.default_rng(seed)
    files = list_images(folder)
    sample = [files[i] for i in rng.permutation(len(files))[:_IMAGES]]
    _look(candidates, progress(sample, "trying setups", len(sample)), roi, rng)
    if len(candidates[0].bank_grids) < _FEWEST or not candidates[0].good:
        largest = max((c.setup(windows[0]) for c in candidates), key=lambda setup: setup.macs)
        return Choice(largest, (), "too few images to try others")
    pairs = [(candidate, window) for candidate in candidates for window in windows]
    trials = [
        candidate.judge(window, seed)
        for candidate, window in progress(pairs, "comparing them", len(pairs))
    ]
    return _decide(trials, wishes.budget_ms)


def _sizes(network: Network, wishes: Wishes) -> list[int]:
    if wishes.input_pixels is not None:
        return [wishes.input_pixels]
    if wishes.budget_ms is not None:
        return [side * side for side in _WITH_BUDGET_PX]
    sides = [side for side in _SIDES_PX if network.macs(side, side) <= _MOST_MACS]
    return [side * side for side in sides or _SIDES_PX[:1]]


@dataclass(eq=False)
class _Candidate:
    """A backbone at a resolution, and what it saw."""

    network: Network
    input_pixels: int
    backend: Backend
    bank_grids: list[np.ndarray] = field(default_factory=list)
    good: list[list[np.ndarray]] = field(default_factory=list)
    defective: list[list[np.ndarray]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def prepare(self, size: tuple[int, int]) -> None:
        fitted = Preparation.fit(size, None, self.input_pixels, self.network.size_multiple)
        self.preparation = fitted
        self.executor = self.backend.executor(self.network, fitted.input_height, fitted.input_width)

    def codes(self, image: np.ndarray) -> list[np.ndarray]:
        started = time.perf_counter()
        codes = self.executor.run(self.preparation.apply(image))
        self.ms.append(1e3 * (time.perf_counter() - started))
        return [code.copy() for code in codes]

    def setup(self, window: int) -> Setup:
        return Setup(self.network, self.input_pixels, window)

    def judge(self, window: int, seed: int) -> Trial:
        rows, columns, _ = self.bank_grids[0].shape
        bank = choose_bank(
            self.bank_grids, bank_entries(window), np.random.default_rng(seed), window
        )
        index = self.backend.index(bank.patches, bank.neighbourhoods(rows, columns))
        known = [smooth(index.nearest([grid])[0], 1.0) for grid in self.bank_grids]
        scoring = Scoring(1.0, place_of(np.stack(known)))
        ms: list[float] = []
        good, defective = (
            np.array([_score(index, scoring, codes, ms) for codes in every])
            for every in (self.good, self.defective)
        )
        found = auroc(good, defective)
        assert found is not None
        return Trial(self.setup(window), found, float(np.median(self.ms) + np.median(ms)))


def _score(index: Index, scoring: Scoring, codes: list[np.ndarray], ms: list[float]) -> float:
    started = time.perf_counter()
    score = float(scoring.map_of(index.nearest(codes)[0]).max())
    ms.append(1e3 * (time.perf_counter() - started))
    return score


def _look(
    candidates: list[_Candidate], files: Iterable[Path], roi: Roi | None, rng: np.random.Generator
) -> None:
    size: tuple[int, ...] | None = None
    for number, file in enumerate(files):
        try:
            image = _inspected(read_image(file), roi)
            if size is None:
                size = image.shape[:2]
                for candidate in candidates:
                    candidate.prepare((size[0], size[1]))
            is_held_out = number % _HELD_OUT_EVERY == 0
            pictures = [image]
            if is_held_out:
                pictures += [with_defect(image, rng) for _ in range(_DEFECTS)]
            for candidate in candidates:
                seen = [candidate.codes(picture) for picture in pictures]
                if is_held_out:
                    candidate.good.append(seen[0])
                    candidate.defective += seen[1:]
                else:
                    candidate.bank_grids.append(gather(seen[0]))
        except (UnreadableImage, ImageMismatch):
            continue  # who reads all images says what is wrong with this one


def _inspected(image: np.ndarray, roi: Roi | None) -> np.ndarray:
    if roi:
        roi.check_inside(*image.shape[:2])
        image = image[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
    scale = _LARGEST_PX / float(np.sqrt(image.shape[0] * image.shape[1]))
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _decide(trials: list[Trial], budget_ms: float | None) -> Choice:
    ordered = tuple(sorted(trials, key=lambda trial: (-trial.found, trial.ms)))
    affordable = [t for t in ordered if budget_ms is None or t.ms <= budget_ms]
    if not affordable:
        chosen = min(trials, key=lambda trial: trial.ms)
        why = f"nothing takes {budget_ms:g} ms or less here; this is the fastest"
    else:
        best = affordable[0]
        # With or without a window is a matter of how the parts come: there the better one is taken.
        better = {(t.setup.network, t.setup.input_pixels): t for t in reversed(affordable)}
        good = [t for t in better.values() if t.found >= best.found - _AS_GOOD]
        chosen = max(good, key=lambda trial: trial.setup.macs)
        why = "tells drawn defects best" + (f" within {budget_ms:g} ms" if budget_ms else "")
        if chosen is not best:
            why = (
                f"as good as the best ({best.setup.words}, {best.found:.2f} in {best.ms:.1f} ms)"
                " as far as can be told, and sees more"
            )
    reason = (
        f"{chosen.setup.words}: {why}; AUROC {chosen.found:.2f} on defects drawn to be hard,"
        f" {chosen.ms:.1f} ms here"
    )
    return Choice(chosen.setup, ordered, reason)
