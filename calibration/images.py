"""Images in files: which there are, and reading each of them whole or not at all.

Images are uint8 in OpenCV's order, (height, width, 3) blue first, or (height, width) of grey files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from calibration.errors import DatasetError, UnreadableImage

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

SIZE_TOLERANCE = 0.05
"""Images whose sides differ by no more than this share count as the same size."""

_UNREADABLE_LIMIT = 0.05


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Image files in a folder, by name; with ``recursive``, in the folders below it too.

    Raises:
        DatasetError: if there is no such folder or no image in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder")
    below = folder.rglob("*") if recursive else folder.iterdir()
    files = sorted(p for p in below if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        kinds = ", ".join(sorted(s[1:] for s in SUFFIXES))
        raise DatasetError(f"no images in {folder}: looking for {kinds} files{_below(folder)}")
    return files


def _below(folder: Path) -> str:
    """Where else they may be, to end a sentence with."""
    holders = sorted({p.parent.name for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES})
    return f"; its folder {' or '.join(holders[:3])} holds some" if holders else ""


def read_image(path: Path, flags: int = cv2.IMREAD_ANYCOLOR) -> np.ndarray:
    """Read a whole image; a truncated one is refused, never half-filled with grey.

    Raises:
        UnreadableImage: if the file cannot be read or is no complete image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"cannot read {path}: {error.strerror or error}") from error
    if not data:
        raise UnreadableImage(f"{path} is empty")
    if _is_cut_short(data):
        raise UnreadableImage(f"{path} is cut short: its end is missing")
    with QuietOpenCV():
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise UnreadableImage(f"{path} is no image that can be read")
    return image


def _is_cut_short(data: bytes) -> bool:
    # Decoders of these two may fill the missing part with grey and say so only on stderr.
    if data[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in data[-4096:]
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in data[-4096:]
    return False


class QuietOpenCV:
    """Our exceptions say what is wrong; OpenCV's own log lines beside them only confuse."""

    def __enter__(self) -> None:
        self._level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def __exit__(self, *_: object) -> None:
        cv2.utils.logging.setLogLevel(self._level)


def grey_spread(image: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the grey values of an image, each 0 .. 255."""
    mean, deviation = cv2.meanStdDev(image)
    return float(mean.mean()), float(deviation.mean())


def same_size(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two (height, width) differ by no more than :data:`SIZE_TOLERANCE`."""
    return all(abs(a - b) <= SIZE_TOLERANCE * b for a, b in zip(one, other, strict=True))


@dataclass
class Skipped:
    """Files passed over, and the limit at which passing over stops being honest.

    Attributes:
        total: how many files there are.
        reasons: one sentence per skipped file.
    """

    total: int
    reasons: list[str] = field(default_factory=list)

    def add(self, error: UnreadableImage) -> None:
        """Note a file; refuse the folder beyond one file or five percent, or if no other is left.

        Raises:
            DatasetError: beyond the limit.
        """
        self.reasons.append(str(error))
        bad = len(self.reasons)
        if bad == self.total or bad > max(1, _UNREADABLE_LIMIT * self.total):
            listed = "; ".join(self.reasons[:5])
            raise DatasetError(
                f"{bad} of {self.total} files cannot be read, which is too many to"
                f" pass over: {listed}"
            )


def check_sizes(sizes: Sequence[tuple[int, int]], files: Iterable[Path]) -> tuple[int, int]:
    """The common (height, width) of a set of images.

    Raises:
        DatasetError: if one differs by more than :data:`SIZE_TOLERANCE`; names it.
    """
    common, _ = Counter(sizes).most_common(1)[0]
    odd = [
        (path, size) for path, size in zip(files, sizes, strict=True) if not same_size(size, common)
    ]
    if odd:
        path, (height, width) = odd[0]
        raise DatasetError(
            f"{len(odd)} of {len(sizes)} images have another size: {path} is {width} x {height},"
            f" most are {common[1]} x {common[0]}. Use images of one camera at one resolution"
        )
    return common
