"""The light over the line: from the upper left, weaker in the corners, drifting slowly."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.part_picture import TOWARDS_LIGHT
from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

UNITY = 128
"""The value in a gain picture that leaves a pixel as it is."""

_STEP_S = 0.2
_PERIODS_S = ((41.0, 97.0), (29.0, 131.0), (53.0, 113.0))
_VIGNETTE = 0.16
_TILT = 0.06
_RAIL_SHADOW = 0.45


class Lighting:
    """How bright each pixel is lit in each frame.

    The light drifts in steps of a fifth of a second, each far below what an eye or the sensor's
    noise lets through; between two steps the gain picture is kept.

    One thread at a time may use it.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._variation = settings.lighting_variation
        self._frames_per_step = max(1, round(_STEP_S * settings.frames_per_s))
        self._step_s = self._frames_per_step / settings.frames_per_s
        self._phases = generator(settings.machine_seed, Topic.LIGHT).uniform(0, 2 * np.pi, (3, 2))
        width, height = settings.width_px, settings.height_px
        self._x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        self._y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        self._still = 1 - _VIGNETTE * (self._x**2 + self._y**2) / 2
        self._still += _TILT * (TOWARDS_LIGHT[0] * self._x + TOWARDS_LIGHT[1] * self._y)
        self._still *= _rail_shadow(height, settings.rail_px)
        self._gain = np.empty((height, width, 3), np.uint8)
        self._step = -1

    def gain(self, frame: int) -> np.ndarray:
        """uint8 (h, w, 3), brightness of each pixel in 128ths; valid until the next call."""
        step = frame // self._frames_per_step
        if step != self._step:
            level, tilt_x, tilt_y = self._drift(step * self._step_s)
            plane = self._still * (np.float32(1 + level) + tilt_x * self._x + tilt_y * self._y)
            cv2.merge([cv2.convertScaleAbs(plane, alpha=UNITY)] * 3, self._gain)
            self._step = step
        return self._gain

    def _drift(self, time_s: float) -> np.ndarray:
        """float32 (3,): change of the level, and of the tilt along x and y."""
        waves = np.sin(2 * np.pi * time_s / np.array(_PERIODS_S) + self._phases)
        share = np.array([1.0, 0.5, 0.5])
        return np.asarray(self._variation * share * waves.mean(1), np.float32)


def _rail_shadow(height: int, rail_px: int) -> np.ndarray:
    """float32 (h, 1): the rail on the light's side throws a shadow on the belt."""
    row = np.arange(height, dtype=np.float32)[:, None]
    below = (row - rail_px) / max(1.0, 0.5 * rail_px)
    shadow = np.where(below >= 0, _RAIL_SHADOW * np.exp(-np.maximum(below, 0)), 0)
    above = (height - rail_px - 1 - row) / max(1.0, 0.2 * rail_px)
    shadow += np.where(above >= 0, 0.6 * _RAIL_SHADOW * np.exp(-np.maximum(above, 0)), 0)
    return (1 - shadow).astype(np.float32)
