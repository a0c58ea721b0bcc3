"""The scene: everything put together into the picture of one frame, and the truth about it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.frame import Truth
from edge_agent.simulator.belt import Belt, draw_rail
from edge_agent.simulator.lighting import UNITY, Lighting
from edge_agent.simulator.line import Line, PlannedPart
from edge_agent.simulator.optics import Optics
from edge_agent.simulator.sensor import Sensor
from edge_agent.simulator.settings import SimulatorSettings
from edge_agent.simulator.sprite import Sprite, SpriteMaker


class Scene:
    """Renders any frame of a line, in any order; going forward is fastest.

    A frame is a function of the settings and its number alone. Sprites are kept while their part
    is in the picture, and nothing else grows. One thread at a time may use it.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self.line = Line(settings)
        self._settings = settings
        self._belt = Belt(settings, Optics(settings))
        self._rail = draw_rail(settings)
        self._lighting = Lighting(settings)
        self._sensor = Sensor(settings)
        self._maker = SpriteMaker(settings)
        self._sprites: dict[int, Sprite] = {}

    def render(self, frame: int) -> tuple[np.ndarray, tuple[Truth, ...]]:
        """The picture of a frame, uint8 (h, w, 3), blue first, and the truth about its parts."""
        visible = self.line.visible(frame)
        sprites = {part.number: self._sprite(part) for part, _ in visible}
        self._sprites = sprites

        picture = self._belt.stretch(self.line.belt_px(frame)).copy()
        rail = len(self._rail)
        picture[:rail], picture[-rail:] = self._rail, self._rail[::-1]
        truths = []
        # Shadows fall towards the parts further on, so those are laid last.
        for part, x in reversed(visible):
            window = _Window(sprites[part.number], x, part.across_px, self._settings)
            window.lay(picture)
            truths.append(window.truth(part))
        cv2.multiply(picture, self._lighting.gain(frame), dst=picture, scale=1 / UNITY)
        self._sensor.expose(picture, frame)
        return picture, tuple(truth for truth in reversed(truths) if truth is not None)

    def _sprite(self, part: PlannedPart) -> Sprite:
        return self._sprites.get(part.number) or self._maker.make(part)


class _Window:
    """Where a sprite and the frame overlap."""

    def __init__(self, sprite: Sprite, x: int, y: int, settings: SimulatorSettings) -> None:
        side = len(sprite.light)
        self._sprite = sprite
        self._shape = settings.height_px, settings.width_px
        self._left, self._top = x - side // 2, y - side // 2
        start_x, start_y = max(0, -self._left), max(0, -self._top)
        end_x = max(start_x, min(side, settings.width_px - self._left))
        end_y = max(start_y, min(side, settings.height_px - self._top))
        self._inner = np.s_[start_y:end_y, start_x:end_x]
        self._outer = np.s_[
            start_y + self._top : end_y + self._top, start_x + self._left : end_x + self._left
        ]

    def lay(self, picture: np.ndarray) -> None:
        """Put the sprite over the picture, in place."""
        ground = picture[self._outer]
        if ground.size == 0:
            return
        dimmed = cv2.multiply(ground, self._sprite.belt_share[self._inner], scale=1 / 255)
        picture[self._outer] = cv2.add(dimmed, self._sprite.light[self._inner])

    def truth(self, part: PlannedPart) -> Truth | None:
        """What is true about the part in the frame; None if only its shadow is in it."""
        x, y, width, height = self._sprite.box
        frame_height, frame_width = self._shape
        left, right = max(0, x + self._left), min(frame_width, x + self._left + width)
        top, bottom = max(0, y + self._top), min(frame_height, y + self._top + height)
        if left >= right or top >= bottom:
            return None
        mask = None
        if self._sprite.mask is not None:
            mask = np.zeros(self._shape, bool)
            mask[self._outer] = self._sprite.mask[self._inner]
        return Truth(part.number, part.defect, mask, (left, top, right - left, bottom - top))
