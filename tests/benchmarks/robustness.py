"""What a calibrated model makes of pictures that are not quite like those it was taught on.

python -m tests.benchmarks.robustness --data DIR

Each set is taught with defaults; its test pictures are then darkened, brightened, blurred, moved
and turned a little, every picture by an amount of its own where it says so. Last, pictures are
turned by any angle, those that are taught too, and only 80 of them: parts in any orientation.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from calibration.backbones import DEFAULT, load_backbone
from calibration.calibrate import Calibration, Settings, calibrate
from calibration.dataset import Sample, open_dataset
from calibration.detector import Detector
from calibration.images import list_images, read_image
from calibration.metrics import auroc
from edge_agent.cli.console import progress_bar
from kernels.backends import choose
from kernels.light import brightened
from tests.benchmarks.sets import data_sets

RATE = 0.01
_PICTURES = 200
_TAUGHT_TURNED = 80
_TURNED = "turned by any angle, taught so"

Disturb = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = image.shape[1::-1]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def _shifted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    across, down = rng.integers(-4, 5, 2)
    return _moved(image, np.array([[1, 0, across], [0, 1, down]], np.float32))


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """About its centre; what comes in from outside is the border's colour."""
    height, width = image.shape[:2]
    centre = (width - 1) / 2, (height - 1) / 2
    return _moved(image, cv2.getRotationMatrix2D(centre, degrees, 1))


DISTURBANCES: dict[str, Disturb] = {
    "as they are": lambda image, rng: image,
    "15 % darker": lambda image, rng: brightened(image, 0.85),
    "15 % brighter": lambda image, rng: brightened(image, 1.15),
    "light within ± 15 %": lambda image, rng: brightened(image, rng.uniform(0.85, 1.15)),
    "blurred by 1 px": lambda image, rng: cv2.GaussianBlur(image, (0, 0), 1),
    "moved by up to 4 px": _shifted,
    "turned by up to 3°": lambda image, rng: turned(image, rng.uniform(-3, 3)),
}


def _measure(taught: Calibration, samples: list[Sample], disturb: Disturb) -> str:
    rng = np.random.default_rng(1)
    detector = Detector(taught.model)
    scores = np.array(
        [detector.inspect(disturb(read_image(one.path), rng)).score for one in samples]
    )
    bad = np.array([one.is_defective for one in samples])
    found = auroc(scores[~bad], scores[bad])
    rejected = (scores[~bad] > taught.threshold.value).mean()
    return f"{found:.3f} ({rejected:.0%})"


def _teach(folder: Path, backbone: str) -> Calibration:
    settings = Settings(false_reject_rate=RATE)
    return calibrate(folder, [load_backbone(backbone)], choose().backend, settings, progress_bar)


def _teach_turned(folder: Path, backbone: str) -> Calibration:
    rng = np.random.default_rng(2)
    files = list_images(folder)
    with tempfile.TemporaryDirectory() as name:
        for number in rng.permutation(len(files))[:_TAUGHT_TURNED].tolist():
            image = turned(read_image(files[number]), rng.uniform(0, 360))
            cv2.imwrite(str(Path(name) / f"{files[number].stem}.png"), image)
        return _teach(Path(name), backbone)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--backbone", default=DEFAULT)
    arguments = parser.parse_args()
    sets = data_sets(arguments.data, arguments.sets)
    rows: dict[str, list[str]] = {label: [] for label in [*DISTURBANCES, _TURNED]}
    for folder in sets:
        every = open_dataset(folder).samples
        order = np.random.default_rng(0).permutation(len(every))[:_PICTURES].tolist()
        samples = [every[i] for i in order]
        taught = _teach(folder / "train" / "good", arguments.backbone)
        for label, disturb in progress_bar(DISTURBANCES.items(), folder.name, len(DISTURBANCES)):
            rows[label].append(_measure(taught, samples, disturb))
        taught = _teach_turned(folder / "train" / "good", arguments.backbone)
        figures = _measure(taught, samples, lambda image, rng: turned(image, rng.uniform(0, 360)))
        rows[_TURNED].append(figures)
    print(
        "Made by `python -m tests.benchmarks.robustness --data DIR`: image AUROC, and in brackets"
        " the share of good pictures above the threshold, calibrated for a false reject rate of"
        f" {RATE:.0%}; {_PICTURES} test pictures of each set at most, taught on {_TAUGHT_TURNED} in"
        " the last row.\n"
    )
    print(f"| test pictures | {' | '.join(folder.name for folder in sets)} |")
    print("|---" + "|---:" * len(sets) + "|")
    for label, figures in rows.items():
        print(f"| {label} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
