"""Reading a folder of good images: every one as patches, what cannot be used named or refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.colour import chroma
from calibration.errors import DatasetError, ImageMismatch, TooFewImages, UnreadableImage
from calibration.images import Skipped, check_sizes, list_images, read_image
from calibration.preparation import Preparation, Roi
from calibration.progress import Progress
from calibration.views import Viewer, Views
from kernels.backends import Backend
from kernels.light import light_of
from kernels.network import Network

MIN_IMAGES = 20
_FOR_LIGHT = 24  # pictures whose light is looked at
_DARKEST = 32  # light that pictures can be compared by: what lies below is noise


@dataclass(frozen=True)
class GoodFolder:
    """Where good parts are, and how they are looked at.

    Attributes:
        path: of the folder.
        roi: part of the images to inspect; None for everything.
        light: of the good images; 0 to leave pictures as they are.
    """

    path: Path
    roi: Roi | None = None
    light: int = 0

    @classmethod
    def lit(cls, path: Path, roi: Roi | None) -> GoodFolder:
        """With the light that these images usually have.

        Raises:
            DatasetError: if there are no images.
        """
        files = list_images(path)
        lights = []
        for file in files[:: -(-len(files) // _FOR_LIGHT)]:
            try:
                image = read_image(file)
                lights.append(light_of(roi.of(image) if roi else image))
            except (UnreadableImage, DatasetError):
                continue  # who reads all images says what is wrong with this one
        light = int(np.median(lights)) if lights else 0
        return cls(path, roi, light if light >= _DARKEST else 0)


@dataclass(frozen=True, eq=False)
class GoodImages:
    """The good images as patches.

    Attributes:
        preparation: how they were cropped and resized.
        files: that were read, no two of them alike.
        views: the patches of each file, uint64 (rows, columns, words).
        chroma: float64, of each file.
        skipped: files that could not be read, a sentence each.
        copies: files that say nothing new: their patches are those of another one.
    """

    preparation: Preparation
    files: tuple[Path, ...]
    views: tuple[Views, ...]
    chroma: np.ndarray
    skipped: tuple[str, ...]
    copies: tuple[Path, ...]


def read_good_images(
    folder: GoodFolder,
    network: Network,
    backend: Backend,
    input_pixels: int,
    seed: int,
    progress: Progress,
) -> GoodImages:
    """Read a folder.

    Args:
        folder: where they are.
        network: that makes patches of them.
        backend: that runs it.
        input_pixels: size of the network's input, height times width, roughly.
        seed: of the defects drawn on them.
        progress: shows how far it is.

    Raises:
        DatasetError: if the folder cannot be taught from; the message says why and names files.
    """
    files = list_images(folder.path)
    skipped = Skipped(len(files))
    preparation: Preparation | None = None
    viewer: Viewer | None = None
    sizes: list[tuple[int, int]] = []
    sized: list[Path] = []
    copies: list[Path] = []
    known: dict[bytes, tuple[Path, Views, float]] = {}
    rng = np.random.default_rng(seed)
    for path in progress(files, "reading good parts", len(files)):
        try:
            image = read_image(path)
        except UnreadableImage as error:
            skipped.add(error)
            continue
        size = (image.shape[0], image.shape[1])
        sizes.append(size)
        sized.append(path)
        if preparation is None or viewer is None:
            preparation = Preparation.fit(
                size, folder.roi, input_pixels, network.size_multiple, folder.light
            )
            input_size = preparation.input_height, preparation.input_width
            viewer = Viewer(network, backend, *input_size)
        try:
            prepared = preparation.apply(image)
        except ImageMismatch:
            continue  # check_sizes below says which images are the odd ones
        patches = viewer.plain(prepared)
        key = patches.tobytes()
        if key in known:
            copies.append(path)
        else:
            besides = viewer.besides(prepared, len(known), len(files), rng)
            known[key] = path, Views(patches, *besides), chroma(prepared)
    check_sizes(sizes, sized)
    _check_enough(len(known), len(copies))
    assert preparation is not None
    unique, views, colours = zip(*known.values(), strict=True)
    return GoodImages(
        preparation,
        unique,
        views,
        np.array(colours, np.float64),
        tuple(skipped.reasons),
        tuple(copies),
    )


def _check_enough(different: int, copies: int) -> None:
    if different == 1 and copies:
        raise DatasetError(
            f"all {copies + 1} good images are identical: how much good parts differ cannot be"
            f" learnt from them; take pictures of at least {MIN_IMAGES} different good parts"
        )
    if different < MIN_IMAGES:
        but = f" ({copies} more are copies of others)" if copies else ""
        raise TooFewImages(
            f"{different} good images are too few{but}: {MIN_IMAGES} at least, a few hundred are"
            " better"
        )
