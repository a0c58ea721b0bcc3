"""Measure a model on labelled images.

DATASET_DIR has the layout of MVTec AD: test/good, test/DEFECT, and ground_truth/DEFECT with masks
if there are any.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.console import add_backend, add_json, figure, print_json, progress_bar, share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent evaluate``."""
    parser.add_argument("model", type=Path, metavar="FILE.model")
    parser.add_argument("dataset", type=Path, metavar="DATASET_DIR")
    add_backend(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from calibration.dataset import open_dataset
    from calibration.detector import Detector
    from calibration.evaluate import evaluate

    dataset = open_dataset(arguments.dataset)
    detector = Detector.load(arguments.model, arguments.backend)
    result = evaluate(detector, dataset, progress_bar)
    if arguments.json:
        print_json(result)
        return 0
    print(f"{result.good} good and {result.defective} defective images, backend {result.backend}")
    print(f"image AUROC        {figure(result.image_auroc)}")
    print(f"pixel AUROC        {figure(result.pixel_auroc)}")
    print(f"PRO                {figure(result.pro)}")
    print(f"at the threshold of {result.threshold:.1f} bits:")
    print(f"  false rejects    {share(result.false_reject_rate)} of good parts")
    print(f"  escapes          {share(result.escape_rate)} of defective parts")
    for kind, figures in result.per_defect.items():
        print(
            f"    {kind:<20} {figures.count:4d} images, AUROC {figure(figures.image_auroc)},"
            f" escapes {share(figures.escape_rate)}"
        )
    print(
        f"latency            p50 {result.latency_ms['p50']} ms, p99 {result.latency_ms['p99']} ms"
    )
    if result.drift.sentence:
        print(f"please check: {result.drift.sentence}")
    for reason in result.skipped:
        print(f"passed over: {reason}")
    return 0
