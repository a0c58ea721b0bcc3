"""What a trigger is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from edge_agent.frame import Frame


@dataclass(frozen=True, eq=False)
class Part:
    """One part to be inspected.

    Attributes:
        number: counted since the agent started; with a reject gate, the gate's number.
        image: what the detector gets, a view into the frame.
        frame: that shows the part.
        box: (x, y, width, height) of the image in the frame, in pixels.
    """

    number: int
    image: np.ndarray
    frame: Frame
    box: tuple[int, int, int, int]


class Trigger(ABC):
    """Finds parts in frames; one thread at a time may use it."""

    @abstractmethod
    def feed(self, frame: Frame) -> Part | None:
        """Look at the next frame; a part, if one is to be inspected now."""

    def another(self) -> Part | None:
        """A further part, ready without a new frame; None where only frames tell of parts."""
        return None
