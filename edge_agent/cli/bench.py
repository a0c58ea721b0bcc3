"""Measure this machine: kernels, search, shrinking, network, or whole inspections."""

from __future__ import annotations

import argparse
import shlex
import tempfile
from pathlib import Path
from typing import Any

from edge_agent.cli.console import add_backend, add_json, positive_count, print_json, progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent bench``."""
    parser.add_argument("what", choices=("kernels", "search", "shrink", "network", "inspect"))
    parser.add_argument(
        "model",
        nargs="?",
        type=Path,
        help="inspect: a calibrated model; default: one taught on the simulated line",
    )
    parser.add_argument("--images", type=Path, help="inspect: a folder of images for the model")
    parser.add_argument("--backbone", default=None, help="network: which backbone")
    parser.add_argument("--side", type=positive_count, default=256, help="network: pixels")
    parser.add_argument(
        "--mobilenet", type=Path, help="inspect: a TFLite file to time by turns on the same core"
    )
    parser.add_argument(
        "--rounds", type=positive_count, default=100, help="samples of each (default: 100)"
    )
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out the other engines installed here"
    )
    parser.add_argument(
        "--engine",
        metavar="COMMAND",
        help="kernels: also time an engine in another Python, see edge_agent.bench.remote",
    )
    add_backend(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from edge_agent.bench.timing import clock_ghz, one_core

    with one_core() as core:
        rows = _measure(arguments)
        ghz = round(clock_ghz(), 2)
    if arguments.json:
        print_json({"core": core, "clock_ghz": ghz, "rows": rows})
        return 0
    print(f"one core ({core}), {ghz} GHz; microseconds")
    for row in rows:
        who = row.get("kernel") or row.get("engine") or row.get("backend")
        hidden = ("kernel", "engine", "backend", "op", "us_min", "us_median", "us_p99")
        rest = " ".join(f"{key}={_text(value)}" for key, value in row.items() if key not in hidden)
        print(
            f"{who:<32} min {row['us_min']:>10.1f}  median {row['us_median']:>10.1f}"
            f"  p99 {row['us_p99']:>10.1f}  {rest}"
        )
    return 0


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}:{part}" for key, part in value.items())
    return str(value)


def _measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rounds, with_peers = arguments.rounds, not arguments.no_peers
    if arguments.what == "kernels":
        from edge_agent.bench import kernels

        if arguments.engine is None:
            return kernels.measure(rounds, with_peers)
        from edge_agent.bench.remote import RemoteEngine

        with RemoteEngine(shlex.split(arguments.engine)) as engine:
            return kernels.measure(rounds, with_peers, engine)
    if arguments.what == "search":
        from edge_agent.bench import search

        return search.measure(rounds, with_peers)
    if arguments.what == "shrink":
        from edge_agent.bench import shrink

        return shrink.measure(rounds)
    if arguments.what == "network":
        from calibration.backbones import DEFAULT, load_backbone
        from calibration.setups import PATCH_PX
        from edge_agent.bench import network

        backbone = load_backbone(arguments.backbone or DEFAULT)
        seen = backbone.with_patches_every(PATCH_PX)
        return network.measure(seen, arguments.side, rounds)
    return _inspections(arguments, rounds)


def _inspections(arguments: argparse.Namespace, rounds: int) -> list[dict[str, Any]]:
    from calibration import model_file
    from calibration.images import list_images, read_image
    from edge_agent.bench import inspection

    with tempfile.TemporaryDirectory() as folder:
        model, images = arguments.model, arguments.images
        if model is None:
            model, images = _teach_on_the_simulated_line(Path(folder))
        preparation = model_file.load(model).preparation
        if images is None:
            import numpy as np

            shape = (preparation.image_height, preparation.image_width, 3)
            pictures = [np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)]
        else:
            pictures = [read_image(path) for path in list_images(images)[:20]]
        return inspection.measure(model, pictures, arguments.backend, rounds, arguments.mobilenet)


def _teach_on_the_simulated_line(folder: Path) -> tuple[Path, Path]:
    from edge_agent.clock import SystemClock
    from edge_agent.demo.run import collect_good_parts, teach

    images, model = folder / "good", folder / "simulated.model"
    collect_good_parts(images, SystemClock(), progress_bar)
    teach(images, model, progress_bar)
    return model, images
