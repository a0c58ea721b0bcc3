"""Pictures for people: where on the part it looks unusual."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.detector import Detector, Inspection, Verdict

_BAR_WIDTH = 14
_GAP = 6
_MARGIN = 44
_INK = (40, 40, 40)
_PAPER = (250, 250, 250)
_OUTLINE = {Verdict.OK: (90, 160, 60), Verdict.NG: (40, 40, 220)}


def heat_map(detector: Detector, image: np.ndarray, inspection: Inspection) -> np.ndarray:
    """The image with its anomaly map, the regions outlined, and a colour bar.

    Colours begin at half the threshold and end at one and a half: what is plainly normal stays
    as the camera saw it.

    Args:
        detector: that made the inspection.
        image: uint8 (h, w, 3) blue first, or (h, w) grey.
        inspection: of this image.

    Returns:
        uint8 (h', w', 3), blue first; at least 256 pixels high.
    """
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    height, width = image.shape[:2]
    full = detector.full_map(inspection, height, width)
    zoom = max(1.0, 256 / height)
    size = (round(width * zoom), round(height * zoom))
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    full = cv2.resize(full, size, interpolation=cv2.INTER_LINEAR)
    level = np.clip(full / inspection.threshold - 0.5, 0, 1)
    colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = 0.65 * np.clip(level * 2, 0, 1)[..., None]
    out = (image * (1 - weight) + colours * weight).astype(np.uint8)
    above = (full > inspection.threshold).astype(np.uint8)
    outlines, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(out, outlines, -1, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.drawContours(out, outlines, -1, _OUTLINE[Verdict.NG], 1, cv2.LINE_AA)
    return _framed(out, inspection)


def _framed(picture: np.ndarray, inspection: Inspection) -> np.ndarray:
    height, width = picture.shape[:2]
    title = 24
    canvas = np.full((height + title, width + _GAP + _BAR_WIDTH + _MARGIN, 3), _PAPER, np.uint8)
    canvas[title:, :width] = picture
    ramp = np.linspace(255, 0, height).astype(np.uint8)[:, None].repeat(_BAR_WIDTH, 1)
    left = width + _GAP
    canvas[title:, left : left + _BAR_WIDTH] = cv2.applyColorMap(ramp, cv2.COLORMAP_TURBO)
    for share, value in ((0.0, 1.5), (0.5, 1.0), (1.0, 0.5)):
        y = title + round(share * (height - 1))
        label = f"{inspection.threshold * value:.0f}"
        cv2.line(canvas, (left, y), (left + _BAR_WIDTH, y), _INK, 1)
        baseline = min(max(y + 4, title + 10), title + height - 3)
        _write(canvas, label, (left + _BAR_WIDTH + 4, baseline), 0.36, _INK)
    text = f"{inspection.verdict.value}  {inspection.score:.1f} / {inspection.threshold:.1f} bits"
    _write(canvas, text, (4, 16), 0.42, _OUTLINE[inspection.verdict])
    return canvas


def _write(
    canvas: np.ndarray, text: str, at: tuple[int, int], scale: float, ink: tuple[int, int, int]
) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
