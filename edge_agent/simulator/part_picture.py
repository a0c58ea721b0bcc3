"""What a drawn part is: its picture, and where its features are, for defects to refer to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOWARDS_LIGHT = (-0.6, -0.8)
"""Unit vector x, y in the picture; surfaces that lean this way are bright."""


@dataclass(frozen=True)
class Hole:
    """A bolt hole in a part's picture: centre and radius of its countersink, in pixels."""

    x: float
    y: float
    radius_px: float


@dataclass(frozen=True, eq=False)
class PartPicture:
    """One part by itself, as large as it is in the frame.

    Attributes:
        picture: uint8 (s, s, 3), blue first; a defect is drawn on it in place.
        blank: uint8 (s, s, 3), the same part without holes and print.
        coverage: float32 (s, s), how much of each pixel the part covers, 0 to 1.
        solid: float32 (s, s), the same without the bores of the holes.
        ink: float32 (s, s), how much of each pixel the print covers, 0 to 1.
        centre: x and y of the part's centre.
        radius_px: of the part.
        holes: its bolt holes.
    """

    picture: np.ndarray
    blank: np.ndarray
    coverage: np.ndarray
    solid: np.ndarray
    ink: np.ndarray
    centre: tuple[float, float]
    radius_px: float
    holes: tuple[Hole, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.picture.shape[0], self.picture.shape[1]
