"""Reading a folder of good images: every one as patches, what cannot be used named or refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.colour import chroma
from calibration.errors import DatasetError, ImageMismatch, TooFewImages, UnreadableImage
from calibration.images import Skipped, check_sizes, list_images, read_image
from calibration.pose import Turner, Views
from calibration.preparation import Preparation, Roi
from calibration.progress import Progress
from kernels.backends import Backend
from kernels.codes import gather
from kernels.network import Network

MIN_IMAGES = 20
_TURNED = 150  # pictures that are looked at turned, too: more hardly fit into a bank


@dataclass(frozen=True, eq=False)
class GoodImages:
    """The good images as patches.

    Attributes:
        preparation: how they were cropped and resized.
        files: that were read, no two of them alike.
        views: the patches of each file, uint64 (rows, columns, words), and of some files turned.
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
    folder: Path,
    network: Network,
    backend: Backend,
    roi: Roi | None,
    input_pixels: int,
    progress: Progress,
) -> GoodImages:
    """Read a folder.

    Args:
        folder: with images of good parts.
        network: that makes patches of them.
        backend: that runs it.
        roi: part of the images to inspect; None for everything.
        input_pixels: size of the network's input, height times width, roughly.
        progress: shows how far it is.

    Raises:
        DatasetError: if the folder cannot be taught from; the message says why and names files.
    """
    files = list_images(folder)
    skipped = Skipped(len(files))
    preparation: Preparation | None = None
    executor = turner = None
    every = -(-len(files) // _TURNED)
    sizes: list[tuple[int, int]] = []
    sized: list[Path] = []
    copies: list[Path] = []
    known: dict[bytes, tuple[Path, Views, float]] = {}
    for path in progress(files, "reading good parts", len(files)):
        try:
            image = read_image(path)
        except UnreadableImage as error:
            skipped.add(error)
            continue
        size = (image.shape[0], image.shape[1])
        sizes.append(size)
        sized.append(path)
        if preparation is None or executor is None or turner is None:
            preparation = Preparation.fit(size, roi, input_pixels, network.size_multiple)
            input_size = preparation.input_height, preparation.input_width
            executor = backend.executor(network, *input_size)
            turner = Turner(network, backend, *input_size)
        try:
            prepared = preparation.apply(image)
        except ImageMismatch:
            continue  # check_sizes below says which images are the odd ones
        patches = gather(executor.run(prepared))
        key = patches.tobytes()
        if key in known:
            copies.append(path)
        else:
            turned = () if len(known) % every else turner.patches(prepared)
            known[key] = path, (patches, *turned), chroma(prepared)
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
