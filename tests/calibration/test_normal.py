"""What is chosen without being told, on patches whose nature is known."""

from __future__ import annotations

import numpy as np

from calibration.comparison import BitComparison
from calibration.memory_bank import choose_bank
from calibration.normal import FOLDS, Normal, NormalSettings, describe
from calibration.progress import silent
from calibration.scoring import smooth
from calibration.views import Views
from kernels.backends import choose
from kernels.bits import pack
from kernels.neighbourhoods import Cells

BACKEND = choose("numba").backend
ROWS, COLUMNS, BITS = 12, 16, 128


def _noisy(pattern: np.ndarray, share: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return pack(pattern ^ (rng.random(pattern.shape) < share))


def _describe(grids: list[np.ndarray], **forced: object) -> Normal:
    settings = NormalSettings(**forced)  # type: ignore[arg-type]
    return describe([Views(grid) for grid in grids], BitComparison(BACKEND), settings, 0, silent)


def test_parts_in_one_pose_get_a_window_and_parts_anywhere_do_not() -> None:
    rng = np.random.default_rng(1)
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    fixed = [_noisy(pattern, 0.1, rng) for _ in range(60)]
    assert _describe(fixed).bank.window == 2
    anywhere = []
    for _ in range(60):
        shift = rng.integers(0, ROWS), rng.integers(0, COLUMNS)
        anywhere.append(_noisy(np.roll(pattern, shift, (0, 1)), 0.1, rng))
    normal = _describe(anywhere, bank_entries=3000)
    assert normal.bank.window == 0
    assert "no places" in normal.reasons["pose"]
    assert _describe(anywhere, window=3).bank.window == 3
    assert _describe(anywhere, window=3).reasons["pose"] == "as asked for"


def test_pictures_that_drift_as_a_whole_are_compared_by_their_median() -> None:
    rng = np.random.default_rng(2)
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    steady = [_noisy(pattern, 0.15, rng) for _ in range(70)]
    drifting = steady[:40] + [_noisy(pattern, rng.uniform(0.1, 0.25), rng) for _ in range(30)]
    assert _describe(steady).scoring.usual_median == 0
    normal = _describe(drifting)
    assert normal.scoring.usual_median > 0
    assert "pictures drift" in normal.reasons["drift"]
    plain = _describe(drifting, drift=False)
    assert plain.scoring.usual_median == 0
    assert normal.scores.std() / normal.scores.mean() < plain.scores.std() / plain.scores.mean()


def test_every_part_is_scored_by_a_bank_made_without_it() -> None:
    rng = np.random.default_rng(3)
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    grids = [_noisy(pattern, 0.1, rng) for _ in range(3 * FOLDS)]
    # The patches of one part are its own: a bank that had seen it would know them exactly.
    grids[4] = pack(rng.random((ROWS, COLUMNS, BITS)) < 0.5)
    normal = _describe(grids, window=2)
    assert normal.maps.shape == (3 * FOLDS, ROWS, COLUMNS)
    assert normal.scores.argmax() == 4
    assert normal.medians[4] > BITS / 4
    measure = BitComparison(BACKEND).measure(normal.bank, ROWS, COLUMNS)
    assert measure(grids[4]).max() == 0
    np.testing.assert_array_equal(normal.scores, normal.maps.max(axis=(1, 2)))


def test_places_are_told_from_parts_that_the_bank_does_not_know() -> None:
    rng = np.random.default_rng(6)
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    share = np.full((ROWS, COLUMNS, 1), 0.02)
    share[3:7, 4:9] = 0.2
    grids = [_noisy(pattern, share, rng) for _ in range(3 * FOLDS)]
    # The bank holds every patch, and would find no place of these parts unusual.
    normal = _describe(grids, window=2, drift=False, bank_entries=10_000)
    distances = BitComparison(BACKEND).measure(normal.bank, ROWS, COLUMNS)(grids[0])
    assert distances.max() == 0
    place = normal.scoring.place
    assert place[4:6, 5:8].min() > 1.5 * place[9:, 11:].max()


def test_a_part_alone_in_its_fold_gives_the_same_map_by_hand() -> None:
    rng = np.random.default_rng(4)
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    grids = [_noisy(pattern, 0.1, rng) for _ in range(FOLDS)]
    normal = _describe(grids, window=2, drift=False, bank_entries=10_000)
    others = choose_bank(grids[1:], 10_000, np.random.default_rng(0), Cells(2))
    distances = BitComparison(BACKEND).measure(others, ROWS, COLUMNS)(grids[0])
    expected = smooth(distances, 1.0) / normal.scoring.place
    np.testing.assert_array_equal(normal.maps[0], expected)
