"""Training crops for tests, without photographs."""

from __future__ import annotations

import numpy as np

from calibration.training.crops import Crops
from calibration.training.levels import PICTURE_PX


class NoiseCrops(Crops):
    """Crops of noise, of which there are as many as anybody wants.

    Attributes:
        asked: numbers of the crops that were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []

    def crop(self, number: int) -> np.ndarray:
        self.asked.append(number)
        rng = np.random.default_rng(number)
        return rng.integers(0, 256, (PICTURE_PX, PICTURE_PX, 3), dtype=np.uint8)
