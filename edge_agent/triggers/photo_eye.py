"""The photo-eye of the reject gate says that a part is there; this finds its picture.

The gate tells the moment of each edge on our own clock, so a part's picture is the first frame that
arrives at or after that moment (plus a configured delay). Pictures and edges come from different
threads and in any order: the latest frames are kept for edges that are reported after them, and
edges wait for the frames to come.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_agent.config.tables import PhotoEyeTable
from edge_agent.frame import Frame
from edge_agent.triggers.base import Part, Trigger
from edge_agent.triggers.finder import PartFinder
from firmware_bridge import Trigger as Edge

_FRAMES_KEPT = 8
_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class _Awaited:
    """A part whose picture is still to come, and between which moments it may be taken."""

    number: int
    from_ns: int
    until_ns: int


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame, and the centres of what lies on the belt in it."""

    frame: Frame
    centres: list[tuple[float, float]]


class PhotoEye(Trigger):
    """Pairs edges with frames.

    ``feed`` and ``another`` belong to one thread; ``announce`` and ``withdraw`` may be called from
    another.

    Args:
        settings: the [trigger] table.
        on_skipped: told, in the thread of ``feed``, the number of a part without a picture.

    Raises:
        ConfigError: if the picture of the empty belt cannot be read.
    """

    def __init__(self, settings: PhotoEyeTable, on_skipped: Callable[[int], None]) -> None:
        self._settings, self._on_skipped = settings, on_skipped
        width, height = settings.crop_width_px, settings.crop_height_px
        self._crop = (width, height) if width is not None and height is not None else None
        self._finder = PartFinder(settings, width * height) if width and height else None
        self._lock = threading.Lock()
        self._awaited: deque[_Awaited] = deque()
        self._seen: deque[_Seen] = deque(maxlen=_FRAMES_KEPT)

    def announce(self, edge: Edge) -> None:
        """A part has passed the photo-eye."""
        delay_ns = round(self._settings.frame_delay_ms * _NS_PER_MS)
        window_ns = round(self._settings.frame_window_ms * _NS_PER_MS)
        from_ns = edge.triggered_at_ns + delay_ns
        early_ns, late_ns = from_ns - edge.uncertainty_ns, from_ns + window_ns
        with self._lock:
            self._awaited.append(_Awaited(edge.part, early_ns, late_ns))

    def withdraw(self, number: int) -> bool:
        """A part has ended before its picture was looked at.

        Returns:
            False if it has been handed out already, or was skipped.
        """
        with self._lock:
            for part in self._awaited:
                if part.number == number:
                    self._awaited.remove(part)
                    return True
        return False

    def feed(self, frame: Frame) -> Part | None:
        """See :meth:`Trigger.feed`."""
        centres = self._finder.find(frame) if self._finder is not None else []
        with self._lock:
            self._seen.append(_Seen(frame, centres))
        return self.another()

    def another(self) -> Part | None:
        """See :meth:`Trigger.another`."""
        skipped: list[int] = []
        with self._lock:
            part = self._next(skipped)
        for number in skipped:
            self._on_skipped(number)
        return part

    def _next(self, skipped: list[int]) -> Part | None:
        while self._awaited:
            part = self._awaited[0]
            seen = next((s for s in self._seen if s.frame.captured_at_ns >= part.from_ns), None)
            if seen is None:
                return None
            self._awaited.popleft()
            if seen.frame.captured_at_ns > part.until_ns:
                skipped.append(part.number)
                continue
            x, y, w, h = self._cut_out(seen)
            return Part(
                part.number, seen.frame.image[y : y + h, x : x + w], seen.frame, (x, y, w, h)
            )
        return None

    def _cut_out(self, seen: _Seen) -> tuple[int, int, int, int]:
        """Around the part nearest to the middle, or the middle itself where none is seen."""
        height, width = seen.frame.image.shape[:2]
        if self._crop is None:
            return 0, 0, width, height
        middle = width / 2, height / 2
        centre_x, centre_y = min(
            seen.centres,
            key=lambda c: float(np.hypot(c[0] - middle[0], c[1] - middle[1])),
            default=middle,
        )
        w, h = min(self._crop[0], width), min(self._crop[1], height)
        x = min(max(round(centre_x - w / 2), 0), width - w)
        y = min(max(round(centre_y - h / 2), 0), height - h)
        return x, y, w, h
