"""How well scores tell good parts from the same parts with defects drawn on them.

Drawn defects are not the real ones, which nobody has seen yet. How well they are found says little
about how well those will be. But of two ways to look at the same parts, that which finds drawn
defects clearly better has, wherever it was tried, also found real ones as well or better; where the
difference may be chance, it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_CLEARLY = 0.01  # of the AUROC
_SURELY = 3.0  # standard deviations of the difference


@dataclass(frozen=True, eq=False)
class Separation:
    """Scores of good parts, and of some of them with defects drawn on, one at a time.

    Attributes:
        good: float (n,).
        drawn: float (m, k), k defects for each of m parts.
        parts: int (m,), which of the good parts these are.
    """

    good: np.ndarray
    drawn: np.ndarray
    parts: np.ndarray

    @property
    def auroc(self) -> float:
        """How often a drawn defect scores above a good part, ties counting half."""
        return float(self._placements[1].mean())

    @cached_property
    def _placements(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each good part, how many defects score above it; of each defect, above how many."""
        good, drawn = np.sort(self.good), np.sort(self.drawn, axis=None)
        below = [np.searchsorted(drawn, self.good, side) for side in ("left", "right")]
        above = [np.searchsorted(good, self.drawn, side) for side in ("left", "right")]
        return 1 - np.mean(below, axis=0) / drawn.size, np.mean(above, axis=0) / len(good)

    def clearly_better_than(self, other: Separation) -> bool:
        """Whether defects are told better, by more than may be chance, and worth a change."""
        gain, deviation = self.gain_over(other)
        return gain > _CLEARLY and gain > _SURELY * deviation

    def gain_over(self, other: Separation) -> tuple[float, float]:
        """By how much this AUROC of the same parts and defects is higher, and what is chance in it.

        By the structural components of DeLong et al. (1988), summed over what is known of the same
        part (Obuchowski, 1997): its own score, and those of the defects drawn on it.

        Returns:
            The difference and its standard deviation.
        """
        good, drawn = (
            mine - theirs for mine, theirs in zip(self._placements, other._placements, strict=True)
        )
        gain = float(drawn.mean())
        of_part = (good - gain) / len(good)
        np.add.at(of_part, self.parts, (drawn.mean(axis=1) - gain) / len(drawn))
        return gain, float(np.sqrt((of_part**2).sum() * len(good) / max(len(good) - 1, 1)))
