"""Measures of an anomaly detector, computed exactly over all images or pixels."""

from __future__ import annotations

import cv2
import numpy as np

PRO_FALSE_POSITIVE_LIMIT = 0.3
_PRO_STEPS = 600


def auroc(good: np.ndarray, defective: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a defective one scores above a good one.

    A tie counts half (Mann and Whitney's U, divided by the number of pairs).

    Args:
        good: scores (n,).
        defective: scores (m,).

    Returns:
        0 .. 1; None if there are no scores on one side.
    """
    if not len(good) or not len(defective):
        return None
    ordered = np.sort(good)
    below = np.searchsorted(ordered, defective, "left").astype(np.float64)
    not_above = np.searchsorted(ordered, defective, "right")
    return float((below + not_above).mean() / 2 / len(good))


class PixelScores:
    """Collects anomaly maps and masks, for pixel AUROC and PRO.

    PRO (Bergmann et al., 2021): the share of each connected defect region that lies above a
    threshold, averaged over regions, as a function of the share of good pixels above it;
    integrated up to 30 % of those and divided by 0.3.
    """

    def __init__(self) -> None:
        self._good: list[np.ndarray] = []
        self._regions: list[np.ndarray] = []

    def add(self, anomaly_map: np.ndarray, mask: np.ndarray) -> None:
        """Add one image: float32 (h, w) and bool (h, w)."""
        self._good.append(anomaly_map[~mask])
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        self._regions += [np.sort(anomaly_map[labels == label]) for label in range(1, count)]

    def measure(self) -> tuple[float | None, float | None]:
        """Pixel AUROC and PRO, each 0 .. 1; None if there is no defect or nothing else."""
        if not self._regions or not self._good:
            return None, None
        good = np.sort(np.concatenate(self._good))
        if not len(good):
            return None, None
        return auroc(good, np.concatenate(self._regions)), self._pro(good)

    def _pro(self, good: np.ndarray) -> float:
        false_positives = np.linspace(0, PRO_FALSE_POSITIVE_LIMIT, _PRO_STEPS + 1)
        # Exactly this share of the good pixels lies above each level, ties apart.
        places = len(good) - 1 - np.floor(false_positives * len(good)).astype(np.int64)
        levels = good[np.clip(places, 0, None)]
        overlap = np.zeros(len(levels))
        for region in self._regions:
            overlap += 1 - np.searchsorted(region, levels, "right") / len(region)
        overlap /= len(self._regions)
        return float(np.trapezoid(overlap, false_positives) / PRO_FALSE_POSITIVE_LIMIT)
