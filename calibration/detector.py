"""The detector: image in, verdict out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np

from calibration import model_file
from calibration.colour import chroma
from calibration.model_file import Model
from calibration.preparation import Preparer
from kernels.backends import Choice, choose

_MAX_REGIONS = 16


class Verdict(Enum):
    """What the detector decides about a part."""

    OK = "OK"
    """Nothing on the part is more unusual than on good parts."""

    NG = "NG"
    """Something is: the part is to be rejected."""


@dataclass(frozen=True)
class Region:
    """A connected part of the image that lies above the threshold.

    Attributes:
        x: left edge, in pixels of the camera image.
        y: top edge.
        width: in pixels.
        height: in pixels.
        area_px: pixels above the threshold.
        score: the highest value of the map inside, in bits.
    """

    x: int
    y: int
    width: int
    height: int
    area_px: int
    score: float


@dataclass(frozen=True)
class Latency:
    """Where the time of one inspection went, in milliseconds."""

    prepare_ms: float
    network_ms: float
    search_ms: float
    decide_ms: float

    @property
    def total_ms(self) -> float:
        """Image in to verdict out."""
        return self.prepare_ms + self.network_ms + self.search_ms + self.decide_ms


@dataclass(frozen=True, eq=False)
class Inspection:
    """What the detector has to say about one image.

    Attributes:
        verdict: OK or NG.
        score: the highest value of the map, in bits.
        threshold: above which a part is NG, in bits.
        map: float32 (rows, columns), the anomaly map on the grid of patches, in bits.
        regions: where it is NG, most unusual first; empty if OK.
        latency: where the time went.
        median: of the map before the whole picture was allowed for, in bits.
        is_colourless: whether the picture is grey and good ones were coloured.
        gain: what its brightness was multiplied by, to be that of good ones.
    """

    verdict: Verdict
    score: float
    threshold: float
    map: np.ndarray
    regions: tuple[Region, ...]
    latency: Latency
    median: float
    is_colourless: bool
    gain: float


class Detector:
    """A calibrated model made ready to inspect images.

    One thread at a time may use a detector; give each thread its own.

    Args:
        model: a calibrated model.
        backend: "auto", or the name of a backend; see :mod:`kernels.backends`.

    Raises:
        BackendUnavailable: if the backend cannot run here.
    """

    def __init__(self, model: Model, backend: str = "auto") -> None:
        choice = choose(backend)
        self.model = model
        self.backend: Choice = choice
        size = model.preparation.input_height, model.preparation.input_width
        self._preparer = Preparer(model.preparation)
        self._executor = choice.backend.executor(model.network, *size)
        rows, columns = (length // model.stride for length in size)
        near = model.bank.neighbourhoods(rows, columns)
        self._index = choice.backend.index(model.bank.patches, near)

    @classmethod
    def load(cls, path: str | Path, backend: str = "auto") -> Detector:
        """Read a model file. Raises ContainerError or OSError if it is not a good one."""
        return cls(model_file.load(Path(path)), backend)

    def another(self) -> Detector:
        """A second detector of the same model on the same backend, for a thread of its own."""
        return Detector(self.model, self.backend.backend.name)

    def warm_up(self) -> None:
        """Run on nothing, so that the first part is judged as fast as all others.

        Kernels are compiled for colour and grey, and for pictures and cut-outs of larger ones.
        """
        preparation = self.model.preparation
        height, width = preparation.image_height, preparation.image_width
        for value in ((255, 0, 0), 0):
            frame = np.full((height, width + 1, *np.shape(value)), value, np.uint8)
            for image in (frame[:, 1:], np.ascontiguousarray(frame[:, 1:])):
                self.inspect(image)

    def inspect(self, image: np.ndarray) -> Inspection:
        """Judge one image.

        Args:
            image: uint8 (h, w, 3) blue first, as OpenCV reads it, or (h, w) grey.

        Raises:
            ImageMismatch: if the image is not of the size that the model was taught on.
        """
        model = self.model
        started = time.perf_counter()
        prepared, gain = self._preparer.prepare(image)
        cropped = time.perf_counter()
        codes = self._executor.run(prepared)
        embedded = time.perf_counter()
        distances = self._index.distances(codes)
        searched = time.perf_counter()
        anomaly_map, score, median = model.scoring.judge(distances)
        ng = model.threshold.is_ng(score)
        regions = self._regions(anomaly_map, *image.shape[:2]) if ng else ()
        is_colourless = bool(model.colourless_below) and chroma(prepared) < model.colourless_below
        decided = time.perf_counter()
        return Inspection(
            verdict=Verdict.NG if ng else Verdict.OK,
            score=score,
            threshold=model.threshold.value,
            map=anomaly_map,
            regions=regions,
            latency=Latency(
                prepare_ms=(cropped - started) * 1e3,
                network_ms=(embedded - cropped) * 1e3,
                search_ms=(searched - embedded) * 1e3,
                decide_ms=(decided - searched) * 1e3,
            ),
            median=median,
            is_colourless=is_colourless,
            gain=gain,
        )

    def _regions(self, anomaly_map: np.ndarray, height: int, width: int) -> tuple[Region, ...]:
        preparation = self.model.preparation
        left, top, across, down = preparation.region_in(height, width)
        # No finer than what the network saw: a camera's millions of pixels would hold up the gate.
        columns, rows = min(across, preparation.input_width), min(down, preparation.input_height)
        seen = cv2.resize(anomaly_map, (columns, rows), interpolation=cv2.INTER_LINEAR)
        above = (seen > self.model.threshold.value).astype(np.uint8)
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
        found = []
        for label in range(1, count):
            x, y, w, h, area = (int(v) for v in statistics[label])
            inside = labels[y : y + h, x : x + w] == label
            peak = float(seen[y : y + h, x : x + w][inside].max())
            from_x, to_x = x * across // columns, -(-(x + w) * across // columns)
            from_y, to_y = y * down // rows, -(-(y + h) * down // rows)
            area_px = round(area * across * down / (columns * rows))
            box = from_x + left, from_y + top, to_x - from_x, to_y - from_y
            found.append(Region(*box, area_px, peak))
        if not found:
            # Interpolation can flatten a lone peak below the threshold: name its patch.
            found.append(self._patch_at_peak(anomaly_map, left, top, across, down))
        return tuple(sorted(found, key=lambda region: -region.score)[:_MAX_REGIONS])

    def _patch_at_peak(
        self, anomaly_map: np.ndarray, left: int, top: int, across: int, down: int
    ) -> Region:
        rows, columns = anomaly_map.shape
        row, column = divmod(int(anomaly_map.argmax()), columns)
        x, y = column * across // columns, row * down // rows
        w, h = max(1, across // columns), max(1, down // rows)
        return Region(x + left, y + top, w, h, w * h, float(anomaly_map.max()))

    def full_map(self, inspection: Inspection, height: int, width: int) -> np.ndarray:
        """The anomaly map at the size of the camera image; zero outside the region of interest.

        Args:
            inspection: of an image of that size.
            height: of the image, in pixels.
            width: likewise.

        Returns:
            float32 (height, width), in bits.
        """
        left, top, across, down = self.model.preparation.region_in(height, width)
        full = np.zeros((height, width), np.float32)
        inner = cv2.resize(inspection.map, (across, down), interpolation=cv2.INTER_LINEAR)
        full[top : top + down, left : left + across] = inner
        return full
