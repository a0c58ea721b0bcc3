"""Which setup is taken, on parts whose nature is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.backbones import ANY, load_backbones
from calibration.good_images import GoodFolder
from calibration.normal import NormalSettings
from calibration.pose import ONE_POSE
from calibration.progress import silent
from calibration.setups import Choice, Setup, Trial, Wishes, _decide, choose_setup
from calibration.synthetic import with_defect
from kernels.backends import choose
from kernels.network import Network

BACKEND = choose("numba").backend
NETWORKS = load_backbones(ANY)


def _folder(path: Path, count: int) -> Path:
    rng = np.random.default_rng(1)
    coarse = rng.integers(30, 220, (12, 12, 3)).astype(np.uint8)
    part = cv2.resize(coarse, (192, 192), interpolation=cv2.INTER_NEAREST)
    for number in range(count):
        noisy = part + rng.normal(0, 4, part.shape)
        cv2.imwrite(str(path / f"{number}.png"), np.clip(noisy, 0, 255).astype(np.uint8))
    return path


def _choose(folder: Path, **wishes: float | bool) -> Choice:
    wished = Wishes(**wishes)  # type: ignore[arg-type]
    return choose_setup(GoodFolder(folder), NETWORKS, BACKEND, wished, NormalSettings(), 0, silent)


def test_without_a_budget_it_is_the_first_backbone_and_nothing_is_tried(tmp_path: Path) -> None:
    choice = _choose(tmp_path)
    assert choice.setup.network.name == NETWORKS[0].name == "base"
    assert choice.setup.input_pixels == 336 * 336
    assert not choice.trials
    assert _choose(tmp_path, input_pixels=128 * 128).setup.input_pixels == 128 * 128


def test_the_small_backbone_usually_sees_less(tmp_path: Path) -> None:
    small = [network for network in NETWORKS if network.name == "small"]
    arguments = BACKEND, Wishes(), NormalSettings(), 0, silent
    setup = choose_setup(GoodFolder(tmp_path), small, *arguments).setup
    assert setup.words == "small at 256 px"


def test_a_budget_that_allows_everything_takes_the_best_of_all_that_were_tried(
    tmp_path: Path,
) -> None:
    folder = _folder(tmp_path, 18)
    choice = _choose(folder, budget_ms=1e6)
    # Five resolutions, each with and without the bits of surroundings.
    assert len(choice.trials) == len({trial.setup.words for trial in choice.trials})
    assert len(choice.trials) == 10 * len(NETWORKS)
    found = {trial.setup: trial.found for trial in choice.trials}
    assert found[choice.setup] >= max(found.values()) - 0.02
    assert max(found.values()) > 0.7
    smallest = min(choice.trials, key=lambda trial: trial.setup.macs)
    assert smallest.found < max(found.values())


def test_what_is_wished_of_surroundings_is_not_tried_otherwise(tmp_path: Path) -> None:
    assert _choose(tmp_path, surroundings=False).setup.network.strides == (4, 8)
    assert _choose(tmp_path, surroundings=True).setup.network.strides == (4, 8, 16)
    folder = _folder(tmp_path, 30)
    for wanted in (True, False):
        trials = _choose(folder, budget_ms=1e6, input_pixels=192 * 192, surroundings=wanted).trials
        assert [trial.setup.detail_only for trial in trials] == [not wanted] * len(NETWORKS)


def test_setups_are_tried_with_bits_of_the_stem_as_parts_come(tmp_path: Path) -> None:
    folder, base = GoodFolder(_folder(tmp_path, 30)), NETWORKS[0]
    wishes = Wishes(budget_ms=1e6, input_pixels=192 * 192, surroundings=True)

    def found(network: Network, **forced: bool | int) -> float:
        settings = NormalSettings(**forced)  # type: ignore[arg-type]
        (trial,) = choose_setup(folder, [network], BACKEND, wishes, settings, 0, silent).trials
        return trial.found

    learnt = base.without_stem_bits()
    assert base.stem_words
    assert found(base, stem=False) == found(learnt)
    assert found(base) == found(base, stem=True) != found(learnt)
    assert found(base, window=0) == found(learnt, window=0) != found(base, window=0, stem=True)


def test_too_few_images_try_nothing(tmp_path: Path) -> None:
    choice = _choose(_folder(tmp_path, 6), budget_ms=5.0)
    assert "too few" in choice.reason
    assert choice.setup.words == _choose(tmp_path).setup.words


def _trials(*figures: tuple[float, float]) -> list[Trial]:
    sides = range(96, 96 + 16 * len(figures), 16)
    setups = [Setup(NETWORKS[0], side * side) for side in sides]
    return [
        Trial(setup, ONE_POSE, found, ms)
        for setup, (found, ms) in zip(setups, figures, strict=True)
    ]


@pytest.mark.parametrize(
    ("budget_ms", "taken", "why"),
    [
        (9.0, 2, "as good as the best"),
        (3.0, 1, "best within 3 ms"),
        (1.5, 0, "best within 1.5 ms"),
        (0.5, 0, "nothing takes 0.5 ms or less here"),
    ],
)
def test_of_the_best_within_the_budget_the_one_that_sees_most(
    budget_ms: float, taken: int, why: str
) -> None:
    # The third is hardly worse than the second, at a higher resolution; the first is worse.
    trials = _trials((0.70, 1.0), (0.90, 2.0), (0.89, 5.0))
    choice = _decide(trials, budget_ms)
    assert choice.setup is trials[taken].setup
    assert choice.pose == ONE_POSE
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
