"""A part in the picture gives one inspection, when it passes the middle.

What differs from the empty belt is a part; parts are followed from frame to frame, and each is
inspected once, in the first frame in which its centre has reached the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.config.tables import PartTrigger
from edge_agent.frame import Frame
from edge_agent.triggers.base import Part, Trigger
from edge_agent.triggers.finder import PartFinder

_FORGET_AFTER = 3


@dataclass
class _Track:
    """A part on its way through the picture; positions in pixels of the frame."""

    x: float
    y: float
    inspected: bool = False
    missing: int = 0


class PartPresent(Trigger):
    """Follows parts through the picture.

    Args:
        settings: the [trigger] table.

    Raises:
        ConfigError: if the picture of the empty belt cannot be read.

    Attributes:
        missed: parts that passed the middle unseen, e.g. because frames were dropped, and could
            not be cut out any more.
    """

    def __init__(self, settings: PartTrigger) -> None:
        self._settings = settings
        self._finder = PartFinder(settings, settings.crop_width_px * settings.crop_height_px)
        self._parts = 0
        self._tracks: list[_Track] = []
        self.missed = 0

    def feed(self, frame: Frame) -> Part | None:
        """See :meth:`Trigger.feed`."""
        found = self._finder.find(frame)
        self._follow(found)
        height, width = frame.image.shape[:2]
        for track in self._tracks:
            if track.inspected or track.missing or not self._past_middle(track, height, width):
                continue
            track.inspected = True
            box = self._cut_out(track, height, width)
            if box is None:
                self.missed += 1
                continue
            x, y, w, h = box
            part = Part(self._parts, frame.image[y : y + h, x : x + w], frame, box)
            self._parts += 1
            return part
        return None

    def _follow(self, centres: list[tuple[float, float]]) -> None:
        reach = max(self._settings.crop_width_px, self._settings.crop_height_px) / 2
        for track in self._tracks:
            track.missing += 1
        for x, y in centres:
            near = [t for t in self._tracks if t.missing and np.hypot(t.x - x, t.y - y) < reach]
            if near:
                track = min(near, key=lambda t: float(np.hypot(t.x - x, t.y - y)))
                track.x, track.y, track.missing = x, y, 0
            else:
                self._tracks.append(_Track(x, y))
        self._tracks = [t for t in self._tracks if t.missing < _FORGET_AFTER]

    def _past_middle(self, track: _Track, height: int, width: int) -> bool:
        match self._settings.direction:
            case "right":
                return track.x >= width / 2
            case "left":
                return track.x <= width / 2
            case "down":
                return track.y >= height / 2
            case "up":
                return track.y <= height / 2

    def _cut_out(self, track: _Track, height: int, width: int) -> tuple[int, int, int, int] | None:
        w, h = self._settings.crop_width_px, self._settings.crop_height_px
        x, y = round(track.x - w / 2), round(track.y - h / 2)
        # Across the belt a part may sit at the edge; along it, half a part is no part.
        if self._settings.direction in ("right", "left"):
            y = min(max(y, 0), height - h)
        else:
            x = min(max(x, 0), width - w)
        inside = x >= 0 and y >= 0 and x + w <= width and y + h <= height
        return (x, y, w, h) if inside else None
