from __future__ import annotations

import numpy as np
import pytest

from calibration.scoring import Scoring, place_of, smooth, strangeness


def test_a_place_where_good_parts_vary_counts_less() -> None:
    # Good parts differ by 40 bits on the left half and by 10 on the right.
    maps = np.full((8, 20, 20), 10, np.float32)
    maps[:, :, :10] = 40
    place = place_of(maps)
    assert place.mean() == pytest.approx(1, abs=1e-5)
    assert place[10, 1] / place[10, 18] == pytest.approx((40 + 20) / (10 + 20), rel=1e-5)
    scoring = Scoring(smoothing=0.5, place=place)
    distances = np.full((20, 20), 30)
    anomaly_map = scoring.judge(distances).map
    assert anomaly_map[10, 18] > anomaly_map[10, 1]
    np.testing.assert_allclose(anomaly_map * place, 30, rtol=1e-4)


def test_a_place_where_few_good_parts_come_far_counts_less_too() -> None:
    maps = np.full((10, 20, 20), 10, np.float32)
    maps[:5, :, :10] = 40  # every second one
    place = place_of(maps)
    assert place[10, 1] / place[10, 18] == pytest.approx((25 + 15 + 20) / (10 + 20), rel=1e-5)


def test_places_of_parts_that_turn_are_as_far_from_the_middle() -> None:
    # Good parts differ by 50 bits at the top and by 10 elsewhere: turned, the top may lie anywhere.
    maps = np.full((8, 20, 20), 10, np.float32)
    maps[:, 0] = 50
    place = place_of(maps, all_around=True)
    np.testing.assert_allclose(place, np.rot90(place), rtol=1e-6)
    # The rim has one top in four sides, and as many bits as are usual anywhere are added.
    assert place[0, 9] > place[9, 9]
    assert place[9, 9] == pytest.approx((10 + maps.mean()) / (2 * maps.mean()), rel=1e-5)


@pytest.mark.parametrize(("factor", "left"), [(1.0, 1.0), (1.3, 1.0), (0.8, 1.0), (3.0, 2.0)])
def test_drift_is_taken_out_but_not_a_part_that_is_wrong_all_over(
    factor: float, left: float
) -> None:
    rng = np.random.default_rng(0)
    distances = rng.uniform(20, 40, (30, 30))
    scoring = Scoring(1.0, np.ones((30, 30), np.float32))
    usual = scoring.judge(distances).map
    relative = Scoring(1.0, scoring.place, usual_median=float(np.median(usual)))
    judged = relative.judge(distances * factor)
    np.testing.assert_allclose(judged.map, usual * left, rtol=1e-4)
    assert judged.score == judged.map.max()
    assert judged.median == pytest.approx(factor * np.median(usual), rel=1e-5)


def test_one_strange_place_does_not_make_a_picture_strange() -> None:
    rng = np.random.default_rng(1)
    usual = rng.uniform(30, 50, (60, 60))
    odd = usual.copy()
    odd[20:22, 30:32] = 300
    assert smooth(odd, 1.0).max() > 3 * smooth(usual, 1.0).max()
    assert strangeness(odd, 1.0) < 1.1 * strangeness(usual, 1.0)
    assert strangeness(2 * usual, 1.0) == pytest.approx(2 * strangeness(usual, 1.0))
