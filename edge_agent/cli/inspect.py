"""Judge images.

Exit status 1 if any of them is NG, 2 if any cannot be judged.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_agent.cli.console import add_backend, add_json, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent inspect``."""
    parser.add_argument("model", type=Path, metavar="FILE.model")
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGE", help="images, or folders of them"
    )
    parser.add_argument("--heatmap", type=Path, metavar="DIR", help="save heat maps there")
    add_backend(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    import cv2

    from calibration.detector import Detector, Verdict
    from calibration.errors import ImageMismatch, UnreadableImage
    from calibration.images import list_images, read_image
    from calibration.pictures import heat_map

    detector = Detector.load(arguments.model, arguments.backend)
    files = [
        file
        for path in arguments.images
        for file in (list_images(path) if path.is_dir() else [path])
    ]
    heat_maps = _heat_map_names(files)
    if arguments.heatmap:
        arguments.heatmap.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    for path in files:
        try:
            image = read_image(path)
            inspection = detector.inspect(image)
        except (UnreadableImage, ImageMismatch) as error:
            sentence = str(error)
            named = sentence if str(path) in sentence else f"{path}: {sentence}"
            print(f"edge-agent inspect: {named}", file=sys.stderr)
            continue
        result = {
            "image": str(path),
            "verdict": inspection.verdict.value,
            "score": inspection.score,
            "threshold": inspection.threshold,
            "regions": [dataclasses.asdict(region) for region in inspection.regions],
            "latency_ms": round(inspection.latency.total_ms, 3),
        }
        if arguments.heatmap:
            target = arguments.heatmap / heat_maps[path]
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
    if len(results) < len(files):
        return 2
    return int(any(result["verdict"] == Verdict.NG.value for result in results))


def _heat_map_names(files: Sequence[Path]) -> dict[Path, str]:
    """Of files, by which none overwrites another's: the way to it where that is needed."""
    ways = {file: file.absolute() for file in files}
    top = os.path.commonpath([way.parent for way in ways.values()])
    stems = Counter(file.stem for file in ways)
    names = {
        file: file.stem if stems[file.stem] == 1 else "-".join(way.relative_to(top).parts)
        for file, way in ways.items()
    }
    return {file: f"{name}.heatmap.png" for file, name in names.items()}
