"""Folders of good images that are not what they should be: said, refused or coped with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration import Detector
from calibration.backbones import load_backbone
from calibration.calibrate import Calibration, Settings, calibrate
from calibration.dataset import open_dataset
from calibration.errors import DatasetError, TooFewImages
from calibration.evaluate import evaluate
from calibration.normal import NormalSettings
from calibration.report import write_report
from calibration.setups import Wishes
from kernels.backends import choose
from tests.good_parts import draw_part, write_dataset, write_good

SETTINGS = Settings(
    false_reject_rate=0.05,
    wishes=Wishes(input_pixels=96 * 128),
    normal=NormalSettings(window=2, drift=False),
)
BACKEND = choose("numba").backend


def _teach(folder: Path, settings: Settings = SETTINGS) -> Calibration:
    return calibrate(folder, [load_backbone()], BACKEND, settings)


def _spoil(folder: Path, count: int) -> set[str]:
    """Parts painted over: defective beyond doubt."""
    names = set()
    for number in range(count):
        image = draw_part(3000 + number)
        rng = np.random.default_rng(number)
        x, y = int(rng.integers(20, 70)), int(rng.integers(15, 50))
        image[y : y + 30, x : x + 36] = rng.integers(0, 256, (30, 36, 3))
        names.add(f"bad{number}.png")
        cv2.imwrite(str(folder / f"bad{number}.png"), image)
    return names


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoilt")
    write_good(folder, 60)
    _spoil(folder, 3)
    return folder


def test_defective_ones_are_named_and_left_out(spoilt: Path) -> None:
    result = _teach(spoilt)
    left_out = {one.file.name for one in result.suspicious if one.left_out}
    assert left_out == {"bad0.png", "bad1.png", "bad2.png"}
    assert set(result.model.origin["left_out"]) == left_out
    assert result.model.origin["good_images"] == len(result.held_out) == 60
    assert not left_out & {path.name for path in result.held_out}
    lowest = min(one.score for one in result.suspicious if one.left_out)
    assert result.threshold.value < lowest
    # Left out of the bank too: the detector still finds them as unusual as before.
    detector = Detector(result.model)
    for name in left_out:
        assert detector.inspect(cv2.imread(str(spoilt / name))).verdict.value == "NG"


def test_everything_can_be_kept(spoilt: Path) -> None:
    result = _teach(spoilt, replace(SETTINGS, keep_all=True))
    assert len(result.held_out) == 63
    assert {one.file.name for one in result.suspicious} >= {"bad0.png", "bad1.png", "bad2.png"}
    assert not any(one.left_out for one in result.suspicious)
    assert result.threshold.value > _teach(spoilt).threshold.value


def test_the_report_shows_them(spoilt: Path, tmp_path: Path) -> None:
    result = _teach(spoilt)
    write_report(tmp_path / "r.html", result, Detector(result.model))
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "Are these good parts?" in text
    for one in result.suspicious:
        assert one.file.name in text
    assert text.count("<img ") == 6 + len(result.suspicious)


def test_identical_images_are_refused(tmp_path: Path) -> None:
    for number in range(25):
        cv2.imwrite(str(tmp_path / f"{number}.png"), draw_part(0))
    with pytest.raises(DatasetError, match=r"all 25 good images are identical.*different good"):
        _teach(tmp_path)


def test_copies_count_once(tmp_path: Path) -> None:
    write_good(tmp_path, 15)
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"z{number}.png"), draw_part(number))
    with pytest.raises(TooFewImages, match=r"15 good images are too few \(10 more are copies"):
        _teach(tmp_path)
    write_good(tmp_path, 25)
    result = _teach(tmp_path)
    assert len(result.held_out) == 25
    assert "10 images are copies of others and count once: z0.png" in result.warnings[0]


def test_two_kinds_of_parts_are_said(tmp_path: Path) -> None:
    write_good(tmp_path, 30)
    for number in range(20):
        other = np.random.default_rng(number).integers(0, 256, (96, 128, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"other{number:02d}.png"), other)
    (warning,) = _teach(tmp_path).warnings
    assert "two clearly separate groups, 20 like other00.png and 30 like good000.png" in warning
    assert _teach_clean(tmp_path).warnings == ()


def _teach_clean(folder: Path) -> Calibration:
    for path in folder.glob("other*.png"):
        path.unlink()
    return _teach(folder)


def test_grey_pictures_after_coloured_ones_are_said(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "set", good=8, bad=2)
    for path in (dataset / "train" / "good").iterdir():
        cv2.imwrite(str(path), _tinted(cv2.imread(str(path))))
    detector = Detector(_teach(dataset / "train" / "good").model)
    assert not detector.inspect(_tinted(draw_part(5))).is_colourless
    grey = cv2.cvtColor(_tinted(draw_part(5)), cv2.COLOR_BGR2GRAY)
    assert detector.inspect(grey).is_colourless
    assert detector.inspect(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)).is_colourless
    drift = evaluate(detector, open_dataset(dataset)).drift
    assert drift.colourless_share == 1
    assert "grey" in drift.sentence


def _tinted(image: np.ndarray) -> np.ndarray:
    return np.clip(image * np.array([0.4, 0.8, 1.2]), 0, 255).astype(np.uint8)


def test_changed_light_is_said(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "set", good=12, bad=2)
    detector = Detector(_teach(dataset / "train" / "good").model)
    steady = evaluate(detector, open_dataset(dataset)).drift
    assert steady.sentence == ""
    assert steady.share < 0.25
    for path in (dataset / "test" / "good").iterdir():
        blurred = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 4)
        cv2.imwrite(str(path), (blurred * 0.6).astype(np.uint8))
    drift = evaluate(detector, open_dataset(dataset)).drift
    assert drift.share == 1
    assert "100% of 12 pictures lie as a whole beyond every good one" in drift.sentence
