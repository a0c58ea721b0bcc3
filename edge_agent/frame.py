"""A frame: one image, and when and where it was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Truth:
    """What is known about a part because somebody simulated or labelled it.

    Attributes:
        part: number of the part.
        defect: name of its defect; None for a good part.
        mask: bool (h, w) of the frame, the defect's pixels; None where unknown or good. All False
            while a known defect is outside the frame.
        box: x, y, width, height in pixels, the rectangle around the whole part, clipped to the
            frame; None where unknown.
    """

    part: int
    defect: str | None
    mask: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None

    @property
    def is_defective(self) -> bool:
        """Whether the part has a defect."""
        return self.defect is not None


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source.

    Attributes:
        image: uint8 (h, w, 3), blue first, or (h, w) grey.
        sequence: number of the frame, counted by the source from 0.
        captured_at_ns: when the source gave it, monotonic.
        name: of the file it came from, if it came from one.
        truths: what is known about the parts in the picture; empty for a real camera.
    """

    image: np.ndarray
    sequence: int
    captured_at_ns: int
    name: str | None = None
    truths: tuple[Truth, ...] = ()
