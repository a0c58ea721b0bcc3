"""How a student does on real parts while it learns: logged, and nothing is chosen by it.

Losses are of photographs. What counts is how well good parts are told from defective ones, and a
loss may fall while that gets worse. So every now and then the moving average is calibrated on the
good parts of some inspection sets and evaluated on the others, as the commands do. All sets are
told, and their mean: to pick a network by one of them would be to learn that set.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.calibrate import Settings, calibrate
from calibration.dataset import open_dataset
from calibration.detector import Detector
from calibration.errors import DatasetError
from calibration.evaluate import evaluate
from calibration.images import list_images
from kernels.backends import Backend
from kernels.network import Network


class DevelopmentSets:
    """Inspection sets, each with ``train/good`` and ``test``.

    Args:
        folders: of the sets.
        every_crops: how often to evaluate.
        backend: that runs the network.

    Raises:
        DatasetError: if a folder is none; the message says why.
    """

    def __init__(self, folders: Sequence[Path], every_crops: int, backend: Backend) -> None:
        for folder in folders:
            list_images(folder / "train" / "good")
        self._sets = {folder.resolve().name: (folder, open_dataset(folder)) for folder in folders}
        self._every_crops, self._backend = every_crops, backend

    def due(self, crops: int, batch: int) -> bool:
        """Whether the last batch of so many crops has reached the next time."""
        return crops // self._every_crops > (crops - batch) // self._every_crops

    def image_auroc(self, network: Network) -> dict[str, float | None]:
        """Of each set, and their mean; None where nothing can be taught yet."""
        found = {name: self._of(network, name) for name in self._sets}
        told = [auroc for auroc in found.values() if auroc is not None]
        return found | {"mean": round(float(np.mean(told)), 4) if told else None}

    def _of(self, network: Network, name: str) -> float | None:
        folder, dataset = self._sets[name]
        try:
            taught = calibrate(folder / "train" / "good", [network], self._backend, Settings())
        except DatasetError:
            return None  # to a network that has hardly begun, all parts may look the same
        auroc = evaluate(Detector(taught.model, self._backend.name), dataset).image_auroc
        return None if auroc is None else round(auroc, 4)
