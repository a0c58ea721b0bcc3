"""A camera's picture made as small as the network's input, by us and by OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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


def measure(rounds: int) -> list[dict[str, Any]]:
    """One row per size and candidate; ``rounds`` samples of each."""
    rows: list[dict[str, Any]] = []
    for (rows_in, columns_in), (height, width) in SIZES:
        shape = (rows_in, columns_in, 3)
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        candidates: dict[str, Callable[[], object]] = {
            "area": partial(shrink, image, height, width),
            "opencv": partial(cv2.resize, image, (width, height), interpolation=cv2.INTER_AREA),
        }
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
