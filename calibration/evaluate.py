"""Measuring a model on labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.dataset import Dataset
from calibration.detector import Detector, Verdict
from calibration.errors import UnreadableImage
from calibration.images import Skipped, read_image
from calibration.metrics import PixelScores, auroc
from calibration.progress import Progress, silent
from calibration.watch import Change, Usual, cause


@dataclass(frozen=True)
class DefectFigures:
    """Figures of one kind of defect against all good parts.

    Attributes:
        count: images of it.
        image_auroc: None without good images.
        escape_rate: share of them that were called OK.
    """

    count: int
    image_auroc: float | None
    escape_rate: float


@dataclass(frozen=True)
class Drift:
    """Whether good test images are still like those that were taught.

    Attributes:
        share: of the good images that lie as a whole beyond every taught one; of all images where
            none is labelled good.
        colourless_share: of all images: they are grey, and taught ones were coloured.
        sentence: what that means; empty when all is well.
    """

    share: float
    colourless_share: float
    sentence: str


@dataclass(frozen=True)
class Evaluation:
    """What ``edge-agent evaluate`` reports.

    Attributes:
        image_auroc: 0 .. 1; None if a side is missing.
        pixel_auroc: 0 .. 1; None without masks.
        pro: per-region overlap up to 30 % false positives, 0 .. 1; None without masks.
        false_reject_rate: share of good parts called NG; None without good parts.
        escape_rate: share of defective parts called OK; None without defective parts.
        threshold: in bits.
        per_defect: figures by kind of defect.
        drift: whether the pictures are like those that were taught.
        latency_ms: p50 and p99 of an inspection.
        backend: that ran it.
        good: number of good images.
        defective: number of defective images.
        skipped: files that could not be read, a sentence each.
        scores: by file, relative to the dataset.
    """

    image_auroc: float | None
    pixel_auroc: float | None
    pro: float | None
    false_reject_rate: float | None
    escape_rate: float | None
    threshold: float
    per_defect: dict[str, DefectFigures]
    drift: Drift
    latency_ms: dict[str, float]
    backend: str
    good: int
    defective: int
    skipped: tuple[str, ...]
    scores: dict[str, float]


def evaluate(detector: Detector, dataset: Dataset, progress: Progress = silent) -> Evaluation:
    """Inspect every image of a dataset.

    Raises:
        DatasetError: if too many images cannot be read.
        ImageMismatch: if an image is not of the size that the model was taught on.
    """
    pixels = PixelScores()
    skipped = Skipped(len(dataset.samples))
    rows: list[tuple[str, float, bool]] = []
    latencies: list[float] = []
    scores: dict[str, float] = {}
    usual = Usual.of(detector.model)
    good: list[frozenset[Change]] = []
    defective: list[frozenset[Change]] = []
    for sample in progress(dataset.samples, "inspecting", len(dataset.samples)):
        try:
            image = read_image(sample.path)
            mask = sample.read_mask(*image.shape[:2]) if dataset.has_masks else None
        except UnreadableImage as error:
            skipped.add(error)
            continue
        if not rows:
            detector.inspect(image)  # the first inspection also warms caches: not a latency
        inspection = detector.inspect(image)
        rows.append((sample.kind, inspection.score, inspection.verdict is Verdict.NG))
        (defective if sample.is_defective else good).append(usual.changes(inspection))
        latencies.append(inspection.latency.total_ms)
        scores[f"{sample.kind}/{sample.path.name}"] = inspection.score
        if mask is not None:
            pixels.add(detector.full_map(inspection, *image.shape[:2]), mask)
    pixel_auroc, pro = pixels.measure() if dataset.has_masks else (None, None)
    return Evaluation(
        pixel_auroc=pixel_auroc,
        pro=pro,
        threshold=detector.model.threshold.value,
        latency_ms={
            "p50": round(float(np.percentile(latencies, 50)), 3),
            "p99": round(float(np.percentile(latencies, 99)), 3),
        },
        drift=_drift(good, defective),
        backend=detector.backend.backend.name,
        skipped=tuple(skipped.reasons),
        scores=scores,
        **_image_figures(rows, dataset.kinds),
    )


def _drift(good: list[frozenset[Change]], defective: list[frozenset[Change]]) -> Drift:
    every = good + defective
    # A defect moves the whole picture too, so that good parts are asked first.
    asked = {Change.GREY: every, Change.DRIFTED: good or defective, Change.RELIT: every}
    shares = {
        change: sum(change in changes for changes in pictures) / max(1, len(pictures))
        for change, pictures in asked.items()
    }
    why = cause(shares)
    return Drift(
        shares[Change.DRIFTED],
        shares[Change.GREY],
        why.sentence(f"{shares[why]:.0%} of {len(asked[why])}") if why else "",
    )


def _image_figures(rows: list[tuple[str, float, bool]], kinds: list[str]) -> dict[str, Any]:
    def of(kind: str | None) -> tuple[np.ndarray, np.ndarray]:
        chosen = [r for r in rows if (r[0] in kinds if kind is None else r[0] == kind)]
        return np.array([r[1] for r in chosen]), np.array([r[2] for r in chosen], bool)

    good, good_ng = of("good")
    defective, defective_ng = of(None)
    per_defect = {}
    for kind in kinds:
        scores, ng = of(kind)
        if len(scores):
            per_defect[kind] = DefectFigures(len(scores), auroc(good, scores), float(1 - ng.mean()))
    return {
        "image_auroc": auroc(good, defective),
        "false_reject_rate": float(good_ng.mean()) if len(good) else None,
        "escape_rate": float(1 - defective_ng.mean()) if len(defective) else None,
        "per_defect": per_defect,
        "good": len(good),
        "defective": len(defective),
    }
