"""Teach a model on images of good parts.

Writes FILE.model, and beside it FILE.html: a report with the scores of good parts, the threshold,
and the most unusual good parts with heat maps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.console import (
    add_backend,
    add_json,
    number,
    positive_count,
    positive_number,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from calibration.calibrate import Suspicious


_rate = number(float, lambda rate: 0 < rate < 1, "a rate lies between 0 and 1, e.g. 0.001")
_side_px = number(int, lambda side_px: 64 <= side_px <= 2048, "64 to 2048 pixels")
_window = number(int, lambda patches: patches >= 0, "a number of patches, or 0 for no window")
_smoothing = number(float, lambda sigma: 0.25 <= sigma <= 8, "0.25 to 8 patches")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent calibrate``."""
    parser.add_argument("good_dir", type=Path, metavar="GOOD_DIR", help="images of good parts")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.model")
    parser.add_argument(
        "--false-reject-rate",
        type=_rate,
        default=0.001,
        metavar="RATE",
        help="share of good parts that may be rejected (default: 0.001)",
    )
    parser.add_argument("--roi", metavar="X,Y,W,H", help="inspect only this region, in pixels")
    parser.add_argument(
        "--backbone",
        default="auto",
        metavar="NAME",
        help="a shipped backbone, or a .bnn file (default: base, or what suits the budget)",
    )
    parser.add_argument(
        "--budget-ms",
        type=positive_number,
        metavar="MS",
        help="what an inspection may take on this machine: tries backbones and resolutions on"
        " defects drawn on the good images, and takes the best one that is fast enough",
    )
    parser.add_argument(
        "--window",
        type=_window,
        metavar="PATCHES",
        help="for parts that come in one pose: compare each cell of so many patches a side only"
        " with its surroundings; for those that turn in place, each ring that is so wide;"
        " 0 compares everything (default: 2 or 0, whichever describes the good parts better)",
    )
    parser.add_argument(
        "--rotation",
        action=argparse.BooleanOptionalAction,
        help="for parts in any orientation: learn the good images turned by quarters, too"
        " (default: whichever describes the good parts better)",
    )
    parser.add_argument(
        "--bank-entries",
        type=positive_count,
        metavar="N",
        help="about how many patches of good parts to keep, one a cell at least (default: 16000"
        " with a window, 8000 with one of rings, 2560 for parts in any orientation, 4000 else)",
    )
    parser.add_argument(
        "--smoothing",
        type=_smoothing,
        metavar="PATCHES",
        help="deviation of the Gaussian over the map: more is steadier, less sees smaller defects"
        " (default: 1, unless defects drawn on good images are clearly told better by another)",
    )
    parser.add_argument(
        "--places",
        action=argparse.BooleanOptionalAction,
        help="let each place of the part count by what good images show there (default: on for"
        " parts that have places, unless drawn defects are clearly told better otherwise)",
    )
    parser.add_argument(
        "--surroundings",
        action=argparse.BooleanOptionalAction,
        help="compare what is around a patch (stride 16), too, instead of its detail alone, which"
        " is faster (default: on, unless drawn defects are clearly told better without; of parts"
        " that turn, off unless they are clearly told better with, if the backbone's other bits"
        " are fine enough: base's are)",
    )
    parser.add_argument(
        "--stem",
        action=argparse.BooleanOptionalAction,
        help="compare brightness and edges as they are, too, by bits of the network's stem, of"
        " backbones that have them (default: on for parts that come in one pose, and where the"
        " backbone has no other bits as fine, unless drawn defects are clearly told better"
        " without)",
    )
    parser.add_argument(
        "--drift",
        action=argparse.BooleanOptionalAction,
        help="take scores relative to the picture's own median, against drifting light"
        " (default: whichever makes good parts more alike)",
    )
    parser.add_argument(
        "--even-light",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="scale the brightness of every picture to that of the good images, by 1.3 at most, so"
        " that no part is rejected because a lamp aged (default: on)",
    )
    parser.add_argument(
        "--input-px",
        type=_side_px,
        metavar="PX",
        help="the region is scaled to about PX x PX pixels in all, keeping its shape: more sees"
        " smaller defects and takes longer (default: 336, of small 256, or what suits the budget)",
    )
    parser.add_argument(
        "--keep-all",
        action="store_true",
        help="use every image, also those that stand clearly apart from all others",
    )
    add_backend(parser)
    add_json(parser)


