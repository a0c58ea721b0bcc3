"""The shipped commands on real parts; long, and only where the inspection images are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def test_bottle_through_the_shipped_commands(tmp_path: Path) -> None:
    model, dataset = _calibrated("mvtec_bottle", tmp_path)
    figures = _json("evaluate", model, dataset)
    assert figures["image_auroc"] >= 0.985
    assert figures["pixel_auroc"] >= 0.97


def test_bottle_has_identical_scores_on_every_backend(tmp_path: Path) -> None:
    model, dataset = _calibrated("mvtec_bottle", tmp_path)
    scores = [
        _json("evaluate", model, dataset, "--backend", backend)["scores"]
        for backend in ("numba", "tflite", "onnx")
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("name", ["ksdd", "elpv_mono", "casting"])
def test_other_sets_run_without_special_care(name: str, tmp_path: Path) -> None:
    model, dataset = _calibrated(name, tmp_path)
    figures = _json("evaluate", model, dataset)
    print(name, {key: figures[key] for key in ("image_auroc", "pixel_auroc", "pro")})
    assert figures["image_auroc"] > 0.6
    assert figures["false_reject_rate"] is not None
