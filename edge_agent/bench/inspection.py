"""A whole inspection, image in, verdict out, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calibration.detector import Detector
from edge_agent.bench import peers
from edge_agent.bench.timing import interleave


def measure(
    model: Path, images: list[np.ndarray], backend: str, rounds: int, mobilenet: Path | None
) -> list[dict[str, Any]]:
    """One row for the inspection, with its stages, and one for MobileNet v2 if its file is given.

    Args:
        model: a calibrated model file.
        images: uint8 (h, w, 3), as large as the model takes them; inspected in turn.
        backend: that runs the network.
        rounds: samples.
        mobilenet: a TFLite file, e.g. MobileNet v2 in int8 at 224 x 224: run on one thread.
    """
    detector = Detector.load(model, backend)
    stages: dict[str, list[float]] = {}
    turn = 0

    def inspect() -> None:
        nonlocal turn
        inspection = detector.inspect(images[turn % len(images)])
        turn += 1
        for stage in ("prepare_ms", "network_ms", "search_ms", "decide_ms"):
            stages.setdefault(stage, []).append(getattr(inspection.latency, stage))

    candidates: dict[str, Any] = {"inspect": inspect}
    if mobilenet is not None:
        candidates[mobilenet.name] = peers.mobilenet(str(mobilenet))
    rows = []
    for name, timing in interleave(candidates, rounds).items():
        row: dict[str, Any] = {"op": "inspect"}
        if name == "inspect":
            row |= {"backend": detector.backend.backend.name, "model": model.name}
            preparation = detector.model.preparation
            row |= {"height": preparation.input_height, "width": preparation.input_width}
        else:
            row["engine"] = f"litert {name}"
        row |= {
            "us_min": round(timing.us_min, 1),
            "us_median": round(timing.us_median, 1),
            "us_p99": round(timing.us_p99, 1),
        }
        if name == "inspect":
            row["stages_us_min"] = {
                stage.removesuffix("_ms"): round(1e3 * min(values), 1)
                for stage, values in stages.items()
            }
        rows.append(row)
    return rows
