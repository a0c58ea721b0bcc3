"""The anomaly map, against OpenCV's Gaussian and NumPy's median."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.anomaly_map import anomaly_map, gaussian
from kernels.errors import ShapeError


@st.composite
def _distances(draw: st.DrawFn) -> np.ndarray:
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    most = draw(st.sampled_from([0, 1, 50, 30_000]))
    kind = draw(st.sampled_from([np.int32, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    distances = rng.integers(0, most + 1, (rows, columns)).astype(kind)
    if draw(st.booleans()):  # one patch far beyond all others
        distances[rows // 2, columns // 2] = 32_000
    return distances


@settings(deadline=None)  # the first of each type compiles
@given(_distances(), st.floats(0.3, 4), st.integers(0, 2**32))
def test_smoothed_weighed_and_summed_up(distances: np.ndarray, sigma: float, seed: int) -> None:
    place = np.random.default_rng(seed).uniform(0.5, 2, distances.shape).astype(np.float32)
    result, median, highest = anomaly_map(distances, gaussian(sigma), place)
    side = 2 * max(1, round(4 * sigma)) + 1
    wanted = cv2.GaussianBlur(distances.astype(np.float64), (side, side), sigma) / place
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5 * wanted.max())
    assert result.dtype == np.float32
    assert median == float(np.median(result.astype(np.float64)))
    assert highest == result.max()


@settings(deadline=None)
@given(_distances(), st.floats(0.5, 1e4))
def test_a_picture_that_is_off_as_a_whole(distances: np.ndarray, usual: float) -> None:
    place = np.ones(distances.shape, np.float32)
    before, median, highest = anomaly_map(distances, gaussian(1.0), place)
    result, median_before, left = anomaly_map(distances, gaussian(1.0), place, usual)
    off = np.float32(np.clip(median / usual, 1 / 1.5, 1.5))
    np.testing.assert_array_equal(result, before / off)
    assert median_before == median
    assert left == np.float32(highest) / off


@pytest.mark.parametrize("wrong", [-1e6, float("nan"), float("inf")])
def test_numbers_that_are_no_distances_stay_where_they_are(wrong: float) -> None:
    distances = np.full((20, 20), 7.0, np.float32)
    distances[0, 0] = wrong
    result, _, _ = anomaly_map(distances, gaussian(1.0), np.ones((20, 20), np.float32))
    np.testing.assert_allclose(result[5:], 7, rtol=1e-6)


def test_taps_are_those_of_opencv() -> None:
    np.testing.assert_allclose(gaussian(1.0), cv2.getGaussianKernel(9, 1.0)[:, 0], rtol=1e-6)
    assert gaussian(1.7).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "places"), [((3, 4), (4, 3)), ((0, 4), (0, 4)), ((12,), (12,)), ((3, 4), (1, 1))]
)
def test_what_is_no_map(shape: tuple[int, ...], places: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="no map"):
        anomaly_map(np.zeros(shape, np.int32), gaussian(1.0), np.ones(places, np.float32))
