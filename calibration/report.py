"""The report beside a model: one HTML file that shows what was taught, with pictures."""

from __future__ import annotations

import base64
import html
from dataclasses import replace
from importlib import resources
from pathlib import Path
from string import Template

import cv2
import numpy as np

from calibration.calibrate import Calibration
from calibration.detector import Detector, Inspection, Verdict
from calibration.images import read_image
from calibration.pictures import heat_map
from calibration.threshold import Threshold
from kernels.container import replace_file

_UNUSUAL_SHOWN = 6
_SUSPICIOUS_SHOWN = 24
_HISTOGRAM_BARS = 30


def write_report(path: Path, calibration: Calibration, detector: Detector) -> float:
    """Write the report.

    Args:
        path: of the HTML file.
        calibration: what to report on.
        detector: made from its model.

    Returns:
        The median latency of the inspections made for the pictures, in milliseconds.
    """
    names = {one.file for one in calibration.suspicious}
    order = [i for i in np.argsort(-calibration.scores) if calibration.held_out[i] not in names]
    figures, latencies = [], []
    for place in order[:_UNUSUAL_SHOWN]:
        file = calibration.held_out[place]
        image = read_image(file)
        inspection = detector.inspect(image)
        latencies.append(inspection.latency.total_ms)
        # The model knows this part; what it said before it did is what is shown.
        unseen = _unseen(calibration, int(place), inspection)
        caption = f"{file.name}: {unseen.score:.1f} bits"
        figures.append(_figure(heat_map(detector, image, unseen), caption))
    latency_ms = float(np.median(latencies[1:]))
    model = calibration.model
    subtitle = f"{model.origin['good_images']} good images, calibrated {model.origin['made_at']}"
    template = Template(resources.files("calibration").joinpath("report.html").read_text("utf-8"))
    text = template.substitute(
        title=html.escape(f"Calibration of {path.stem}"),
        subtitle=html.escape(subtitle),
        promise=html.escape(
            f"Threshold {calibration.threshold.value:.1f} of {model.bits} bits:"
            f" {calibration.threshold.sentence}."
        ),
        suspicious=_suspicious(calibration, detector),
        histogram=histogram(calibration.scores, calibration.threshold),
        pictures="\n".join(figures),
        trials=_trials(calibration),
        rows="\n".join(
            f"<tr><td>{html.escape(key)}</td><td>{html.escape(value)}</td></tr>"
            for key, value in _facts(calibration, detector, latency_ms)
        ),
    )
    replace_file(path, text.encode())
    return latency_ms


def _unseen(calibration: Calibration, place: int, inspection: Inspection) -> Inspection:
    anomaly_map = calibration.maps[place]
    score = float(calibration.scores[place])
    verdict = Verdict.NG if calibration.threshold.is_ng(score) else Verdict.OK
    return replace(inspection, map=anomaly_map, score=score, verdict=verdict)


def _suspicious(calibration: Calibration, detector: Detector) -> str:
    parts = [
        f"<p><strong>Please check: {html.escape(text)}.</strong></p>"
        for text in calibration.warnings
    ]
    if calibration.suspicious:
        left_out = sum(one.left_out for one in calibration.suspicious)
        parts.append(
            "<h2>Are these good parts?</h2>\n"
            f'<p class="soft">{len(calibration.suspicious)} images look unlike all others.'
            f" {left_out} of them stand so clearly apart that the model was made without them;"
            " if they are good, calibrate again with --keep-all, better with more images like them."
            " If others are defective, take them out of the folder and calibrate again.</p>"
        )
    for one in calibration.suspicious[:_SUSPICIOUS_SHOWN]:
        image = read_image(one.file)
        inspection = detector.inspect(image)
        if not one.left_out:
            place = calibration.held_out.index(one.file)
            inspection = _unseen(calibration, place, inspection)
        fate = "left out" if one.left_out else "used"
        caption = f"{one.file.name}: {inspection.score:.1f} bits, {fate}"
        parts.append(_figure(heat_map(detector, image, inspection), caption))
    return "\n".join(parts)


