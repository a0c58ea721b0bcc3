"""Lines and blobs with soft edges, narrower than a pixel if need be: what defects are made of.

All functions give a coverage: float32 (h, w), the share of each pixel that is covered, 0 to 1.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

Point = tuple[float, float]
"""x and y in pixels; the centre of the first pixel is (0, 0)."""

OVERSAMPLING = 4
"""Shapes are drawn this many times larger, then averaged down."""
_FRACTION_BITS = 4
_MARGIN_PX = 2


def wander(
    rng: np.random.Generator,
    start: Point,
    heading_rad: float,
    length_px: float,
    *,
    bend_rad: float,
    jitter_rad: float = 0.0,
) -> np.ndarray:
    """float64 (n, 2), the points of a path about two pixels apart.

    Args:
        rng: decides the path's shape.
        start: where the path begins.
        heading_rad: where it goes at first; 0 is right, a quarter turn is down.
        length_px: how long it is.
        bend_rad: how far it typically turns over its whole length, smoothly.
        jitter_rad: how far each step strays from that, which makes the path jagged.
    """
    steps = max(2, round(length_px / 2))
    bend = np.cumsum(rng.normal(0, 1, steps)) * bend_rad / np.sqrt(steps)
    heading = heading_rad + bend + rng.normal(0, 1, steps) * jitter_rad
    moves = np.column_stack([np.cos(heading), np.sin(heading)]) * (length_px / steps)
    return np.vstack([[start], start + np.cumsum(moves, axis=0)])


def line(shape: tuple[int, int], points: np.ndarray, width_px: float) -> np.ndarray:
    """Coverage of a path (n, 2) of that width; a width below a pixel covers less of each pixel."""
    return _draw(shape, points, width_px, filled=False)


def area(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """Coverage of the inside of a closed path (n, 2)."""
    return _draw(shape, points, 1.0, filled=True)


def outline(
    rng: np.random.Generator, centre: Point, radius_px: float, roughness: float, stretch: float = 1
) -> np.ndarray:
    """float64 (96, 2), the edge of an irregular blob.

    Args:
        rng: decides the shape.
        centre: of the blob.
        radius_px: mean radius.
        roughness: 0 for an ellipse; 0.3 for a splash.
        stretch: how much longer than wide.
    """
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radius = np.ones_like(angle)
    for waves in range(2, 9):
        radius += roughness / waves * rng.normal() * np.cos(waves * angle + rng.uniform(0, 6.28))
    radius = radius_px * np.clip(radius, 0.4, 1.8)
    along = radius * np.cos(angle) * np.sqrt(stretch)
    across = radius * np.sin(angle) / np.sqrt(stretch)
    turn = rng.uniform(0, np.pi)
    x = centre[0] + along * np.cos(turn) - across * np.sin(turn)
    y = centre[1] + along * np.sin(turn) + across * np.cos(turn)
    return np.column_stack([x, y])


def _draw(
    shape: tuple[int, int], points: np.ndarray, width_px: float, *, filled: bool
) -> np.ndarray:
    coverage = np.zeros(shape, np.float32)
    height, width = shape
    margin = _MARGIN_PX + width_px
    left, top = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(points.max(0) + margin), [width, height]).astype(int)
    if left >= right or top >= bottom:
        return coverage
    canvas = np.zeros(((bottom - top) * OVERSAMPLING, (right - left) * OVERSAMPLING), np.uint8)
    scaled = (points - [left, top] + 0.5) * OVERSAMPLING - 0.5
    fixed = np.round(scaled * (1 << _FRACTION_BITS)).astype(np.int32).reshape(-1, 1, 2)
    if filled:
        cv2.fillPoly(canvas, [fixed], 255, cv2.LINE_8, _FRACTION_BITS)
        ink = 1.0
    else:
        # OpenCV draws lines of 1, and lines of an even thickness one wider: 1, 3, 5, ... pixels.
        wanted = width_px * OVERSAMPLING
        drawn = 2 * max(0, math.ceil((wanted - 1.5) / 2)) + 1
        thickness = max(1, drawn - 1)
        cv2.polylines(canvas, [fixed], False, 255, thickness, cv2.LINE_8, _FRACTION_BITS)
        ink = min(1.0, wanted / drawn)
    small = cv2.resize(canvas, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    coverage[top:bottom, left:right] = small.astype(np.float32) * np.float32(ink / 255)
    return coverage
