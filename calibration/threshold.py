"""The threshold: how unusual a good part may look before it is called NG.

The conformal rank rule (Vovk et al.; split conformal prediction): with n scores of good parts that
the bank has not seen, sorted upwards, and a wanted false reject rate a, the threshold is score
number k = ceil((n + 1) (1 - a)). A further good part exceeds it with probability at most a,
whatever the distribution, provided that it comes from the same process. If k would be n + 1, no
score supports the wish: the largest score is used, and what it supports, 1 / (n + 1), is said.

Scores from folds, each against a bank without that part, are used in the same way (cross-conformal
prediction, Vovk, 2015). The bound that can be proven is then 2 a; what is measured is a, see
docs/accuracy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it is worth.

    Attributes:
        value: in bits; a part is NG if its score is greater.
        wanted_rate: the false reject rate that was asked for.
        supported_rate: the false reject rate that the scores support, at least ``wanted_rate``.
        held_out: how many scores of good parts it was drawn from.
    """

    value: float
    wanted_rate: float
    supported_rate: float
    held_out: int

    def is_ng(self, score: float) -> bool:
        """Whether a part with this score is to be rejected."""
        return score > self.value

    @property
    def sentence(self) -> str:
        """What the number of held-out parts can promise, for people."""
        if self.supported_rate > self.wanted_rate:
            needed = math.ceil(1 / self.wanted_rate) - 1
            return (
                f"{self.held_out} held-out parts support a rate no lower than"
                f" {self.supported_rate:.2%}; {self.wanted_rate:.2%} needs {needed} of them"
            )
        return (
            f"false rejects of good parts are expected at {self.supported_rate:.2%} at most"
            f" ({self.held_out} held-out parts)"
        )


def conformal_threshold(scores: np.ndarray, rate: float) -> Threshold:
    """Apply the rank rule.

    Args:
        scores: of good parts not in the bank, at least one.
        rate: wanted false reject rate, between 0 and 1.

    Raises:
        ValueError: if the rate is outside (0, 1) or there is no score.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a false reject rate lies between 0 and 1, not {rate}")
    ordered = np.sort(np.asarray(scores, np.float64))
    count = len(ordered)
    if not count:
        raise ValueError("a threshold needs at least one score of a good part")
    # 1e-9: (n + 1)(1 - a) that is a whole number up to rounding must not become the next one.
    rank = math.ceil((count + 1) * (1 - rate) - 1e-9)
    supported = rate if rank <= count else 1 / (count + 1)
    return Threshold(float(ordered[min(rank, count) - 1]), rate, supported, count)
