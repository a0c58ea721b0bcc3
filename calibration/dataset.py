"""Labelled images on disk, in the layout of MVTec AD.

::

    DATASET/test/good/*            good parts
    DATASET/test/<defect>/*        parts with this kind of defect
    DATASET/ground_truth/<defect>/ masks, optional: NAME.png or NAME_mask.png, not zero = defect
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from calibration.errors import DatasetError
from calibration.images import list_images, read_image

GOOD = "good"


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        path: of the image.
        kind: "good", or the name of the defect.
        mask: of the defect's pixels; None for good parts and where nobody drew one.
    """

    path: Path
    kind: str
    mask: Path | None

    @property
    def is_defective(self) -> bool:
        """Whether the part has a defect."""
        return self.kind != GOOD

    def read_mask(self, height: int, width: int) -> np.ndarray:
        """bool (height, width): where the defect is; nowhere for good parts."""
        if self.mask is None:
            return np.zeros((height, width), bool)
        mask = read_image(self.mask, cv2.IMREAD_GRAYSCALE)
        if mask.shape != (height, width):
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        return mask > 0


@dataclass(frozen=True)
class Dataset:
    """The test part of a dataset.

    Attributes:
        samples: by kind, then by file name.
        has_masks: whether every defective image has its mask.
    """

    samples: tuple[Sample, ...]
    has_masks: bool

    @property
    def kinds(self) -> list[str]:
        """Names of the defects, in order."""
        return sorted({s.kind for s in self.samples if s.is_defective})


def open_dataset(folder: Path) -> Dataset:
    """Find the samples of a dataset.

    Raises:
        DatasetError: if the folder does not have the layout above.
    """
    test = folder / "test"
    kinds = sorted(p for p in test.iterdir() if p.is_dir()) if test.is_dir() else []
    if not kinds:
        raise DatasetError(
            f"{folder} has no test images: expected folders {test}/good and {test}/<defect>"
        )
    samples = []
    for kind in kinds:
        for path in list_images(kind):
            mask = None if kind.name == GOOD else _mask_of(folder, kind.name, path)
            samples.append(Sample(path, kind.name, mask))
    defective = [s for s in samples if s.is_defective]
    has_masks = bool(defective) and all(s.mask for s in defective)
    if not has_masks and any(s.mask for s in defective):
        missing = next(s.path for s in defective if not s.mask)
        raise DatasetError(f"{missing} has no mask in {folder / 'ground_truth'}, and others have")
    return Dataset(tuple(samples), has_masks)


def _mask_of(folder: Path, kind: str, image: Path) -> Path | None:
    for name in (f"{image.stem}_mask.png", f"{image.stem}.png"):
        candidate = folder / "ground_truth" / kind / name
        if candidate.is_file():
            return candidate
    return None
