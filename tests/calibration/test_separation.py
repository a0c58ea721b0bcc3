"""How much better one way tells defects than another, against counting and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.metrics import auroc
from calibration.separation import Separation

PARTS = np.arange(0, 120, 2)


def _scores(
    noise: float, shift: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of 120 good parts and four defects on every other one, seen in two ways."""
    part = rng.normal(0, 1, 120)
    good = part + rng.normal(0, noise, 120)
    defect = rng.gamma(2, 0.7, (len(PARTS), 4))
    drawn = part[PARTS, None] + defect + rng.normal(0, noise, defect.shape)
    return part, good, part[PARTS, None] + defect + shift, drawn


def test_auroc_counts_pairs() -> None:
    rng = np.random.default_rng(1)
    good, drawn = rng.integers(0, 9, 50), rng.integers(3, 12, (20, 4))
    pairs = np.sign(drawn[..., None].astype(int) - good) / 2 + 0.5
    separation = Separation(good, drawn, np.arange(20))
    assert separation.auroc == pytest.approx(pairs.mean())
    assert separation.auroc == pytest.approx(auroc(good, drawn.ravel()))


def test_the_deviation_is_that_of_resampled_parts() -> None:
    rng = np.random.default_rng(2)
    part, good, clean, drawn = _scores(0.8, 0.0, rng)
    gain, deviation = Separation(part, clean, PARTS).gain_over(Separation(good, drawn, PARTS))
    assert gain == pytest.approx(auroc(part, clean.ravel()) - auroc(good, drawn.ravel()))
    row_of = np.full(120, -1)
    row_of[PARTS] = np.arange(len(PARTS))
    gains = []
    for _ in range(1500):
        chosen = rng.integers(0, 120, 120)
        rows = row_of[chosen][row_of[chosen] >= 0]
        one = auroc(part[chosen], clean[rows].ravel())
        other = auroc(good[chosen], drawn[rows].ravel())
        gains.append(one - other)
    assert deviation == pytest.approx(np.std(gains), rel=0.15)


def test_what_is_clear_is_large_and_no_chance() -> None:
    rng = np.random.default_rng(3)
    part, good, clean, drawn = _scores(1.5, 0.0, rng)
    quiet, noisy = Separation(part, clean, PARTS), Separation(good, drawn, PARTS)
    assert quiet.clearly_better_than(noisy)
    assert not noisy.clearly_better_than(quiet)
    assert not quiet.clearly_better_than(quiet)
    few = slice(0, 6)
    few_quiet = Separation(part[:12], clean[few], PARTS[few])
    few_noisy = Separation(good[:12], drawn[few], PARTS[few])
    assert few_quiet.auroc > few_noisy.auroc
    assert not few_quiet.clearly_better_than(few_noisy)
    # All the same order but for one pair in a thousand: no chance, and no matter.
    slightly = Separation(part, _scores(0.0, 0.004, np.random.default_rng(3))[2], PARTS)
    gain, _ = slightly.gain_over(quiet)
    assert 0 < gain < 0.01
    assert not slightly.clearly_better_than(quiet)
