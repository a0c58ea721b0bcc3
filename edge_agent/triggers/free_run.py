"""Every frame is one part."""

from __future__ import annotations

from edge_agent.frame import Frame
from edge_agent.triggers.base import Part, Trigger


class FreeRun(Trigger):
    """For folders, and for cameras that are triggered themselves."""

    def __init__(self) -> None:
        self._parts = 0

    def feed(self, frame: Frame) -> Part:
        """See :meth:`Trigger.feed`; always a part."""
        height, width = frame.image.shape[:2]
        part = Part(self._parts, frame.image, frame, (0, 0, width, height))
        self._parts += 1
        return part