def _facts(
    calibration: Calibration, detector: Detector, latency_ms: float
) -> list[tuple[str, str]]:
    model = calibration.model
    preparation = model.preparation
    roi = preparation.roi
    facts = [
        ("camera images", f"{preparation.image_width} x {preparation.image_height} px"),
        ("inspected region", f"{roi.width} x {roi.height} px at {roi.x}, {roi.y}"),
        ("network input", f"{preparation.input_width} x {preparation.input_height} px"),
        ("backbone", model.network.name),
        ("patches", "; ".join(calibration.patches)),
        (
            "memory bank",
            f"{len(model.bank)} patches; what is seen is {calibration.pose.words}:"
            f" {model.origin['reasons']['pose']}",
        ),
        ("maps", f"{model.scoring.steps.words}: {model.origin['reasons']['map']}"),
        (
            "whole pictures",
            ("compared by their own median" if model.scoring.usual_median else "taken as they are")
            + f"; {model.origin['reasons']['drift']}",
        ),
        ("setup", f"{calibration.choice.setup.words}: {calibration.choice.reason}"),
        ("good images", f"{len(calibration.held_out)}, each held out once"),
        (
            "inspection on the calibrating machine",
            f"{latency_ms:.1f} ms ({detector.backend.reason})",
        ),
    ]
    if calibration.skipped:
        facts.append(("files passed over", "; ".join(calibration.skipped)))
    return facts


def _trials(calibration: Calibration) -> str:
    """The setups that were tried, as a section of the report."""
    choice = calibration.choice
    if not choice.trials:
        return ""
    rows = []
    for trial in choice.trials:
        words = html.escape(trial.setup.words)
        if trial.setup == choice.setup:
            words = f"<strong>{words}</strong>"
        rows.append(
            f"<tr><td>{words}</td><td>{trial.found:.3f}</td><td>{trial.ms:.1f} ms</td></tr>"
        )
    return (
        "<h2>Setups that were tried</h2>\n"
        '<p class="soft">On some of the good images defects were drawn, many of them hard to see.'
        " The AUROC says how well a setup tells these pictures from the same ones without: 1 is"
        " always, 0.5 is guessing. It compares setups with each other; real defects are others."
        "</p>\n<table><tr><td></td><td>AUROC</td><td>time here</td></tr>\n"
        + "\n".join(rows)
        + "</table>"
    )


def _figure(picture: np.ndarray, caption: str) -> str:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    encoded = base64.b64encode(data.tobytes()).decode()
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{encoded}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def histogram(scores: np.ndarray, threshold: Threshold) -> str:
    """Scores of good parts and the threshold, as an SVG element."""
    width, height, foot = 760, 220, 24
    low = float(scores.min())
    high = max(float(scores.max()), threshold.value)
    spread = max(high - low, 1e-6)
    low, high = low - 0.05 * spread, high + 0.1 * spread
    counts, edges = np.histogram(scores, bins=_HISTOGRAM_BARS, range=(low, high))
    tallest = max(1, int(counts.max()))

    def across(value: float) -> float:
        return (value - low) / (high - low) * width

    step = width / _HISTOGRAM_BARS
    parts = [f'<svg viewBox="0 0 {width} {height + foot}" role="img" aria-label="histogram">']
    for count, edge in zip(counts, edges[:-1], strict=True):
        tall = (height - 20) * count / tallest
        if count:
            parts.append(
                f'<rect class="bar" x="{across(edge) + 1:.1f}" y="{height - tall:.1f}"'
                f' width="{step - 2:.1f}" height="{tall:.1f}"><title>{count}</title></rect>'
            )
    parts.append(f'<line class="axis" x1="0" y1="{height}" x2="{width}" y2="{height}"/>')
    for value in np.linspace(low, high, 6)[:-1]:
        parts.append(f'<text x="{across(value):.1f}" y="{height + 16}">{value:.0f}</text>')
    parts.append(f'<text x="{width}" y="{height + 16}" text-anchor="end">bits</text>')
    at = across(threshold.value)
    parts.append(f'<line class="limit" x1="{at:.1f}" y1="0" x2="{at:.1f}" y2="{height}"/>')
    parts.append(
        f'<text class="limit-text" x="{at - 6:.1f}" y="12" text-anchor="end">'
        f"threshold {threshold.value:.1f}</text></svg>"
    )
    return "".join(parts)
