"""The printed label in the middle of every part: a white disc with a blue ring, text and a code."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_OVERSAMPLING = 4
_PAPER_BGR = (222, 228, 230)
_RING_BGR = (150, 84, 32)
INK_BGR = (46, 40, 38)
"""Colour of the print, uint8 blue, green, red."""

# A part marking of 12 x 12 modules, drawn once by hand: solid left and bottom edge, clock tracks
# at the top and right, as a data matrix has them. It carries no message.
_CODE = (
    "101010101010",
    "110010111001",
    "101101001110",
    "111000101011",
    "100110110100",
    "101011000111",
    "110100101010",
    "100111010001",
    "111001101100",
    "101100011011",
    "110010110100",
    "111111111111",
)


@dataclass(frozen=True, eq=False)
class Label:
    """The label upright, as (2r, 2r) pictures with its centre in the middle.

    Attributes:
        paper: uint8 (2r, 2r, 3), the disc and its ring, without print.
        coverage: float32 (2r, 2r), how much of each pixel the disc covers.
        ink: float32 (2r, 2r), how much of each pixel the print covers.
    """

    paper: np.ndarray
    coverage: np.ndarray
    ink: np.ndarray


def draw_label(radius_px: int) -> Label:
    """Draw the label of that radius."""
    side = 2 * radius_px * _OVERSAMPLING
    middle, radius = side // 2, radius_px * _OVERSAMPLING - 2 * _OVERSAMPLING
    disc = np.zeros((side, side), np.uint8)
    cv2.circle(disc, (middle, middle), radius, 255, -1)
    paper = np.full((side, side, 3), _PAPER_BGR, np.uint8)
    cv2.circle(paper, (middle, middle), round(0.90 * radius), _RING_BGR, round(0.11 * radius))
    return Label(
        _shrink(paper),
        _shrink(disc).astype(np.float32) / np.float32(255),
        _shrink(_print(side, radius)).astype(np.float32) / np.float32(255),
    )


def _print(side: int, radius: int) -> np.ndarray:
    ink = np.zeros((side, side), np.uint8)
    middle = side // 2
    module = max(1, round(0.56 * radius / len(_CODE)))
    code = np.array([[int(cell) for cell in row] for row in _CODE], np.uint8) * 255
    code = np.kron(code, np.ones((module, module), np.uint8))
    top, left = middle - round(0.66 * radius), middle - code.shape[1] // 2
    ink[top : top + code.shape[0], left : left + code.shape[1]] = code
    _centred(ink, "CAP 40-6", middle + round(0.22 * radius), 0.21 * radius, 0.045 * radius)
    _centred(ink, "PN 16  A2", middle + round(0.50 * radius), 0.16 * radius, 0.036 * radius)
    return ink


def _centred(canvas: np.ndarray, text: str, baseline: int, height: float, stroke: float) -> None:
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(stroke))
    scale = cv2.getFontScaleFromHeight(font, max(1, round(height)), thickness)
    (width, _), _ = cv2.getTextSize(text, font, scale, thickness)
    origin = (canvas.shape[1] // 2 - width // 2, baseline)
    cv2.putText(canvas, text, origin, font, scale, 255, thickness, cv2.LINE_AA)


def _shrink(image: np.ndarray) -> np.ndarray:
    side = image.shape[0] // _OVERSAMPLING
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
