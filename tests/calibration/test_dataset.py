from __future__ import annotations

from pathlib import Path

import pytest

from calibration.dataset import open_dataset
from calibration.errors import DatasetError
from tests.good_parts import write_dataset


def test_samples_and_masks(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path, good=3, bad=2))
    assert [s.kind for s in dataset.samples] == ["gash", "gash", "good", "good", "good"]
    assert dataset.kinds == ["gash"]
    assert dataset.has_masks
    mask = dataset.samples[0].read_mask(96, 128)
    assert 0 < mask.sum() < 1000
    assert not dataset.samples[-1].read_mask(96, 128).any()


def test_masks_may_have_the_name_of_the_image(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, bad=1) / "ground_truth" / "gash"
    (folder / "000_mask.png").rename(folder / "000.png")
    assert open_dataset(tmp_path).has_masks


def test_without_masks(tmp_path: Path) -> None:
    write_dataset(tmp_path, bad=1)
    (tmp_path / "ground_truth" / "gash" / "000_mask.png").unlink()
    assert not open_dataset(tmp_path).has_masks


def test_some_masks_missing_is_a_mistake(tmp_path: Path) -> None:
    write_dataset(tmp_path, bad=3)
    (tmp_path / "ground_truth" / "gash" / "001_mask.png").unlink()
    with pytest.raises(DatasetError, match=r"001.png has no mask"):
        open_dataset(tmp_path)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no test images: expected folders"):
        open_dataset(tmp_path)
