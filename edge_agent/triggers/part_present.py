"""A part in the picture gives one inspection, when it passes the middle.

What differs from the empty belt is a part; parts are followed from frame to frame, and each is
inspected once, in the first frame in which its centre has reached the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.errors import UnreadableImage
from calibration.images import read_image
from edge_agent.config.tables import PartTrigger
from edge_agent.errors import ConfigError
from edge_agent.frame import Frame
from edge_agent.triggers.base import Part, Trigger
from edge_agent.triggers.belt import Belt

_WORKING_HEIGHT = 120
_FORGET_AFTER = 3


def _factor(image: np.ndarray) -> int:
    return max(1, round(image.shape[0] / _WORKING_HEIGHT))


def _small_grey(image: np.ndarray) -> np.ndarray:
    factor = _factor(image)
    size = (image.shape[1] // factor, image.shape[0] // factor)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small


def _read_belt(settings: PartTrigger) -> np.ndarray | None:
    if settings.empty_belt is None:
        return None
    try:
        return _small_grey(read_image(settings.empty_belt))
    except UnreadableImage as error:
        raise ConfigError(f"[trigger] empty_belt: {error}") from error


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
        self._belt = Belt(settings.sensitivity, _read_belt(settings))
        self._parts = 0
        self._tracks: list[_Track] = []
        self.missed = 0

    def feed(self, frame: Frame) -> Part | None:
        """See :meth:`Trigger.feed`."""
        found = self._find(frame)
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

    def _find(self, frame: Frame) -> list[tuple[float, float]]:
        """Centres of what lies on the belt."""
        image = frame.image
        factor = _factor(image)
        small = _small_grey(image)
        different = self._belt.foreground(small, frame.captured_at_ns)
        mask = cv2.morphologyEx(different, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        settings = self._settings
        least = settings.min_area_px or settings.crop_width_px * settings.crop_height_px // 4
        centres = []
        for label in range(1, count):
            x, y, w, h, _ = statistics[label]
            # The box, not the area: a part may look like the belt in its middle.
            if w * h * factor * factor >= least:
                centres.append(((x + w / 2) * factor, (y + h / 2) * factor))
        return centres

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
