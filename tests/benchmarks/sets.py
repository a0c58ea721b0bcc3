"""The inspection sets as patches, computed once a backbone and kept outside the repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.good_images import GoodFolder
from calibration.images import list_images, read_image
from calibration.preparation import Preparation
from calibration.progress import Progress
from calibration.setups import PATCH_PX
from calibration.views import Viewer, Views
from kernels.backends import choose
from kernels.network import Network

INPUT_PIXELS = 336 * 336
"""As calibrate does without being told."""


@dataclass(frozen=True, eq=False)
class PatchedSet:
    """A set as patches.

    Attributes:
        train: of train/good.
        good: of test/good.
    """

    train: list[Views]
    good: list[Views]


def data_sets(data: Path, names: Iterable[str] = ()) -> list[Path]:
    """Folders of sets in MVTec's layout, those named or all that are there."""
    found = sorted(p for p in data.iterdir() if (p / "train" / "good").is_dir())
    wanted = set(names)
    return [p for p in found if not wanted or p.name in wanted]


def patched_set(folder: Path, network: Network, cache: Path, progress: Progress) -> PatchedSet:
    """The patches of a set's good parts, from the cache if it has them."""
    network = network.with_patches_every(PATCH_PX)
    train, good = (list_images(folder / half / "good") for half in ("train", "test"))
    file = cache / f"{folder.name}-{network.name}-{digest(network)}-drawn.npz"
    if not file.is_file():
        made = _views([*train, *good], network, progress)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            file,
            plain=np.stack([views.plain for views in made]),
            drawn=np.stack([views.drawn for views in made]),
            **{f"turned{i}": np.stack([views.turned[i] for views in made]) for i in range(3)},
        )
    with np.load(file) as kept:
        turned = zip(*(kept[f"turned{i}"] for i in range(3)), strict=True)
        drawn = map(tuple, kept["drawn"])
        every = [Views(*views) for views in zip(kept["plain"], turned, drawn, strict=True)]
    return PatchedSet(every[: len(train)], every[len(train) :])


def _views(files: list[Path], network: Network, progress: Progress) -> list[Views]:
    size = read_image(files[0]).shape[:2]
    light = GoodFolder.lit(files[0].parent, None).light
    preparation = Preparation.fit(size, None, INPUT_PIXELS, network.size_multiple, light)
    input_size = preparation.input_height, preparation.input_width
    viewer = Viewer(network, choose().backend, *input_size)
    shown = progress(files, files[0].parents[2].name, len(files))
    rng = np.random.default_rng(0)
    pictures = (preparation.apply(read_image(file)) for file in shown)
    return [
        Views(viewer.plain(picture), viewer.turned(picture), viewer.drawn(picture, rng))
        for picture in pictures
    ]


def digest(network: Network) -> str:
    """A backbone's identity: of its layers, not of its name."""
    from kernels import network_file

    description, arrays = network_file.describe(network)
    digest = hashlib.sha256(repr(description["layers"]).encode())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:12]
