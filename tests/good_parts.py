"""Small drawn parts on disk, good and bad, for tests that need a folder of images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def draw_part(seed: int, *, bad: bool = False, height: int = 96, width: int = 128) -> np.ndarray:
    """uint8 (h, w, 3): a ring on a noisy table; a bad one has a dark gash."""
    rng = np.random.default_rng(seed)
    image = rng.normal(90, 3, (height, width, 3))
    centre = (width // 2 + int(rng.integers(-2, 3)), height // 2 + int(rng.integers(-2, 3)))
    cv2.circle(image, centre, 30, (190, 180, 170), -1, cv2.LINE_AA)
    cv2.circle(image, centre, 14, (60, 60, 70), -1, cv2.LINE_AA)
    if bad:
        start = (centre[0] + 16, centre[1] - 12)
        cv2.line(image, start, (start[0] + 12, start[1] + 20), (10, 10, 30), 5, cv2.LINE_AA)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_good(folder: Path, count: int, first_seed: int = 0) -> list[Path]:
    """PNG files of good parts."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"good{number:03d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), draw_part(first_seed + number))
    return paths


def write_dataset(folder: Path, good: int = 12, bad: int = 9) -> Path:
    """A dataset in MVTec's layout, with masks: train/good, test/good, test/gash."""
    write_good(folder / "train" / "good", 40)
    write_good(folder / "test" / "good", good, first_seed=1000)
    for kind in ("test", "ground_truth"):
        (folder / kind / "gash").mkdir(parents=True)
    for number in range(bad):
        image, clean = draw_part(2000 + number, bad=True), draw_part(2000 + number)
        mask = (np.abs(image.astype(int) - clean).max(2) > 0).astype(np.uint8) * 255
        cv2.imwrite(str(folder / "test" / "gash" / f"{number:03d}.png"), image)
        cv2.imwrite(str(folder / "ground_truth" / "gash" / f"{number:03d}_mask.png"), mask)
    return folder