def _print_suspicious(suspicious: Sequence[Suspicious]) -> None:
    for left_out, what in (
        (True, "stand clearly apart and are left out; --keep-all uses them"),
        (False, "look odd but are used; take out those that are not good"),
    ):
        chosen = [one for one in suspicious if one.left_out is left_out]
        if chosen:
            print(f"{len(chosen)} images {what}:")
        for one in chosen:
            print(f"  {one.score:6.1f} bits  {one.file}")


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from calibration import model_file
    from calibration.backbones import load_backbones
    from calibration.calibrate import Settings, calibrate
    from calibration.detector import Detector
    from calibration.normal import NormalSettings
    from calibration.preparation import Roi
    from calibration.report import write_report
    from calibration.setups import Wishes
    from edge_agent.errors import ConfigError
    from kernels.backends import choose

    output: Path = arguments.output
    if output.suffix != ".model":
        raise ConfigError(f"a model file ends in .model: {output.name}.model instead of {output}")
    if not output.parent.is_dir():
        raise ConfigError(f"there is no folder {output.parent} to write {output.name} to")
    try:
        roi = Roi.parse(arguments.roi) if arguments.roi else None
    except ValueError as error:
        raise ConfigError(f"--roi: {error}") from error
    settings = Settings(
        false_reject_rate=arguments.false_reject_rate,
        roi=roi,
        wishes=Wishes(
            input_pixels=arguments.input_px**2 if arguments.input_px else None,
            budget_ms=arguments.budget_ms,
            surroundings=arguments.surroundings,
        ),
        even_light=arguments.even_light,
        keep_all=arguments.keep_all,
        normal=NormalSettings(
            smoothing=arguments.smoothing,
            places=arguments.places,
            bank_entries=arguments.bank_entries,
            window=arguments.window,
            turned=arguments.rotation,
            drift=arguments.drift,
            stem=arguments.stem,
        ),
    )
    backend = choose(arguments.backend).backend
    networks = load_backbones(arguments.backbone)
    if arguments.stem and not any(network.stem_words for network in networks):
        raise ConfigError(
            f"--stem: {networks[0].name} has no bits of its stem; leave --stem out, or use a"
            " backbone that ships with this"
        )
    result = calibrate(arguments.good_dir, networks, backend, settings, progress_bar)
    detector = Detector(result.model, arguments.backend)
    report = output.with_suffix(".html")
    latency_ms = write_report(report, result, detector)
    sha256 = model_file.save(output, result.model)
    if arguments.json:
        print_json(
            {
                "model": str(output),
                "sha256": sha256,
                "report": str(report),
                "threshold": result.threshold.value,
                "wanted_false_reject_rate": result.threshold.wanted_rate,
                "supported_false_reject_rate": result.threshold.supported_rate,
                "held_out": result.threshold.held_out,
                "good_images": result.model.origin["good_images"],
                "backbone": result.model.network.name,
                "input_px": round(result.choice.setup.input_pixels**0.5),
                "strides": list(result.model.network.strides),
                "window": result.model.bank.window,
                "bank_entries": len(result.model.bank),
                "smoothing": result.model.scoring.smoothing,
                "places": result.model.scoring.steps.places,
                "light": result.model.preparation.light,
                "stem": bool(result.model.network.stem_words),
                "rotation": result.model.origin["turned"],
                "drift": bool(result.model.scoring.usual_median),
                "suspicious": [
                    {"file": str(one.file), "score": one.score, "left_out": one.left_out}
                    for one in result.suspicious
                ],
                "warnings": list(result.warnings),
                "reasons": result.model.origin["reasons"],
                "trials": result.model.origin["trials"],
                "skipped": list(result.skipped),
                "latency_ms": round(latency_ms, 3),
                "backend": detector.backend.backend.name,
            }
        )
        return 0
    for reason in result.skipped:
        print(f"passed over: {reason}")
    for warning in result.warnings:
        print(f"please check: {warning}")
    _print_suspicious(result.suspicious)
    print(f"{output}: taught on {result.model.origin['good_images']} good images")
    reasons = result.model.origin["reasons"]
    print(f"{result.choice.setup.words}: {reasons['setup']}")
    for sentence in result.patches:
        print(sentence)
    print(f"{result.pose.words}: {reasons['pose']}")
    print(f"{result.model.scoring.steps.words}: {reasons['map']}")
    drift = "relative to the picture" if result.model.scoring.usual_median else "absolute"
    print(f"scores are {drift}: {reasons['drift']}")
    print(f"threshold {result.threshold.value:.1f} of {result.model.bits} bits")
    print(result.threshold.sentence)
    print(f"an inspection takes {latency_ms:.1f} ms here ({detector.backend.reason})")
    print(f"report with pictures: {report}")
    return 0
