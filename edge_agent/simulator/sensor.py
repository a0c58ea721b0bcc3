"""The camera sensor's noise, drawn once and shifted anew for every frame."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

_SHIFTS = 64


class Sensor:
    """Adds noise. Threads may share it.

    Noise is the difference of two planes of small positive numbers, each a little larger than a
    frame and shifted by chance: 64**4 different noises for the memory of two, and two integer
    operations a frame.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._seed, self._level = settings.seed, settings.noise_grey_levels
        self._height, self._width = settings.height_px, settings.width_px
        rng = generator(settings.seed, Topic.SENSOR)
        self._more, self._less = self._plane(rng), self._plane(rng)

    def expose(self, picture: np.ndarray, frame: int) -> None:
        """Add the frame's noise to its picture, uint8 (h, w, 3), in place."""
        if self._level == 0:
            return
        rng = generator(self._seed, Topic.SENSOR, 1 + frame)
        top, left, other_top, other_left = rng.integers(0, _SHIFTS, 4).tolist()
        cv2.add(picture, self._crop(self._more, top, left), dst=picture)
        cv2.subtract(picture, self._crop(self._less, other_top, other_left), dst=picture)

    def _crop(self, plane: np.ndarray, top: int, left: int) -> np.ndarray:
        return plane[top : top + self._height, left : left + self._width]

    def _plane(self, rng: np.random.Generator) -> np.ndarray:
        """uint8 (h + 64, w + 64, 3), the positive half of the noise."""
        shape = (self._height + _SHIFTS, self._width + _SHIFTS)
        # A colour sensor interpolates its colours, so most of the noise is common to all three.
        common = rng.standard_normal((*shape, 1), np.float32)
        noise = np.sqrt(0.7) * common + np.sqrt(0.3) * rng.standard_normal((*shape, 3), np.float32)
        # The positive half of a normal variable has the variance 1/2 - 1/(2 pi); two are combined.
        half = self._level / np.sqrt(2 * (0.5 - 0.5 / np.pi))
        plane: np.ndarray = np.clip(np.rint(half * noise), 0, 255).astype(np.uint8)
        return plane
