"""Which of the parts in a simulated picture was inspected."""

from __future__ import annotations

from edge_agent.frame import Truth
from edge_agent.triggers.base import Part


def truth_of(part: Part) -> Truth | None:
    """The truth whose place in the frame is nearest to the cut-out; None if nothing is known."""
    x, y, width, height = part.box
    middle = x + width / 2, y + height / 2

    def apart(truth: Truth) -> float:
        if truth.box is None:
            return float("inf")
        left, top, w, h = truth.box
        return abs(left + w / 2 - middle[0]) + abs(top + h / 2 - middle[1])

    return min(part.frame.truths, key=apart, default=None)
