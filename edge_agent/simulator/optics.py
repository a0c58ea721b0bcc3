"""What lens and shutter do to a picture: a little softness, and a smear along the belt's travel."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.settings import SimulatorSettings

_SOFTNESS_PX = 0.55


class Optics:
    """The camera's lens and shutter. Threads may share it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        lens = cv2.getGaussianKernel(3, _SOFTNESS_PX, cv2.CV_32F)[:, 0]
        self._smear = _travel(settings.travel_px)
        self._along = np.convolve(self._smear, lens).astype(np.float32)
        self._across = lens

    def see(self, picture: np.ndarray) -> np.ndarray:
        """A picture (h, w) or (h, w, 3), uint8 or float32, as it falls on the sensor."""
        return cv2.sepFilter2D(picture, -1, self._along, self._across)

    def smear(self, mask: np.ndarray) -> np.ndarray:
        """The pixels, bool (h, w), over which those of a mask pass while the shutter is open."""
        if len(self._smear) == 1:
            return mask
        reach = np.ones((1, len(self._smear)), np.uint8)
        return np.asarray(cv2.dilate(mask.astype(np.uint8), reach) > 0)


def _travel(length_px: float) -> np.ndarray:
    """float32 (n,), n odd: the share of an open shutter's time that a point spends on each pixel,
    when it travels that far, centred."""
    reach = int(np.ceil(max(0.0, length_px - 1) / 2))
    pixel = np.arange(-reach, reach + 1)
    half = max(length_px, 1.0) / 2
    weights = np.clip(np.minimum(pixel + 0.5, half) - np.maximum(pixel - 0.5, -half), 0, 1)
    return np.asarray(weights / weights.sum(), np.float32)
