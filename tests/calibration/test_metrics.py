"""Against the definitions, computed the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.metrics import PixelScores, auroc

_SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(_SCORES, _SCORES)
def test_auroc_is_the_share_of_pairs_in_order(good: list[int], defective: list[int]) -> None:
    pairs = [1.0 if d > g else 0.5 if d == g else 0.0 for d in defective for g in good]
    assert auroc(np.array(good), np.array(defective)) == pytest.approx(np.mean(pairs))


def test_auroc_of_one_side_only() -> None:
    assert auroc(np.array([]), np.array([1.0])) is None
    assert auroc(np.array([1.0]), np.array([])) is None


def _random_maps(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    maps = []
    for number in range(4):
        mask = np.zeros((40, 50), bool)
        if number:
            mask[5:9, 5 : 12 + number] = True
            mask[20:30, 30:33] = number == 2
        maps.append((rng.normal(0, 1, mask.shape).astype(np.float32) + mask * 1.2, mask))
    return [(m.astype(np.float32), k) for m, k in maps]


def _slow_pro(maps: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Every score as a threshold; regions separated by hand: rows below 15 and above."""
    regions = []
    for values, mask in maps:
        for part in (slice(0, 15), slice(15, 40)):
            inside = values[part][mask[part]]
            if len(inside):
                regions.append(inside)
    good = np.concatenate([values[~mask] for values, mask in maps])
    points = [(0.0, 0.0)]
    for level in np.sort(np.concatenate([good, *regions]))[::-1]:
        points.append(
            (float((good >= level).mean()), float(np.mean([(r >= level).mean() for r in regions])))
        )
    x, y = np.array(points).T
    ends = np.interp(0.3, x, y)
    keep = x <= 0.3
    return float(np.trapezoid([*y[keep], ends], [*x[keep], 0.3]) / 0.3)


@pytest.mark.parametrize("seed", range(3))
def test_pixel_auroc_and_pro(seed: int) -> None:
    maps = _random_maps(seed)
    scores = PixelScores()
    for values, mask in maps:
        scores.add(values, mask)
    pixel_auroc, pro = scores.measure()
    good = np.concatenate([v[~m] for v, m in maps])
    bad = np.concatenate([v[m] for v, m in maps])
    wins = np.mean([(b > good).mean() + (b == good).mean() / 2 for b in bad])
    assert pixel_auroc == pytest.approx(wins)
    assert pro == pytest.approx(_slow_pro(maps), abs=2e-3)


def test_a_perfect_map() -> None:
    mask = np.zeros((20, 20), bool)
    mask[3:6, 3:6] = True
    scores = PixelScores()
    scores.add(mask.astype(np.float32), mask)
    pixel_auroc, pro = scores.measure()
    assert pixel_auroc == 1.0
    assert pro == pytest.approx(1.0)


def test_without_defects_there_is_nothing_to_measure() -> None:
    scores = PixelScores()
    scores.add(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))
    assert scores.measure() == (None, None)
