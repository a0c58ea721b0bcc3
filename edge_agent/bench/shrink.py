"""A camera's picture made as small as the network's input, by us and by OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import cv2
import numpy as np

from edge_agent.bench.timing import interleave
from kernels.area import shrink

SIZES = (
    ((320, 320), (256, 256)),
    ((480, 640), (288, 384)),
    ((960, 1280), (288, 384)),
    ((1944, 2592), (288, 384)),
)
"""Height and width of the picture, and of what is made of it."""

# No picture is twice the same on a line: so many by turns are not in a core's own caches.
_BYTES_OF_PICTURES = 16 << 20


def measure(rounds: int) -> list[dict[str, Any]]:
    """One row per size and candidate; ``rounds`` samples of each."""
    rows: list[dict[str, Any]] = []
    rng = np.random.default_rng(0)
    for (rows_in, columns_in), (height, width) in SIZES:
        shape = (rows_in, columns_in, 3)
        count = max(2, _BYTES_OF_PICTURES // (rows_in * columns_in * 3))
        pictures = cycle([rng.integers(0, 256, shape, np.uint8) for _ in range(count)])
        candidates = _candidates(pictures, height, width)
        for name, timing in interleave(candidates, rounds).items():
            row: dict[str, Any] = {"op": "shrink", "from_height": rows_in, "from_width": columns_in}
            row |= {"height": height, "width": width}
            row |= {"engine": name} if name == "opencv" else {"kernel": name}
            row |= {
                "us_min": round(timing.us_min, 1),
                "us_median": round(timing.us_median, 1),
                "us_p99": round(timing.us_p99, 1),
            }
            rows.append(row)
    return rows


def _candidates(
    pictures: Iterator[np.ndarray], height: int, width: int
) -> dict[str, Callable[[], object]]:
    def by_opencv() -> object:
        return cv2.resize(next(pictures), (width, height), interpolation=cv2.INTER_AREA)

    return {"area": lambda: shrink(next(pictures), height, width), "opencv": by_opencv}
