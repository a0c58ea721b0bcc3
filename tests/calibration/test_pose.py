"""How parts come: told from pictures whose pose is known."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest

from calibration.backbones import load_backbone
from calibration.calibrate import Settings, calibrate
from calibration.model_file import load, save
from calibration.pose import (
    ANY_ORIENTATION,
    ONE_POSE,
    ONE_WAY_ROUND,
    TURNING_IN_PLACE,
    Pose,
    choose_pose,
)
from calibration.setups import Wishes
from kernels.backends import choose

BACKEND = choose("numba").backend
NETWORK = load_backbone("base").with_patches_every(8)
SIDE_PX = 128


def _part() -> np.ndarray:
    """A bracket with two holes, unlike itself under any turn."""
    image = np.full((SIDE_PX, SIDE_PX, 3), 60, np.uint8)
    cv2.rectangle(image, (40, 22), (62, 106), (180, 170, 160), -1)
    cv2.rectangle(image, (40, 84), (100, 106), (180, 170, 160), -1)
    cv2.circle(image, (51, 36), 6, (20, 20, 30), -1)
    cv2.circle(image, (88, 95), 4, (20, 20, 30), -1)
    cv2.line(image, (46, 50), (56, 80), (120, 60, 60), 2)
    return image


def _folder(path: Path, count: int, *, turning: bool) -> Path:
    rng = np.random.default_rng(7)
    for number in range(count):
        angle = rng.uniform(0, 360) if turning else rng.normal(0, 0.5)
        middle = (SIDE_PX - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), angle, 1)
        border = cv2.BORDER_REPLICATE
        image = cv2.warpAffine(_part(), matrix, (SIDE_PX, SIDE_PX), borderMode=border)
        noisy = image + rng.normal(0, 4, image.shape)
        cv2.imwrite(str(path / f"{number}.png"), np.clip(noisy, 0, 255).astype(np.uint8))
    return path


@pytest.mark.parametrize("expected", [TURNING_IN_PLACE, ONE_POSE])
def test_parts_that_turn_are_told_from_parts_in_one_pose(tmp_path: Path, expected: Pose) -> None:
    folder = _folder(tmp_path, 60, turning=expected.turned)
    settings = Settings(wishes=Wishes(input_pixels=SIDE_PX**2))
    taught = calibrate(folder, [NETWORK], BACKEND, settings)
    assert taught.pose == expected
    assert taught.model.origin["turned"] is expected.turned
    assert taught.model.bank.window == expected.window
    assert taught.model.bank.cells == expected.cells
    place = taught.model.scoring.place
    # On a part that turns, a place is as unusual as all others that are as far from the middle.
    assert np.allclose(place, np.rot90(place), rtol=1e-5) == expected.turned
    assert place.std() > 0.01
    path = tmp_path / "part.model"
    save(path, taught.model)
    assert load(path).bank.cells == expected.cells


def test_within_a_budget_turning_parts_are_tried_as_such(tmp_path: Path) -> None:
    folder = _folder(tmp_path, 60, turning=True)
    settings = Settings(wishes=Wishes(input_pixels=SIDE_PX**2, budget_ms=1e6))
    taught = calibrate(folder, [NETWORK], BACKEND, settings)
    assert {trial.pose for trial in taught.choice.trials} == {TURNING_IN_PLACE}
    assert taught.pose == TURNING_IN_PLACE
    assert "timed" in taught.model.origin["reasons"]["pose"]


def test_what_is_forced_is_not_tried() -> None:
    def never(*_: Pose) -> NoReturn:
        raise AssertionError("tried")

    assert choose_pose(never, never, window=0, turned=False) == (ONE_WAY_ROUND, "as asked for")
    assert choose_pose(never, never, window=0, turned=True) == (ANY_ORIENTATION, "as asked for")
    assert choose_pose(never, never, window=3, turned=True)[0] == Pose(window=3, turned=True)


@pytest.mark.parametrize(
    ("turned_bits", "squares_bits", "rings_bits", "forced", "expected"),
    [
        (108.0, 90.0, 104.5, {}, TURNING_IN_PLACE),
        (108.0, 90.0, 105.5, {}, ANY_ORIENTATION),  # everything turned scores 106
        (115.0, 111.0, 90.0, {}, ONE_POSE),
        (115.0, 120.0, 90.0, {}, ONE_WAY_ROUND),
        (101.0, 101.5, 90.0, {"turned": False}, ONE_POSE),
        (150.0, 90.0, 104.5, {"turned": True}, TURNING_IN_PLACE),
        (101.0, 90.0, 90.0, {"window": 0}, ANY_ORIENTATION),
        (115.0, 90.0, 90.0, {"window": 0}, ONE_WAY_ROUND),
        (101.0, 150.0, 150.0, {"window": 2}, TURNING_IN_PLACE),
        (115.0, 150.0, 150.0, {"window": 2}, ONE_POSE),
    ],
)
def test_the_pose_follows_from_scores_of_unseen_parts(
    turned_bits: float,
    squares_bits: float,
    rings_bits: float,
    forced: dict[str, int],
    expected: Pose,
) -> None:
    scores = {
        ONE_WAY_ROUND: 100.0,
        ANY_ORIENTATION: 106.0,
        ONE_POSE: squares_bits,
        TURNING_IN_PLACE: rings_bits,
    }
    pose, reason = choose_pose(scores.__getitem__, lambda: (100.0, turned_bits), **forced)
    assert pose == expected
    assert (f"{turned_bits:.1f} turned" in reason) == ("turned" not in forced)
    compared = f"{scores[Pose(0, pose.turned)]:.1f} compared with all there is"
    assert (compared in reason) == ("window" not in forced)
