"""Which setup is taken, on parts whose nature is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.backbones import load_backbone
from calibration.progress import silent
from calibration.setups import Choice, Setup, Trial, Wishes, _decide, choose_setup
from calibration.synthetic import with_defect
from kernels.backends import choose

BACKEND = choose("numba").backend
NETWORK = load_backbone()


def _pattern(rng: np.random.Generator, side: int) -> np.ndarray:
    coarse = rng.integers(30, 220, (side // 12, side // 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST)


def _write(folder: Path, pictures: list[np.ndarray], rng: np.random.Generator) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        noisy = picture + rng.normal(0, 4, picture.shape)
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(noisy, 0, 255).astype(np.uint8))
    return folder


def _choose(folder: Path, **wishes: float) -> Choice:
    wished = Wishes(**wishes)  # type: ignore[arg-type]
    return choose_setup(folder, [NETWORK], BACKEND, wished, None, 0, silent)


def test_parts_in_one_pose_get_a_window_and_parts_anywhere_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    part = _pattern(rng, 72)

    def picture(y: int, x: int) -> np.ndarray:
        belt = np.full((192, 192, 3), 120, np.uint8)
        belt[y : y + 72, x : x + 72] = part
        return belt

    fixed = _write(tmp_path / "fixed", [picture(64, 64)] * 72, rng)
    assert _choose(fixed, input_pixels=192 * 192).setup.window == 2
    places = 8 * rng.integers(0, 15, (72, 2))
    anywhere = _write(tmp_path / "anywhere", [picture(y, x) for y, x in places], rng)
    choice = _choose(anywhere, input_pixels=192 * 192)
    assert choice.setup.window == 0
    assert len(choice.trials) == 2


def test_nothing_is_tried_where_nothing_is_left_to_choose(tmp_path: Path) -> None:
    choice = _choose(tmp_path, input_pixels=128 * 128, window=3)
    assert (choice.setup.window, choice.setup.input_pixels) == (3, 128 * 128)
    assert not choice.trials
    assert choice.reason == "as asked for"


def test_too_few_images_try_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    folder = _write(tmp_path / "few", [_pattern(rng, 64)] * 6, rng)
    assert "too few" in _choose(folder, input_pixels=64 * 64).reason


def _trials(*figures: tuple[float, float]) -> list[Trial]:
    sides = range(96, 96 + 16 * len(figures), 16)
    setups = [Setup(NETWORK, side * side, 0) for side in sides]
    return [Trial(setup, found, ms) for setup, (found, ms) in zip(setups, figures, strict=True)]


@pytest.mark.parametrize(
    ("budget_ms", "taken", "why"),
    [
        (None, 2, "as good as the best"),
        (3.0, 1, "best within 3 ms"),
        (1.5, 0, "best within 1.5 ms"),
        (0.5, 0, "nothing takes 0.5 ms or less here"),
    ],
)
def test_of_the_best_within_the_budget_the_one_that_sees_most(
    budget_ms: float | None, taken: int, why: str
) -> None:
    # The third is hardly worse than the second, at a higher resolution; the first is worse.
    trials = _trials((0.70, 1.0), (0.90, 2.0), (0.89, 5.0))
    choice = _decide(trials, budget_ms)
    assert choice.setup is trials[taken].setup
    assert why in choice.reason
    assert [trial.found for trial in choice.trials] == [0.90, 0.89, 0.70]


@pytest.mark.parametrize("shape", [(60, 90, 3), (300, 200), (1200, 900, 3)])
def test_drawn_defects_are_local_and_leave_the_original(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(60, 200, shape).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    before = image.copy()
    changed = []
    for _ in range(40):
        spoilt = with_defect(image, rng)
        assert spoilt.shape == shape
        assert spoilt.dtype == np.uint8
        changed.append(float((spoilt != image).mean()))
    np.testing.assert_array_equal(image, before)
    assert np.mean(np.array(changed) > 0) > 0.9
    assert max(changed) < 0.2
