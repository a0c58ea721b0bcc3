"""Train a backbone (extra train).

Recipe distill: a binary student learns from float teachers on natural images. The run lives in a
folder of its own; stopped at any moment, the same command goes on where it was. At the end the
backbone and the log of its losses are written. Recipe average: one backbone out of a run and others
that began as it. Recipe shorten: a backbone without some of its blocks. Recipe stem-bits: one that
tells what its stem sees, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.console import number, positive_count

if TYPE_CHECKING:
    import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent train``."""
    recipes = parser.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    _add_distill(recipes.add_parser("distill", help="learn from float teachers"))
    average = recipes.add_parser("average", help="average runs that began as the first of them")
    average.add_argument("runs", type=Path, nargs="+", metavar="DIR", help="folders of the runs")
    average.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.bnn")
    _add_shorten(recipes.add_parser("shorten", help="leave out blocks of a backbone"))
    _add_stem_bits(recipes.add_parser("stem-bits", help="let a backbone tell what its stem sees"))


def _add_photographs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--photographs",
        type=Path,
        required=True,
        metavar="DIR",
        help="natural images: caltech101.zip, grocery.zip, clothing.zip",
    )


def _add_shorten(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backbone", type=Path, metavar="WHOLE.bnn")
    parser.add_argument(
        "--without",
        type=int,
        nargs="+",
        required=True,
        metavar="N",
        help="numbers of the blocks to leave out, from 0",
    )
    _add_decoded_photographs(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.bnn")


def _add_stem_bits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backbone", type=Path, metavar="LEARNT.bnn")
    parser.add_argument(
        "--clear",
        type=number(float, lambda share: 0 < share < 1, "a share lies between 0 and 1"),
        default=0.2,
        metavar="SHARE",
        help="on how many patches each of the stem's bits is clear (default: 0.2)",
    )
    _add_decoded_photographs(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.bnn")


def _add_decoded_photographs(parser: argparse.ArgumentParser) -> None:
    _add_photographs(parser)
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of a run, which has them decoded, or for them (1.2 GB)",
    )


def _add_distill(parser: argparse.ArgumentParser) -> None:
    _add_photographs(parser)
    parser.add_argument(
        "--teachers", type=Path, required=True, metavar="DIR", help="the teachers' .tflite files"
    )
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the run, with its checkpoint; resumed if it holds one",
    )
    parser.add_argument(
        "--begin-as",
        type=Path,
        metavar="DIR|NAME.bnn",
        help="begin with the network of another run, as far as both have the same blocks, or with a"
        " backbone whose run is lost",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.bnn")
    parser.add_argument("--crops", type=int, default=300_000, help="training crops in all")
    parser.add_argument("--crop-px", type=int, default=160, help="side of a crop, pixels")
    parser.add_argument("--batch", type=int, default=32, help="crops per step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument(
        "--nearness-weight",
        type=float,
        default=0.0,
        metavar="X",
        help="of telling the next part from this one as much as the teachers do; 0 leaves it out",
    )
    parser.add_argument(
        "--noticing-weights",
        nargs=3,
        type=float,
        default=(2.0, 2.0, 0.5),
        metavar="X",
        help="of noticing drawn defects, at strides 4, 8 and 16; 0 leaves it out",
    )
    parser.add_argument("--stem-channels", type=int, default=16)
    parser.add_argument(
        "--blocks",
        nargs=3,
        default=("33", "3333", "3333"),
        metavar="SIDES",
        help="binary blocks at strides 4, 8 and 16, a digit each: 3 for 3x3, 1 for 1x1",
    )
    parser.add_argument(
        "--channels",
        type=int,
        nargs=3,
        default=(64, 128, 256),
        metavar="N",
        help="channels at strides 4, 8 and 16",
    )
    parser.add_argument(
        "--levels",
        type=int,
        nargs=3,
        default=(2, 2, 1),
        metavar="N",
        help="bits per channel that leave the network at strides 4, 8 and 16; 0 for none",
    )
    parser.add_argument(
        "--development-sets",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="inspection sets (train/good and test in each): now and then the student is calibrated"
        " and evaluated on all of them, and the log says how it did; nothing is chosen by it",
    )
    parser.add_argument(
        "--evaluate-every", type=positive_count, default=16_000, metavar="CROPS", help="how often"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="processor threads; all cores if absent")


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.recipe in ("shorten", "stem-bits"):
        _derive(arguments)
        print(f"{arguments.output} is written")
        return 0
    from edge_agent.errors import MissingExtra

    try:
        from calibration.training import average, distill  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            f"training needs PyTorch: pip install 'edge-agent[train]' ({error})"
        ) from error
    finished = _average(arguments) if arguments.recipe == "average" else _distill(arguments)
    if not finished:
        return 1
    print(f"{arguments.output} and {arguments.output.with_suffix('.log.jsonl')} are written")
    return 0


def _average(arguments: argparse.Namespace) -> bool:
    from calibration.training.average import export_average
    from edge_agent.errors import ConfigError

    try:
        export_average(arguments.runs, arguments.output)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return True


def _derive(arguments: argparse.Namespace) -> None:
    from calibration.training.shorten import export_shorter
    from calibration.training.stem_bits import export_with_stem_bits
    from edge_agent.errors import ConfigError
    from kernels.backends import choose

    rest = _pictures(arguments), choose().backend, arguments.output
    try:
        if arguments.recipe == "shorten":
            export_shorter(arguments.backbone, arguments.without, *rest)
        else:
            export_with_stem_bits(arguments.backbone, arguments.clear, *rest)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _pictures(arguments: argparse.Namespace) -> Iterator[np.ndarray]:
    """That levels are set by; photographs are decoded, minutes, when the first is asked for."""
    from calibration.training.crops import Crops, Photographs
    from calibration.training.levels import PICTURE_PX, sample

    photographs = Photographs(arguments.photographs, arguments.run / "cache")
    yield from sample(Crops(photographs, PICTURE_PX, seed=0))


def _distill(arguments: argparse.Namespace) -> bool:
    import torch

    from calibration.training.development import DevelopmentSets
    from calibration.training.distill import Distillation, Settings
    from calibration.training.student import Shape
    from edge_agent.errors import ConfigError
    from kernels.backends import choose

    development = None
    if folders := arguments.development_sets:
        development = DevelopmentSets(folders, arguments.evaluate_every, choose().backend)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        settings = Settings(
            shape=Shape(
                stem_channels=arguments.stem_channels,
                blocks=tuple(arguments.blocks),
                channels=tuple(arguments.channels),
                levels=tuple(arguments.levels),
            ),
            crops=arguments.crops,
            crop_px=arguments.crop_px,
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
            nearness_weight=arguments.nearness_weight,
            noticing_weights=tuple(arguments.noticing_weights),
            seed=arguments.seed,
        )
        run = Distillation(
            settings,
            arguments.photographs,
            arguments.teachers,
            arguments.run,
            begin_as=arguments.begin_as,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not run.run(development):
        print(f"stopped at step {run.step} of {settings.steps}; the same command goes on from here")
        return False
    run.export(arguments.output)
    return True
