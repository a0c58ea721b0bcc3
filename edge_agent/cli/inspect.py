"""Judge images.

Exit status 1 if any of them is NG.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from edge_agent.cli.console import add_backend, add_json, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent inspect``."""
    parser.add_argument("model", type=Path, metavar="FILE.model")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--heatmap", type=Path, metavar="DIR", help="save heat maps there")
    add_backend(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    import cv2

    from calibration.detector import Detector, Verdict
    from calibration.images import read_image
    from calibration.pictures import heat_map

    detector = Detector.load(arguments.model, arguments.backend)
    images = [(path, read_image(path)) for path in arguments.images]
    if arguments.heatmap:
        arguments.heatmap.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    for path, image in images:
        inspection = detector.inspect(image)
        result = {
            "image": str(path),
            "verdict": inspection.verdict.value,
            "score": inspection.score,
            "threshold": inspection.threshold,
            "regions": [dataclasses.asdict(region) for region in inspection.regions],
            "latency_ms": round(inspection.latency.total_ms, 3),
        }
        if arguments.heatmap:
            target = arguments.heatmap / f"{path.stem}.heatmap.png"
            cv2.imwrite(str(target), heat_map(detector, image, inspection))
            result["heatmap"] = str(target)
        results.append(result)
        if not arguments.json:
            print(
                f"{result['verdict']}  {inspection.score:7.1f} / {inspection.threshold:.1f}"
                f"  {path}" + "".join(f"  at {r.x},{r.y}" for r in inspection.regions[:1])
            )
    if arguments.json:
        print_json({"backend": detector.backend.backend.name, "inspections": results})
    return int(any(result["verdict"] == Verdict.NG.value for result in results))
