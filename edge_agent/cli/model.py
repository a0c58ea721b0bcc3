"""Show or verify a model file."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from edge_agent.cli.console import add_json, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent model``."""
    parser.add_argument("action", choices=("show", "verify"))
    parser.add_argument("model", type=Path, metavar="FILE.model")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from calibration import model_file

    model = model_file.load(arguments.model)
    if arguments.action == "verify":
        if arguments.json:
            print_json({"model": str(arguments.model), "sha256": model.sha256, "intact": True})
        else:
            print(f"{arguments.model} is intact; sha256 {model.sha256}")
        return 0
    facts = {
        "model": str(arguments.model),
        "sha256": model.sha256,
        "backbone": model.network.name,
        "input": f"{model.preparation.input_width} x {model.preparation.input_height}",
        "images": f"{model.preparation.image_width} x {model.preparation.image_height}",
        "roi": dataclasses.asdict(model.preparation.roi),
        "patch_bits": model.bits,
        "strides": list(model.network.strides),
        "stem": bool(model.network.stem_words),
        "bank_entries": len(model.bank),
        "window": model.bank.window,
        "smoothing": model.scoring.smoothing,
        "places": model.scoring.steps.places,
        "drift": bool(model.scoring.usual_median),
        "threshold": dataclasses.asdict(model.threshold),
        "origin": model.origin,
    }
    if arguments.json:
        print_json(facts)
    else:
        for key, value in facts.items():
            print(f"{key:<14} {value}")
        print(model.threshold.sentence)
    return 0
