"""A part as the camera sees it: through its lens, blurred by motion, with its shadow; ready to lay
over the belt with two integer operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.simulator.defects import DEFECTS
from edge_agent.simulator.line import PlannedPart
from edge_agent.simulator.optics import Optics
from edge_agent.simulator.part_picture import TOWARDS_LIGHT, PartPicture
from edge_agent.simulator.parts import PartPainter
from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

_SHADOW_LENGTH_PX = 7.0
_SHADOW_SOFTNESS_PX = 9.0
_SHADOW_DEPTH = 0.55


@dataclass(frozen=True, eq=False)
class Sprite:
    """A part, ready to lay over a frame.

    Attributes:
        light: uint8 (s, s, 3), the part's own light.
        belt_share: uint8 (s, s, 3), how much of what is below shows, in 255ths: all of it beside
            the part, some of it in the shadow, nothing under the part.
        mask: bool (s, s), the defect's pixels; None for a good part.
        box: x, y, width, height of the part itself, without its shadow.
    """

    light: np.ndarray
    belt_share: np.ndarray
    mask: np.ndarray | None
    box: tuple[int, int, int, int]


class SpriteMaker:
    """Makes the sprites of one line. One thread at a time may use it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._seed = settings.seed
        self._painter = PartPainter(settings)
        self._optics = Optics(settings)

    def make(self, part: PlannedPart) -> Sprite:
        """Draw the part, defect and all, as it looks in a frame."""
        drawn = self._painter.paint(part.number)
        mask = None
        if part.defect is not None:
            rng = generator(self._seed, Topic.DEFECT, part.number)
            mask = DEFECTS[part.defect](drawn, part.subtlety, rng)
            mask = self._optics.smear(mask)
        see, cover = self._optics.see, drawn.coverage
        opaque = cv2.convertScaleAbs(cover, alpha=255)
        light = cv2.multiply(drawn.picture, cv2.merge([opaque] * 3), scale=1 / 255)
        shown = see((1 - cover) * (1 - _shadow(drawn)))
        share = cv2.convertScaleAbs(shown, alpha=255)
        box = cv2.boundingRect((cover >= 0.5).astype(np.uint8))
        return Sprite(
            see(light),
            cv2.merge([share] * 3),
            mask,
            (box[0], box[1], box[2], box[3]),
        )


def _shadow(part: PartPicture) -> np.ndarray:
    """float32 (s, s), how much light the part takes from the belt, 0 to 1."""
    height, width = part.shape
    x, y = part.centre
    dx = np.arange(width, dtype=np.float32) - np.float32(x + _SHADOW_LENGTH_PX * -TOWARDS_LIGHT[0])
    dy = np.arange(height, dtype=np.float32) - np.float32(y + _SHADOW_LENGTH_PX * -TOWARDS_LIGHT[1])
    beyond = np.sqrt(dx[None, :] ** 2 + dy[:, None] ** 2) - np.float32(part.radius_px)
    edge = np.clip(0.5 - beyond / _SHADOW_SOFTNESS_PX, 0, 1)
    return np.asarray(_SHADOW_DEPTH * edge * edge * (3 - 2 * edge), np.float32)
