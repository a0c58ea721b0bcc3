"""The inspection sets as patches, computed once a backbone and kept outside the repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.dataset import Sample, open_dataset
from calibration.images import list_images, read_image
from calibration.preparation import Preparation
from calibration.progress import Progress
from calibration.setups import STRIDES
from kernels.backends import choose
from kernels.codes import gather
from kernels.network import Network

INPUT_PIXELS = 336 * 336
"""As calibrate does without being told."""


@dataclass(frozen=True, eq=False)
class PatchedSet:
    """A set as patches.

    Attributes:
        train: of train/good, (rows, columns, words) each.
        good: of test/good.
        defective: of test/<defect>.
    """

    train: list[np.ndarray]
    good: list[np.ndarray]
    defective: list[np.ndarray]


def data_sets(data: Path, names: Iterable[str] = ()) -> list[Path]:
    """Folders of sets in MVTec's layout, those named or all that are there."""
    found = sorted(p for p in data.iterdir() if (p / "train" / "good").is_dir())
    wanted = set(names)
    return [p for p in found if not wanted or p.name in wanted]


def patched_set(folder: Path, network: Network, cache: Path, progress: Progress) -> PatchedSet:
    """The set's patches, from the cache if it has them."""
    network = network.only(STRIDES)
    train = list_images(folder / "train" / "good")
    samples = open_dataset(folder).samples
    file = cache / f"{folder.name}-{network.name}-{digest(network)}.npz"
    if not file.is_file():
        patches = _patches(train, samples, network, progress)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, patches=patches)
    patches = np.load(file)["patches"]
    test = patches[len(train) :]
    bad = np.array([sample.is_defective for sample in samples])
    return PatchedSet(list(patches[: len(train)]), list(test[~bad]), list(test[bad]))


def _patches(
    train: list[Path],
    samples: tuple[Sample, ...],
    network: Network,
    progress: Progress,
) -> np.ndarray:
    files = [*train, *(sample.path for sample in samples)]
    size = read_image(files[0]).shape[:2]
    preparation = Preparation.fit(size, None, INPUT_PIXELS, network.size_multiple)
    executor = choose().backend.executor(network, preparation.input_height, preparation.input_width)
    return np.stack(
        [
            gather(executor.run(preparation.apply(read_image(file))))
            for file in progress(files, files[0].parents[2].name, len(files))
        ]
    )


def digest(network: Network) -> str:
    """A backbone's identity: of its weights, not of its name."""
    from kernels import network_file

    _, arrays = network_file.describe(network)
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:12]
