"""The shipped commands on real parts; long, and only where the inspection images are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.dataset import open_dataset
from calibration.images import read_image
from kernels.light import brightened
from tests.benchmarks.robustness import turned
from tests.real_parts import require_data

pytestmark = pytest.mark.acceptance


def _json(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "edge_agent", *map(str, arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def _calibrated(name: str, folder: Path) -> tuple[Path, Path]:
    dataset = require_data(name)
    model = folder / f"{name}.model"
    _json("calibrate", dataset / "train" / "good", "-o", model)
    return model, dataset


_AT_LEAST = {
    "mvtec_bottle": (0.998, 0.98),
    "ksdd": (0.90, 0.90),
    "elpv_mono": (0.80, None),
    "casting": (0.97, None),
}


@pytest.mark.parametrize("name", _AT_LEAST)
def test_a_set_through_the_shipped_commands(name: str, tmp_path: Path) -> None:
    image_auroc, pixel_auroc = _AT_LEAST[name]
    model, dataset = _calibrated(name, tmp_path)
    figures = _json("evaluate", model, dataset)
    print(name, {key: figures[key] for key in ("image_auroc", "pixel_auroc", "pro")})
    assert figures["image_auroc"] >= image_auroc
    assert pixel_auroc is None or figures["pixel_auroc"] >= pixel_auroc
    assert figures["false_reject_rate"] is not None


def test_bottle_has_identical_scores_on_every_backend(tmp_path: Path) -> None:
    model, dataset = _calibrated("mvtec_bottle", tmp_path)
    scores = [
        _json("evaluate", model, dataset, "--backend", backend)["scores"]
        for backend in ("numba", "tflite", "onnx")
    ]
    assert scores[0] == scores[1] == scores[2]


def test_parts_in_darker_light_are_not_rejected_and_light_is_said(tmp_path: Path) -> None:
    model, dataset = _calibrated("mvtec_bottle", tmp_path)
    darker = tmp_path / "darker" / "test"
    for sample in open_dataset(dataset).samples:
        file = darker / sample.kind / sample.path.name
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file.with_suffix(".png")), brightened(read_image(sample.path), 0.8))
    figures = _json("evaluate", model, darker.parent)
    assert figures["image_auroc"] >= 0.99
    assert figures["false_reject_rate"] <= 0.1
    assert "darker or brighter" in figures["drift"]["sentence"]


def test_parts_in_any_orientation_are_told_from_few_good_ones(tmp_path: Path) -> None:
    dataset, rng = require_data("casting"), np.random.default_rng(0)
    files = {"train/good": sorted((dataset / "train" / "good").iterdir())[::6]}
    for kind in ("good", "def_front"):
        files[f"test/{kind}"] = sorted((dataset / "test" / kind).iterdir())[::2]
    for folder, paths in files.items():
        (tmp_path / folder).mkdir(parents=True)
        for path in paths:
            image = turned(read_image(path), rng.uniform(0, 360))
            cv2.imwrite(str(tmp_path / folder / f"{path.stem}.png"), image)
    model = tmp_path / "turning.model"
    taught = _json("calibrate", tmp_path / "train" / "good", "-o", model)
    assert taught["rotation"]
    assert _json("evaluate", model, tmp_path)["image_auroc"] >= 0.88
