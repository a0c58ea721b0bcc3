"""From the distances of the patches to the anomaly map and its score.

Three steps, each of which good parts have to justify:

- *smoothing*: a Gaussian over neighbouring patches; defects are larger than one patch.
- *place*: good parts vary more in some places (edges, reflections, print) than in others. The map
  is divided by how far most good parts come there (mean and standard deviation), and 20 bits: where
  they hardly vary, less is a defect, but a few bits are none anywhere. How far they come all around
  says less about each place of a part that turns: instead of 20, as many bits as they come to on
  average.
- *picture*: where light or focus drifts, all patches of a picture move away from the bank together.
  The map is then divided by how far the picture's median lies from the usual one, by a factor of
  1.5 at most: a part that is wrong all over stays far above any threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from kernels.anomaly_map import anomaly_map, gaussian
from kernels.neighbourhoods import Cells

_LIKELY_BITS = 20.0  # added to what is expected of a place, so that a perfect one does not rule


@dataclass(frozen=True)
class Steps:
    """What is done to distances before the whole picture is looked at.

    Attributes:
        smoothing: sigma of the Gaussian, in patches.
        places: whether each place counts by what good parts show there; else all count alike.
    """

    smoothing: float
    places: bool

    @property
    def alike(self) -> Steps:
        """The same with all places alike."""
        return replace(self, places=False)

    @property
    def words(self) -> str:
        """For people."""
        how = "each place by what is usual there" if self.places else "all places alike"
        return f"smoothing {self.smoothing:g}, {how}"

    def fit(self, unseen: np.ndarray, *, all_around: bool) -> Scoring:
        """These steps for parts like some good ones.

        Args:
            unseen: (n, rows, columns) of any number type, distances of good parts to others.
            all_around: whether places are alike that are as far from the middle.
        """
        if not self.places:
            return Scoring(self.smoothing, np.ones(unseen.shape[1:], np.float32))
        smoothed = np.stack([smooth(distances, self.smoothing) for distances in unseen])
        return Scoring(self.smoothing, place_of(smoothed, all_around=all_around))


@dataclass(frozen=True, eq=False)
class Scoring:
    """How distances become a map.

    Attributes:
        smoothing: sigma of the Gaussian, in patches.
        place: float32 (rows, columns), what the map is divided by, 1 on average.
        usual_median: of the maps of good parts, in bits; 0 where pictures are not compared by it.
    """

    smoothing: float
    place: np.ndarray
    usual_median: float = 0.0

    def judge(self, distances: np.ndarray) -> Judgement:
        """Score a picture.

        Args:
            distances: (rows, columns) of any number type, in bits.
        """
        result, median, highest = anomaly_map(distances, self._taps, self.place, self.usual_median)
        return Judgement(result, highest, median)

    @property
    def steps(self) -> Steps:
        """That it is made of."""
        return Steps(self.smoothing, bool(self.place.min() < self.place.max()))

    @cached_property
    def _taps(self) -> np.ndarray:
        return gaussian(self.smoothing)


class Judgement(NamedTuple):
    """What distances come to.

    Attributes:
        map: float32 (rows, columns), in bits as they would be in an average place and picture.
        score: its highest value.
        median: of the map before the whole picture is allowed for.
    """

    map: np.ndarray
    score: float
    median: float


def smooth(distances: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian over a map of distances: (rows, columns) of any number type -> float32."""
    return anomaly_map(distances, gaussian(sigma), np.ones(distances.shape, np.float32))[0]


def strangeness(distances: np.ndarray, sigma: float) -> float:
    """Of a picture as a whole: what 99 % of its smoothed map, (rows, columns), do not exceed.

    The highest value says more of one place than of the picture.
    """
    return float(np.quantile(smooth(distances, sigma), 0.99))


def place_of(smoothed: np.ndarray, *, all_around: bool = False) -> np.ndarray:
    """What maps are divided by in each place.

    Args:
        smoothed: float32 (n, rows, columns), maps of good parts.
        all_around: whether places are alike that are as far from the middle: on parts that turn.

    Returns:
        float32 (rows, columns), 1 on average.
    """
    expected = smoothed.mean(axis=0) + smoothed.std(axis=0)
    likely = _LIKELY_BITS
    if all_around:
        ring = Cells(1, rings=True).of_grid(*expected.shape)
        likely = float(expected.mean())
        means = np.bincount(ring, expected.ravel()) / np.bincount(ring)
        expected = means[ring].reshape(expected.shape)
    expected = expected + likely
    return (expected / expected.mean()).astype(np.float32)
