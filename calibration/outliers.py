"""Good images that may not be good: which of the scores stand apart from all others.

Scores of good parts fall off towards high values roughly like an exponential distribution. Its
scale is taken from between the upper quarter and the upper tenth of the scores, where a few
defective ones do no harm. For each score follows how many of so many good parts are to be expected
that far out: next to none is no chance. The scale is itself uncertain, the more so the fewer parts
there are; a predictive distribution (exponential with a scale estimated from m values: Lomax with
shape m, e.g. Geisser, 1985) allows for that.
"""

from __future__ import annotations

import math

import numpy as np

POINT_AT = 0.2
"""Parts at which fewer good ones than this are to be expected that far out are pointed at."""

LEAVE_OUT = 0.01
"""Likewise, from which on it is clear-cut: these need not be believed."""

MOST_LEFT_OUT = 0.1
"""If a greater share stands apart, it is no outlier but a kind of part, and stays."""

_LOW, _HIGH = 0.75, 0.9
_SMALLEST_SCALE = 0.01  # of the median: parts alike to the last bit must not make all others odd


def expected_beyond(scores: np.ndarray) -> np.ndarray:
    """How many of as many good parts are to be expected at or beyond each score.

    Args:
        scores: float64 (n,), each from a bank that has not seen the part.

    Returns:
        float64 (n,); at or below the upper quarter, n times 0.25, the most that is told apart.
    """
    low, high = np.quantile(scores, (_LOW, _HIGH))
    scale = float(high - low) / math.log((1 - _LOW) / (1 - _HIGH))
    scale = max(scale, _SMALLEST_SCALE * float(np.median(scores)), 1e-9)
    used = len(scores) * (1 - _LOW)
    beyond = np.clip(scores - low, 0, None) / scale
    return used * (1 + beyond / used) ** -used


def stand_apart(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which parts are pointed at, and which of them are clear-cut: bool (n,) each.

    Where more than :data:`MOST_LEFT_OUT` of all would be clear-cut, none is.
    """
    expected = expected_beyond(scores)
    clear = expected < LEAVE_OUT
    if clear.mean() > MOST_LEFT_OUT:
        clear = np.zeros(len(scores), bool)
    return expected < POINT_AT, clear
