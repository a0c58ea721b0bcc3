from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.threshold import conformal_threshold


def test_the_rank_rule_by_hand() -> None:
    scores = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0])
    # n = 9: (9 + 1)(1 - 0.2) = 8, the eighth smallest.
    threshold = conformal_threshold(scores, 0.2)
    assert threshold.value == 8.0
    assert threshold.supported_rate == 0.2
    assert not threshold.is_ng(8.0)
    assert threshold.is_ng(8.0001)


@pytest.mark.parametrize(("count", "rate"), [(9, 0.1), (99, 0.01), (199, 0.005), (999, 0.001)])
def test_the_smallest_count_that_supports_a_rate(count: int, rate: float) -> None:
    scores = np.arange(count, dtype=float)
    assert conformal_threshold(scores, rate).supported_rate == rate
    fewer = conformal_threshold(scores[:-1], rate)
    assert fewer.supported_rate == pytest.approx(1 / count)
    assert f"needs {count} of them" in fewer.sentence


def test_what_150_parts_support() -> None:
    threshold = conformal_threshold(np.arange(150.0), 0.001)
    assert "150 held-out parts support a rate no lower than 0.66%" in threshold.sentence
    assert threshold.value == 149.0


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.25])
def test_good_parts_are_rejected_as_often_as_promised(rate: float) -> None:
    # Averaged over many calibrations the rate is (n + 1 - k) / (n + 1), for any distribution.
    rng = np.random.default_rng(0)
    count, runs, fresh = 39, 1500, 50
    rejected = 0
    for _ in range(runs):
        draws = rng.lognormal(size=count + fresh)
        threshold = conformal_threshold(draws[:count], rate)
        rejected += sum(threshold.is_ng(score) for score in draws[count:])
    expected = (count + 1 - math.ceil((count + 1) * (1 - rate) - 1e-9)) / (count + 1)
    measured = rejected / (runs * fresh)
    assert expected <= rate
    assert measured == pytest.approx(expected, abs=4 * math.sqrt(expected / runs / 20))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal_threshold(np.arange(5.0), rate)


def test_no_scores() -> None:
    with pytest.raises(ValueError, match="at least one"):
        conformal_threshold(np.array([]), 0.1)
