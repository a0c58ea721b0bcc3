"""The turned steel body of a part, without its holes and its label.

A turned part is round, so it is a profile along its radius: the tone, the lean of the surface, the
strength of the reflection. The reflection of a turned face is the bow tie that everyone knows from
the bottom of a pan; it stays with the light when the part is turned.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.part_picture import TOWARDS_LIGHT
from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

_SAMPLES_PER_PX = 4
_GRAIN_SIDE = 1024
_ZONE_ENDS = (0.51, 0.535, 0.56, 0.93)  # of pocket, inner and outer wall, face; then the chamfer
_TONE = (118, 96, 88, 142, 136)
_LEAN = (0, -52, 46, 0, 62)
_SHINE = (12, 8, 8, 74, 22)
_MARKS = (1.5, 2, 2, 9, 4)
_ROUGHNESS = (4, 2, 2, 3, 2)
_EDGE_SOFTNESS_PX = 0.7
_MARK_WIDTHS = ((0.4, 0.6), (1.1, 1.0), (7.5, 0.7))  # pixels, and how strong


class TurnedSteel:
    """Draws the bodies of one line's parts. Threads may share it.

    Args:
        settings: of the line.
        side: height and width of the pictures to draw.
    """

    def __init__(self, settings: SimulatorSettings, side: int) -> None:
        self._variation = settings.texture_variation
        self._side = side
        self._samples = _SAMPLES_PER_PX * settings.part_diameter_px / 2
        smallest = settings.part_diameter_px / 2 * (1 - settings.size_variation)
        farthest = (side / 2 + 2) * np.sqrt(2) / smallest
        share = np.arange(int(farthest * self._samples) + 1) / self._samples
        self._tone, self._lean, self._shine = (
            _soften(_along(share, values)) for values in (_TONE, _LEAN, _SHINE)
        )
        self._depth, self._roughness = _along(share, _MARKS), _along(share, _ROUGHNESS)
        rng = generator(settings.machine_seed, Topic.TOOL)
        self._common_marks = _turning_marks(rng, len(share))
        grain = rng.standard_normal((_GRAIN_SIDE, _GRAIN_SIDE), np.float32)
        self._grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * np.float32(2.5)

    def draw(
        self, rng: np.random.Generator, radius_px: float, dx: np.ndarray, dy: np.ndarray
    ) -> np.ndarray:
        """float32 (s, s), grey levels, of a body of that radius.

        Args:
            rng: decides how it differs from the others.
            radius_px: of the part.
            dx: float32 (1, s), each column's distance from the part's centre.
            dy: float32 (s, 1), each row's.
        """
        variation = self._variation
        own = _turning_marks(rng, len(self._tone))
        marks = self._common_marks * np.float32(1 - variation) + own * np.float32(variation)
        level = 1 + 0.07 * variation * rng.uniform(-1, 1)
        glint_rad = np.arctan2(TOWARDS_LIGHT[1], TOWARDS_LIGHT[0])
        glint_rad += 0.25 * variation * rng.uniform(-1, 1)
        tone = (self._tone + self._depth * marks) * np.float32(level)
        shine = self._shine * (1 + np.float32(0.16) * marks) * np.float32(level)

        distance = np.sqrt(dx * dx + dy * dy)
        index = (distance * np.float32(self._samples / radius_px)).astype(np.intp)
        nearness = 1 / np.maximum(distance, 1)
        steel: np.ndarray = (dx * TOWARDS_LIGHT[0] + dy * TOWARDS_LIGHT[1]) * nearness
        steel *= self._lean[index]
        bow = (dx * np.float32(np.cos(glint_rad)) + dy * np.float32(np.sin(glint_rad))) * nearness
        bow *= bow
        across = (1 - bow) ** 2
        steel += shine[index] * (bow * bow * bow + np.float32(0.25) * across * across)
        steel += tone[index]
        steel += self._roughness[index] * self._grain_patch(rng)
        return np.asarray(np.clip(steel, 0, 255, out=steel))

    def _grain_patch(self, rng: np.random.Generator) -> np.ndarray:
        """float32 (s, s), unit deviation, a piece of the stock; stretched if that is too small."""
        side = min(self._side, _GRAIN_SIDE)
        left, top = rng.integers(0, _GRAIN_SIDE - side + 1, 2).tolist()
        patch: np.ndarray = self._grain[top : top + side, left : left + side]
        return patch if side == self._side else cv2.resize(patch, (self._side, self._side))


def _along(share: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
    """float32 (n,), the value of the zone in which each share of the radius lies."""
    return np.asarray(values, np.float32)[np.searchsorted(_ZONE_ENDS, share, side="right")]


def _soften(table: np.ndarray, width_px: float = _EDGE_SOFTNESS_PX) -> np.ndarray:
    """float32 (n,), blurred along the radius."""
    row = cv2.GaussianBlur(table[None, :], (0, 1), sigmaX=width_px * _SAMPLES_PER_PX)
    return np.asarray(row[0])


def _turning_marks(rng: np.random.Generator, samples: int) -> np.ndarray:
    """float32 (n,), the grooves a lathe leaves, along a radius; zero mean, unit deviation."""
    marks = np.zeros(samples, np.float32)
    for width_px, strength in _MARK_WIDTHS:
        layer = _soften(rng.standard_normal(samples, np.float32), width_px)
        marks += np.float32(strength) / layer.std() * layer
    return np.asarray(marks / marks.std())
