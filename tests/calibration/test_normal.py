"""What is chosen without being told, on patches whose nature is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.comparison import BitComparison
from calibration.folds import FOLDS
from calibration.memory_bank import choose_bank
from calibration.normal import Normal, NormalSettings, PatchWords, describe
from calibration.pose import ONE_POSE
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
    return _describe_views([Views(grid) for grid in grids], **forced)


def _describe_views(
    parts: list[Views], words: PatchWords | None = None, **forced: object
) -> Normal:
    settings = NormalSettings(**forced)  # type: ignore[arg-type]
    return describe(parts, BitComparison(BACKEND), settings, 0, silent, words or PatchWords())


def _with_defects(
    shares: np.ndarray, defect: np.ndarray, rng: np.random.Generator, count: int = 40
) -> list[Views]:
    """Noisy parts, each with four defects somewhere on it, one at a time.

    Args:
        shares: broadcast to (ROWS, COLUMNS, BITS), of bits that are noise.
        defect: (h, w, BITS), of bits that a defect turns over.
        rng: decides.
        count: of parts.
    """
    pattern = rng.random((ROWS, COLUMNS, BITS)) < 0.5
    shares = np.broadcast_to(shares, pattern.shape)

    def spoilt(clean: np.ndarray) -> np.ndarray:
        bits, (height, width) = clean.copy(), defect.shape[:2]
        row, column = rng.integers(ROWS - height + 1), rng.integers(COLUMNS - width + 1)
        bits[row : row + height, column : column + width] ^= rng.random(defect.shape) < defect
        return pack(bits)

    parts = [pattern ^ (rng.random(pattern.shape) < shares) for _ in range(count)]
    return [Views(pack(part), drawn=tuple(spoilt(part) for _ in range(4))) for part in parts]


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


@pytest.mark.parametrize("in_detail", [True, False])
def test_surroundings_are_left_out_where_they_are_noise_and_kept_where_defects_show(
    in_detail: bool,
) -> None:
    rng = np.random.default_rng(7)
    detail = np.arange(BITS) < BITS // 2
    noise = np.where(detail, 0.05, 0.4)
    shows = detail if in_detail else np.ones(BITS, bool)
    defect = np.broadcast_to(np.where(shows, 0.1 if in_detail else 0.5, 0.0), (2, 2, BITS))
    parts = _with_defects(noise if in_detail else np.full(BITS, 0.1), defect, rng)
    normal = _describe_views(parts, PatchWords(detail=1), window=2, bank_entries=2000)
    assert normal.detail_only is in_detail
    assert normal.bank.patches.shape[1] == (1 if in_detail else 2)
    assert ("clearly better" in normal.reasons["surroundings"]) is in_detail
    kept = _describe_views(parts, window=2, bank_entries=2000)
    assert kept.bank.patches.shape[1] == 2
    assert kept.reasons["surroundings"] == "as the setup has it"


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize("around_alone", [False, True])
def test_parts_that_turn_need_a_reason_for_surroundings_where_the_rest_is_fine(
    around_alone: bool, fine: bool
) -> None:
    rng = np.random.default_rng(11)
    detail = np.arange(BITS) < BITS // 2
    defect = np.broadcast_to(np.where(detail & around_alone, 0.0, 0.3), (2, 2, BITS))
    parts = _with_defects(np.full(BITS, 0.1), defect, rng)
    parts = [replace(part, turned=(part.plain[::-1, ::-1].copy(),)) for part in parts]
    words, forced = PatchWords(detail=1, fine=fine), {"window": 0, "bank_entries": 500}
    normal = _describe_views(parts, words, turned=True, **forced)
    assert normal.detail_only is (fine and not around_alone)
    assert not _describe_views(parts, words, turned=False, **forced).detail_only
    few = [replace(part, drawn=()) for part in parts]
    undecided = _describe_views(few, words, turned=True, **forced)
    assert undecided.detail_only is fine
    assert undecided.reasons["surroundings"] == "as usual of parts that come like this"


@pytest.mark.parametrize(("side", "depth"), [(1, 0.2), (7, 0.04)])
def test_maps_are_smoothed_as_far_as_defects_are_wide(side: int, depth: float) -> None:
    rng = np.random.default_rng(8)
    noise = np.array(0.1 if side == 1 else 0.25)
    parts = _with_defects(noise, np.full((side, side, BITS), depth), rng, 150)
    normal = _describe_views(parts, window=2, bank_entries=1000)
    assert (normal.scoring.smoothing < 1) is (side == 1)
    assert (normal.scoring.smoothing > 1) is (side == 7)
    assert f"smoothing {normal.scoring.smoothing:g}," in normal.reasons["map"]
    forced = _describe_views(parts, window=2, bank_entries=1000, smoothing=1.0)
    assert forced.scoring.smoothing == 1


def test_places_count_by_what_is_usual_there_unless_forced() -> None:
    rng = np.random.default_rng(9)
    noise = np.full((ROWS, COLUMNS, 1), 0.02)
    noise[:, : COLUMNS // 2] = 0.2
    parts = _with_defects(noise, np.full((2, 2, BITS), 0.1), rng, 60)
    forced: dict[str, object] = {"window": 2, "bank_entries": 4000, "smoothing": 1.0}
    place = _describe_views(parts, **forced).scoring.place
    assert place[:, :6].min() > 1.5 * place[:, 10:].max()
    alike = _describe_views(parts, **forced, places=False)
    assert alike.reasons["map"] == "as asked for"
    np.testing.assert_array_equal(alike.scoring.place, 1)


@pytest.mark.parametrize(("window", "turned"), [(2, False), (2, True), (0, False), (0, True)])
def test_bits_of_the_stem_are_compared_on_parts_in_one_pose(window: int, turned: bool) -> None:
    rng = np.random.default_rng(8)
    clean = rng.random((ROWS, ROWS, BITS)) < 0.5
    grids = [_noisy(clean, 0.1, rng) for _ in range(20)]
    parts = [Views(grid, tuple(np.rot90(grid, n) for n in (1, 2, 3))) for grid in grids]
    forced = {"window": window, "turned": turned, "bank_entries": 500}
    in_one_pose = window > 0 and not turned
    normal = _describe_views(parts, PatchWords(stem=1), **forced)
    assert normal.with_stem is in_one_pose
    assert normal.reasons["stem"] == (
        "parts come in one pose" if in_one_pose else "parts come in several poses"
    )
    alone = _describe_views(parts, PatchWords(stem=1, fine=False), **forced)
    assert alone.with_stem
    assert in_one_pose or "nothing else tells of as small places" in alone.reasons["stem"]
    for wanted in (True, False):
        asked = _describe_views(parts, PatchWords(stem=1), stem=wanted, **forced)
        assert asked.with_stem is wanted
        assert asked.reasons["stem"] == "as asked for"
        alike = parts if wanted else [Views(views.cut(slice(1, None)).plain) for views in parts]
        if not turned:
            known = _describe_views(alike, **forced)
            np.testing.assert_array_equal(asked.maps, known.maps)
            np.testing.assert_array_equal(asked.bank.patches, known.bank.patches)
            assert "stem" not in known.reasons


@pytest.mark.parametrize("noise", [0.1, 0.45])
def test_bits_of_the_stem_that_are_noise_are_left_out_and_nothing_else_is_decided_by_them(
    noise: float,
) -> None:
    rng = np.random.default_rng(9)
    stem = np.arange(BITS) < BITS // 2
    shows = np.ones(BITS, bool) if noise < 0.4 else ~stem
    defect = np.broadcast_to(np.where(shows, 0.15, 0.0), (2, 2, BITS))
    parts = _with_defects(np.where(stem, noise, 0.05), defect, rng)
    normal = _describe_views(parts, PatchWords(stem=1), bank_entries=2000, turned=False)
    without = _describe_views(
        [views.cut(slice(1, None)) for views in parts], bank_entries=2000, turned=False
    )
    assert normal.pose == without.pose == ONE_POSE
    assert normal.reasons["pose"] == without.reasons["pose"]
    assert normal.with_stem is (noise < 0.4)
    assert normal.bank.patches.shape[1] == (2 if noise < 0.4 else 1)
    assert ("clearly better" in normal.reasons["stem"]) is (noise > 0.4)
    if noise > 0.4:
        np.testing.assert_array_equal(normal.maps, without.maps)
