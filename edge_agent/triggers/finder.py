"""Where parts lie in a picture: what differs from the empty belt."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.errors import UnreadableImage
from calibration.images import read_image
from edge_agent.config.tables import FindingTable
from edge_agent.errors import ConfigError
from edge_agent.frame import Frame
from edge_agent.triggers.belt import Belt

_WORKING_HEIGHT = 120


class PartFinder:
    """Finds parts, and learns the belt meanwhile; show it every frame, in order.

    Args:
        settings: of the [trigger] table.
        crop_area_px: area of the cut-out; a quarter of it is the least part unless the settings say
            otherwise.

    Raises:
        ConfigError: if the picture of the empty belt cannot be read.
    """

    def __init__(self, settings: FindingTable, crop_area_px: int) -> None:
        self._belt = Belt(settings.sensitivity, _read_belt(settings))
        self._least_px = settings.min_area_px or crop_area_px // 4

    def find(self, frame: Frame) -> list[tuple[float, float]]:
        """Centres (x, y) of what lies on the belt, in pixels of the frame."""
        image = frame.image
        factor = _factor(image)
        small = _small_grey(image)
        different = self._belt.foreground(small, frame.captured_at_ns)
        mask = cv2.morphologyEx(different, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        centres = []
        for label in range(1, count):
            x, y, w, h, _ = statistics[label]
            # The box, not the area: a part may look like the belt in its middle.
            if w * h * factor * factor >= self._least_px:
                centres.append(((x + w / 2) * factor, (y + h / 2) * factor))
        return centres


def _factor(image: np.ndarray) -> int:
    return max(1, round(image.shape[0] / _WORKING_HEIGHT))


def _small_grey(image: np.ndarray) -> np.ndarray:
    factor = _factor(image)
    height, width = (side // factor for side in image.shape[:2])
    # Whole pixels of the small picture only: areas are then squares, and cheap.
    whole = image[: height * factor, : width * factor]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small


def _read_belt(settings: FindingTable) -> np.ndarray | None:
    if settings.empty_belt is None:
        return None
    try:
        return _small_grey(read_image(settings.empty_belt))
    except UnreadableImage as error:
        raise ConfigError(f"[trigger] empty_belt: {error}") from error
