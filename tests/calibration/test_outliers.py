"""Scores that stand apart, on scores whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.outliers import LEAVE_OUT, expected_beyond, stand_apart


def _good(rng: np.random.Generator, count: int) -> np.ndarray:
    return 40 + rng.normal(0, 3, count) + rng.exponential(3, count)


@pytest.mark.parametrize("count", [20, 60, 400])
def test_good_parts_are_left_out_about_as_rarely_as_promised(count: int) -> None:
    rng = np.random.default_rng(count)
    folders = 1000
    left_out = sum(int(stand_apart(_good(rng, count))[1].sum()) for _ in range(folders))
    assert left_out <= 2 * LEAVE_OUT * folders


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_clearly_defective_ones_are_found(share: float) -> None:
    rng = np.random.default_rng(7)
    good = _good(rng, 200)
    bad = rng.uniform(90, 130, round(share * 200))
    odd, clear = stand_apart(np.concatenate([good, bad]))
    assert clear[200:].all()
    assert odd[200:].all()
    assert not clear[:200].any()


def test_a_third_of_all_is_a_kind_of_part_and_no_outlier() -> None:
    rng = np.random.default_rng(8)
    scores = np.concatenate([_good(rng, 200), rng.uniform(400, 500, 24)])
    _, clear = stand_apart(scores)
    assert not clear.any()


def test_expected_numbers_fall_as_scores_rise_and_do_not_depend_on_the_unit() -> None:
    scores = _good(np.random.default_rng(9), 100)
    expected = expected_beyond(scores)
    assert (np.diff(expected[np.argsort(scores)]) <= 0).all()
    assert expected.max() == pytest.approx(25)
    np.testing.assert_allclose(expected_beyond(scores * 7), expected)


def test_scores_all_alike() -> None:
    odd, clear = stand_apart(np.full(30, 12.0))
    assert not odd.any()
    assert not clear.any()
