"""Teaching: from a folder of good images to a calibrated model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.detector import smooth
from calibration.errors import ImageMismatch, TooFewImages, UnreadableImage
from calibration.images import Skipped, check_sizes, list_images, read_image
from calibration.memory_bank import MemoryBank, choose_bank
from calibration.model_file import Model
from calibration.patches import PatchLayout
from calibration.preparation import Preparation, Roi
from calibration.progress import Progress, silent
from calibration.threshold import Threshold, conformal_threshold
from kernels.backends import Backend
from kernels.network import Network

MIN_IMAGES = 20

_ENTRIES = 4000
_WINDOW = 2
_WINDOW_ENTRIES = 16_000
_WINDOW_MAY_COST = 1.03  # in bits of the median held-out score; it is also several times faster


@dataclass(frozen=True)
class Settings:
    """How to calibrate.

    Attributes:
        false_reject_rate: share of good parts that may be rejected.
        roi: part of the images to inspect; None for everything.
        input_pixels: size of the network's input, height times width, roughly.
        bank_entries: size of the memory bank; None for 4,000, or 16,000 with a window.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose. 0 compares everything; None for 2 or
            0, whichever describes the held-out good parts better.
        held_out_share: of the good images, kept away from the bank for the threshold.
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        seed: of the split and the bank.
    """

    false_reject_rate: float = 0.001
    roi: Roi | None = None
    input_pixels: int = 256 * 256
    bank_entries: int | None = None
    window: int | None = None
    held_out_share: float = 0.3
    smoothing: float = 1.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model, and what the report is made of.

    Attributes:
        model: ready to be saved.
        threshold: the same as the model's.
        held_out: files of the held-out good images.
        scores: float64, their scores in the same order.
        skipped: files that could not be read, a sentence each.
    """

    model: Model
    threshold: Threshold
    held_out: tuple[Path, ...]
    scores: np.ndarray
    skipped: tuple[str, ...]


def calibrate(
    folder: Path,
    network: Network,
    backend: Backend,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Teach on good images.

    Args:
        folder: with images of good parts.
        network: the backbone.
        backend: that runs it; any gives the same model.
        settings: how.
        progress: shows how far it is.

    Raises:
        DatasetError: if the folder cannot be taught from; the message says why and names files.
    """
    settings = settings or Settings()
    network = network.only(PatchLayout().strides)
    files = list_images(folder)
    read = _read_patches(files, network, backend, settings, progress)
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(len(read.files))
    held_out, taught = np.split(order, [max(1, round(settings.held_out_share * len(order)))])
    taught_grids = [read.patches[i] for i in taught]
    held_out_grids = [read.patches[i] for i in held_out]
    choice = _choose_normal(taught_grids, held_out_grids, backend, settings, progress)
    bank, scores = choice.bank, choice.scores
    threshold = conformal_threshold(scores, settings.false_reject_rate)
    model = Model(
        network=network,
        preparation=read.preparation,
        layout=read.layout,
        bank=bank,
        smoothing=settings.smoothing,
        threshold=threshold,
        good_scores=np.sort(scores),
        origin={
            "folder": folder.resolve().name,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "good_images": len(read.files),
            "held_out": len(held_out),
            "skipped": read.skipped.reasons,
            "seed": settings.seed,
            "window_reason": choice.reason,
        },
    )
    return Calibration(
        model,
        threshold,
        tuple(read.files[i] for i in held_out),
        scores,
        tuple(read.skipped.reasons),
    )


@dataclass(frozen=True, eq=False)
class _Normal:
    """A memory bank, what the held-out good parts score against it, and why it was chosen."""

    bank: MemoryBank
    scores: np.ndarray
    reason: str = "as asked for"


def _choose_normal(
    taught: list[np.ndarray],
    held_out: list[np.ndarray],
    backend: Backend,
    settings: Settings,
    progress: Progress,
) -> _Normal:
    """Describe the good parts with a window or without, or as the settings say.

    What tells is how near the held-out good parts are to the bank: parts that always come in the
    same pose lose nothing by a window, others find their like elsewhere on the part.
    """
    windows = [0, _WINDOW] if settings.window is None else [settings.window]
    tried = []
    for window in windows:
        entries = settings.bank_entries or (_WINDOW_ENTRIES if window else _ENTRIES)
        rng = np.random.default_rng(settings.seed)
        bank = choose_bank(taught, entries, rng, window, progress)
        tried.append(_Normal(bank, _scores(bank, held_out, backend, settings, progress)))
    if len(tried) == 1:
        return tried[0]
    everywhere, nearby = (float(np.median(normal.scores)) for normal in tried)
    better = nearby <= everywhere * _WINDOW_MAY_COST
    reason = (
        f"held-out good parts score {nearby:.1f} bits compared with their surroundings and"
        f" {everywhere:.1f} with everything (medians): "
        + ("they come in one pose" if better else "a part's pattern turns up all over it")
    )
    return replace(tried[1 if better else 0], reason=reason)


def _scores(
    bank: MemoryBank,
    grids: list[np.ndarray],
    backend: Backend,
    settings: Settings,
    progress: Progress,
) -> np.ndarray:
    rows, columns, words = grids[0].shape
    index = backend.index(bank.patches, bank.neighbourhoods(rows, columns))
    scores = np.empty(len(grids))
    for place, grid in enumerate(progress(grids, "scoring held-out parts", len(grids))):
        distances, _ = index.nearest(grid.reshape(-1, words))
        scores[place] = smooth(distances.reshape(rows, columns), settings.smoothing).max()
    return scores


@dataclass(eq=False)
class _Read:
    """The good images as patches."""

    preparation: Preparation
    layout: PatchLayout
    files: list[Path]
    patches: list[np.ndarray]
    skipped: Skipped

    @property
    def words(self) -> int:
        return int(self.patches[0].shape[2])


def _read_patches(
    files: list[Path], network: Network, backend: Backend, settings: Settings, progress: Progress
) -> _Read:
    skipped = Skipped(len(files))
    layout = PatchLayout()
    preparation: Preparation | None = None
    executor = None
    seen: list[tuple[Path, tuple[int, int]]] = []
    good: list[Path] = []
    patches: list[np.ndarray] = []
    for path in progress(files, "reading good parts", len(files)):
        try:
            image = read_image(path)
        except UnreadableImage as error:
            skipped.add(error)
            continue
        height, width = image.shape[:2]
        seen.append((path, (height, width)))
        if preparation is None or executor is None:
            preparation = Preparation.fit(
                (height, width), settings.roi, settings.input_pixels, network.size_multiple
            )
            executor = backend.executor(network, preparation.input_height, preparation.input_width)
        try:
            prepared = preparation.apply(image)
        except ImageMismatch:
            continue  # check_sizes below says which images are the odd ones
        good.append(path)
        patches.append(layout.gather(network, executor.run(prepared)))
    check_sizes([size for _, size in seen], [path for path, _ in seen])
    if len(good) < MIN_IMAGES or preparation is None:
        raise TooFewImages(
            f"{len(good)} good images are too few: {MIN_IMAGES} at least, a few hundred are better"
        )
    return _Read(preparation, layout, good, patches, skipped)
