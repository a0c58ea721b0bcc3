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
        for folder, dataset in self._sets.values():
            if {sample.is_defective for sample in dataset.samples} != {False, True}:
                raise DatasetError(f"{folder / 'test'} holds no defective parts, or no good ones")
        self._every_crops, self._backend = every_crops, backend

    def due(self, crops: int, batch: int) -> bool:
        """Whether the last batch of so many crops has reached the next time."""
        return crops // self._every_crops > (crops - batch) // self._every_crops

    def tell(self, network: Network) -> dict[str, dict[str, float | str]]:
        """What is to be logged.

        Returns:
            ``image_auroc`` of each set, and their mean. A set that cannot be taught from stands in
            ``not_taught`` instead, with a sentence: to a network that has hardly begun, all parts
            may look the same.
        """
        found: dict[str, float | str] = {}
        refused: dict[str, float | str] = {}
        for name in self._sets:
            try:
                found[name] = self._image_auroc(network, name)
            except DatasetError as error:
                refused[name] = str(error)
        if found:
            found["mean"] = round(float(np.mean(list(found.values()))), 4)
        return {"image_auroc": found} | ({"not_taught": refused} if refused else {})

    def _image_auroc(self, network: Network, name: str) -> float:
        folder, dataset = self._sets[name]
        taught = calibrate(folder / "train" / "good", [network], self._backend, Settings())
        auroc = evaluate(Detector(taught.model, self._backend.name), dataset).image_auroc
        assert auroc is not None
        return round(auroc, 4)
