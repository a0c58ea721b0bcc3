"""Measures accuracy and speed on the inspection sets and writes the page about them.

python -m tests.benchmarks.accuracy --data DIR -o docs/accuracy.md

Parts are taught and measured by the product's own ``calibrate`` and ``evaluate``, once for each
backbone and resolution below. Float teachers (where PyTorch is installed and DIR/teachers holds
them) and HOG go through the same folds, pose, places, drift and threshold with Euclidean
distances, at 336 x 336 pixels. A seed decides the folds and the bank. Every result is kept in the
cache as soon as it is there: an interrupted run goes on where it was. Times are taken last, by
turns on one core, beside MobileNet v2 in int8.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calibration import model_file
from calibration.backbones import load_backbone
from calibration.calibrate import Settings, calibrate
from calibration.dataset import open_dataset
from calibration.detector import Detector
from calibration.evaluate import evaluate
from calibration.good_images import GoodFolder
from calibration.images import list_images, read_image
from calibration.metrics import PixelScores, auroc
from calibration.normal import NormalSettings, describe
from calibration.outliers import stand_apart
from calibration.preparation import Preparation
from calibration.setups import Wishes
from calibration.threshold import conformal_threshold
from calibration.views import Views, is_turned, turned
from edge_agent.bench import peers
from edge_agent.bench.timing import interleave, one_core
from edge_agent.cli.console import progress_bar
from kernels.backends import choose
from tests.benchmarks.accuracy_page import write_page
from tests.benchmarks.float_patches import FloatComparison, FloatPatches, Hog, TeacherPatches
from tests.benchmarks.sets import INPUT_PIXELS, data_sets, digest

RATE = 0.01
SETUPS = (("base", 336), ("base", 448), ("small", 256), ("small", 336), ("small", 448))
"""Backbone and side of the input in pixels; the first is the default."""

FORWARD = "MobileNet v2, int8, 224 px: its forward pass alone"
MOBILENET = "mobilenet_v2_1.0_224_ptq.tflite"

_TIMED = 12
_ROUNDS = 60
_FITTED = 20
# Bump where a change of the product changes figures: cached ones are then measured again.
_EDITION = 15

Figures = dict[str, Any]


def of_backbone(folder: Path, backbone: str, side_px: int, seed: int, model: Path) -> Figures:
    """Calibrate and evaluate, as the commands do; ``model`` is where the model is kept."""
    wishes = Wishes(input_pixels=side_px**2)
    settings = Settings(false_reject_rate=RATE, wishes=wishes, seed=seed)
    networks, backend = [load_backbone(backbone)], choose().backend
    result = calibrate(folder / "train" / "good", networks, backend, settings, progress_bar)
    model_file.save(model, result.model)
    measured = evaluate(Detector(result.model), open_dataset(folder), progress_bar)
    return {
        "image_auroc": measured.image_auroc,
        "pixel_auroc": measured.pixel_auroc,
        "pro": measured.pro,
        "false_rejects": measured.false_reject_rate,
        "escapes": measured.escape_rate,
        "drift": measured.drift.share,
    }


def of_time(folder: Path, models: Mapping[str, Path], mobilenet: Path) -> dict[str, float]:
    """Medians in milliseconds, all by turns on one core.

    Args:
        folder: of a set; its first good test parts are inspected, which is what a line mostly sees.
        models: by name.
        mobilenet: a TFLite file, run beside them on one thread if it is there.
    """
    images = [read_image(file) for file in list_images(folder / "test" / "good")[:_TIMED]]

    def inspecting(detector: Detector) -> Callable[[], object]:
        parts = cycle(images)
        return lambda: detector.inspect(next(parts))

    calls = {name: inspecting(Detector.load(path)) for name, path in models.items()}
    if mobilenet.is_file():
        calls[FORWARD] = peers.mobilenet(str(mobilenet))
    with one_core():
        timings = interleave(calls, _ROUNDS)
    return {name: timing.us_median / 1e3 for name, timing in timings.items()}


def of_floats(folder: Path, patches: FloatPatches, seed: int) -> Figures:
    """The same for patches of floats."""
    files = list_images(folder / "train" / "good")
    size = read_image(files[0]).shape[:2]
    light = GoodFolder.lit(folder / "train" / "good", None).light
    preparation = Preparation.fit((size[0], size[1]), None, INPUT_PIXELS, 32, light)
    patches.fit([preparation.apply(read_image(file)) for file in files[:: len(files) // _FITTED]])

    def of(file: Path) -> np.ndarray:
        return patches.of(preparation.apply(read_image(file)))

    parts = []
    for number, file in enumerate(progress_bar(files, f"{folder.name} {patches.name}", len(files))):
        prepared = preparation.apply(read_image(file))
        plain = patches.of(prepared)
        others = turned(prepared) if is_turned(number, len(files)) else []
        parts.append(Views(plain, tuple(map(patches.of, others))))
    comparison = FloatComparison()
    normal = describe(parts, comparison, NormalSettings(), seed, progress_bar)
    clear = stand_apart(normal.scores)[1]
    if clear.any():
        parts = [views for views, out in zip(parts, clear, strict=True) if not out]
        normal = describe(parts, comparison, NormalSettings(), seed, progress_bar)
    threshold = conformal_threshold(normal.scores, RATE).value
    measure = comparison.measure(normal.bank, *parts[0].plain.shape[:2])
    dataset = open_dataset(folder)
    pixels, scores = PixelScores(), []
    for sample in progress_bar(dataset.samples, "inspecting", len(dataset.samples)):
        height, width = read_image(sample.path).shape[:2]
        anomaly_map, score, _ = normal.scoring.judge(measure(of(sample.path)))
        scores.append((sample.is_defective, score))
        if dataset.has_masks:
            full = cv2.resize(anomaly_map, (width, height), interpolation=cv2.INTER_LINEAR)
            pixels.add(full, sample.read_mask(height, width))
    good, bad = (np.array([s for d, s in scores if d is kind]) for kind in (False, True))
    pixel_auroc, pro = pixels.measure() if dataset.has_masks else (None, None)
    image = read_image(files[0])

    def inspect() -> None:
        normal.scoring.judge(measure(patches.of(preparation.apply(image))))

    return {
        "image_auroc": auroc(good, bad),
        "pixel_auroc": pixel_auroc,
        "pro": pro,
        "false_rejects": float((good > threshold).mean()),
        "escapes": float((bad <= threshold).mean()),
        "ms": _median_ms(inspect),
    }


def _median_ms(work: Callable[[], None]) -> float:
    taken = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - began))
    return float(np.median(taken))


class Kept:
    """Results on disk.

    Args:
        folder: they are in.
        only: whether what is not there is left out instead of measured.
    """

    def __init__(self, folder: Path, *, only: bool) -> None:
        self._folder, self._only = folder, only
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        """Where something of this edition is kept."""
        return self._folder / f"{_EDITION}-{name}"

    def get(self, key: str, work: Callable[[], Figures]) -> list[Figures]:
        """A result, made now if it is not there yet; a list of one or none."""
        file = self.file(f"{key}.json")
        if not file.is_file():
            if self._only:
                return []
            figures = work()
            file.write_text(json.dumps(figures))
            print(f"{key}: image AUROC {figures['image_auroc']:.4f}", file=sys.stderr, flush=True)
        return [json.loads(file.read_text())]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET", help="instead of all that are there")
    parser.add_argument("--data", type=Path, required=True, help="folder of the inspection sets")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.md")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "edge-agent-accuracy"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--float-seeds", type=int, default=1, help="of teachers and HOG: slow")
    parser.add_argument(
        "--only-kept", action="store_true", help="measure no more than times, write the page"
    )
    parser.add_argument("--coverage", type=Path, help="what tests.benchmarks.coverage printed")
    parser.add_argument("--robustness", type=Path, help="what tests.benchmarks.robustness printed")
    arguments = parser.parse_args()
    kept = Kept(arguments.cache, only=arguments.only_kept)
    results: dict[str, dict[str, list[Figures]]] = {}
    sets = data_sets(arguments.data, arguments.sets)
    models: dict[str, dict[str, Path]] = {folder.name: {} for folder in sets}
    for backbone, side_px in SETUPS:
        mark = f"{digest(load_backbone(backbone))[:12]}-{side_px}"
        name = f"bits, {backbone}, {side_px} px"
        for folder in sets:
            keys = [f"{folder.name}-{mark}-{seed}" for seed in range(arguments.seeds)]
            files = [kept.file(f"{key}.model") for key in keys]
            results.setdefault(folder.name, {})[name] = [
                figures
                for seed, (key, file) in enumerate(zip(keys, files, strict=True))
                for figures in kept.get(
                    key, partial(of_backbone, folder, backbone, side_px, seed, file)
                )
            ]
            if files and files[0].is_file():
                models[folder.name][name] = files[0]
    for patches in _floats(arguments.data / "teachers"):
        mark = patches.name.replace(", ", "-").replace(" ", "")
        for folder in sets:
            results[folder.name][patches.name] = [
                figures
                for seed in range(arguments.float_seeds)
                for figures in kept.get(
                    f"{folder.name}-{mark}-{seed}",
                    partial(of_floats, folder, patches, seed),
                )
            ]
    measured = {
        name: {method: runs for method, runs in row.items() if runs}
        for name, row in results.items()
    }
    for folder in progress_bar(sets, "taking times", len(sets)):
        taken = of_time(folder, models[folder.name], arguments.data / "teachers" / MOBILENET)
        for method, ms in taken.items():
            for figures in measured[folder.name].setdefault(method, [{}]):
                figures["ms"] = ms
    command = f"python -m tests.benchmarks.accuracy --data DIR -o {arguments.output}"
    sections = {
        "Coverage of the threshold": arguments.coverage,
        "Pictures unlike those taught": arguments.robustness,
    }
    command += " --coverage FILE --robustness FILE"
    written = {title: file.read_text() for title, file in sections.items() if file}
    write_page(arguments.output, measured, RATE, command, written)


def _floats(teachers: Path) -> list[FloatPatches]:
    found: list[FloatPatches] = [Hog()]
    if find_spec("torch") and teachers.is_dir():
        names = ("MobileNet v1, float", "MobileNet v2, float")
        found += [TeacherPatches(name, number, teachers) for number, name in enumerate(names)][::-1]
    return found


if __name__ == "__main__":
    main()
