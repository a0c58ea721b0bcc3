"""Drawing a good part: a turned steel cap with six bolt holes and a printed label.

Label and holes turn with the part; the light on them does not.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.label import INK_BGR, Label, draw_label
from edge_agent.simulator.part_picture import TOWARDS_LIGHT, Hole, PartPicture
from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings
from edge_agent.simulator.steel import TurnedSteel

HOLES = 6
_HOLE_CIRCLE, _HOLE, _SINK = 0.74, 0.072, 0.104  # radii, as shares of the part's
_LABEL = 0.46
_STEEL_BGR = np.array([1.015, 1.0, 0.98], np.float32)


class PartPainter:
    """Draws the parts of one line: alike, and each a little different.

    One thread at a time may use it.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._side = int(np.ceil(settings.largest_diameter_px)) + 2 * settings.margin_px
        self._label: Label = draw_label(round(_LABEL * settings.part_diameter_px / 2))
        self._steel = TurnedSteel(settings, self._side)

    def paint(self, number: int) -> PartPicture:
        """Draw the part of that number, without any defect."""
        settings = self._settings
        rng = generator(settings.seed, Topic.SURFACE, number)
        radius = settings.part_diameter_px / 2 * (1 + settings.size_variation * rng.uniform(-1, 1))
        turn = np.deg2rad(settings.rotation_deg) * rng.uniform(-1, 1)
        middle = (self._side - 1) / 2
        centre = (middle + rng.uniform(-0.5, 0.5), middle + rng.uniform(-0.5, 0.5))
        dx = (np.arange(self._side) - centre[0]).astype(np.float32)[None, :]
        dy = (np.arange(self._side) - centre[1]).astype(np.float32)[:, None]
        distance = np.sqrt(dx * dx + dy * dy)

        steel = self._steel.draw(rng, radius, dx, dy)
        blank = cv2.merge([cv2.convertScaleAbs(steel, alpha=float(tint)) for tint in _STEEL_BGR])
        ink = np.zeros_like(distance)
        label = self._stick_label(blank, ink, centre, radius, turn)
        picture = blank.copy()
        _blend(picture[label], ink[label] * np.float32(0.88), INK_BGR)
        angles = turn + 2 * np.pi / HOLES * np.arange(HOLES)
        holes = tuple(
            Hole(
                centre[0] + _HOLE_CIRCLE * radius * float(np.cos(angle)),
                centre[1] + _HOLE_CIRCLE * radius * float(np.sin(angle)),
                _SINK * radius,
            )
            for angle in angles
        )
        coverage = np.clip(np.float32(radius + 0.5) - distance, 0, 1)
        solid = coverage.copy()
        for hole in holes:
            _drill(picture, solid, hole)
        return PartPicture(picture, blank, coverage, solid, ink, centre, radius, holes)

    def _stick_label(
        self,
        blank: np.ndarray,
        ink: np.ndarray,
        centre: tuple[float, float],
        radius: float,
        turn: float,
    ) -> tuple[slice, slice]:
        """Draw the label's paper on `blank` and its print's coverage into `ink`, in place.

        Returns where the label is.
        """
        label = self._label
        half = label.ink.shape[0] / 2 - 0.5
        scale = 2 * radius / self._settings.part_diameter_px
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        reach = int(np.ceil(half * scale)) + 2
        left, top = int(centre[0]) - reach, int(centre[1]) - reach
        side = 2 * reach + 2
        matrix = np.array(
            [
                [cos, -sin, centre[0] - left - cos * half + sin * half],
                [sin, cos, centre[1] - top - sin * half - cos * half],
            ]
        )
        region = np.s_[top : top + side, left : left + side]
        cover = cv2.warpAffine(label.coverage, matrix, (side, side))
        paper = cv2.warpAffine(label.paper, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        patch = blank[region].astype(np.float32)
        # Paper is matt, but not quite: a little of the light on the steel shows on it.
        light = (0.86 + 0.14 * cv2.GaussianBlur(patch[..., 1], (0, 0), 3) / 150)[..., None]
        patch += (paper * light - patch) * cover[..., None]
        blank[region] = np.clip(patch, 0, 255).astype(np.uint8)
        ink[region] = cv2.warpAffine(label.ink, matrix, (side, side)) * cover
        return region


def _drill(picture: np.ndarray, solid: np.ndarray, hole: Hole) -> None:
    """A countersunk hole: a bright-and-dark rim around a dark bore with one lit wall.

    Draws on `picture` and takes the bore out of `solid`.
    """
    reach = int(np.ceil(hole.radius_px)) + 2
    left, top = int(hole.x) - reach, int(hole.y) - reach
    side = 2 * reach + 2
    region = np.s_[top : top + side, left : left + side]
    dx = (np.arange(side) + left - hole.x).astype(np.float32)[None, :]
    dy = (np.arange(side) + top - hole.y).astype(np.float32)[:, None]
    distance = np.sqrt(dx * dx + dy * dy)
    towards = (dx * TOWARDS_LIGHT[0] + dy * TOWARDS_LIGHT[1]) / np.maximum(distance, 1)
    bore = hole.radius_px * _HOLE / _SINK
    rim = 122 - 78 * towards
    wall = 24 + 62 * np.clip(-towards, 0, 1) * np.clip(distance / bore, 0, 1) ** 3
    inside = np.clip(bore + 0.5 - distance, 0, 1)
    grey = rim + (wall - rim) * inside
    cover = np.clip(hole.radius_px + 0.5 - distance, 0, 1)
    patch = picture[region].astype(np.float32)
    patch += (grey[..., None] * _STEEL_BGR - patch) * cover[..., None]
    picture[region] = np.clip(patch, 0, 255).astype(np.uint8)
    solid[region] *= 1 - inside


def _blend(picture: np.ndarray, cover: np.ndarray, colour: tuple[int, int, int]) -> None:
    mixed = picture + (np.array(colour, np.float32) - picture) * cover[..., None]
    picture[:] = mixed.astype(np.uint8)
