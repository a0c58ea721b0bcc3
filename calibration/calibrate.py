"""Teaching: from a folder of good images to a calibrated model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.errors import ImageMismatch, TooFewImages, UnreadableImage
from calibration.images import Skipped, check_sizes, list_images, read_image
from calibration.model_file import Model
from calibration.normal import NormalSettings, describe
from calibration.patches import PatchLayout
from calibration.preparation import Preparation, Roi
from calibration.progress import Progress, silent
from calibration.threshold import Threshold, conformal_threshold
from kernels.backends import Backend
from kernels.network import Network

MIN_IMAGES = 20


@dataclass(frozen=True)
class Settings:
    """How to calibrate.

    Attributes:
        false_reject_rate: share of good parts that may be rejected.
        roi: part of the images to inspect; None for everything.
        input_pixels: size of the network's input, height times width, roughly.
        held_out_share: of the good images, kept away from the bank for the threshold.
        seed: of the split and the bank.
        normal: what of the description of good parts is forced.
    """

    false_reject_rate: float = 0.001
    roi: Roi | None = None
    input_pixels: int = 336 * 336
    held_out_share: float = 0.3
    seed: int = 0
    normal: NormalSettings = field(default_factory=NormalSettings)


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
    normal = describe(
        taught_grids, held_out_grids, backend, settings.normal, settings.seed, progress
    )
    threshold = conformal_threshold(normal.scores, settings.false_reject_rate)
    model = Model(
        network=network,
        preparation=read.preparation,
        layout=read.layout,
        bank=normal.bank,
        scoring=normal.scoring,
        threshold=threshold,
        good_scores=np.sort(normal.scores),
        origin={
            "folder": folder.resolve().name,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "good_images": len(read.files),
            "held_out": len(held_out),
            "skipped": read.skipped.reasons,
            "seed": settings.seed,
            "reasons": normal.reasons,
        },
    )
    return Calibration(
        model,
        threshold,
        tuple(read.files[i] for i in held_out),
        normal.scores,
        tuple(read.skipped.reasons),
    )


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
