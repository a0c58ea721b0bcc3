"""Defects drawn on pictures of good parts, to compare setups before a part has any.

Four kinds, after what inspection sets contain: a hairline, a spot, a piece of the part in the wrong
place (CutPaste: Li et al., 2021) and a place that is smeared. Their sizes are shares of the part's
own size and their strengths reach down to what can hardly be seen: setups are told apart
by defects that not all of them find.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def with_defect(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy of a picture with one defect somewhere on it.

    Args:
        image: uint8 (h, w, 3) or (h, w).
        rng: decides about everything.
    """
    draw = _KINDS[int(rng.integers(len(_KINDS)))]
    out = image.astype(np.float32)
    draw(out, rng)
    return np.clip(out, 0, 255).astype(np.uint8)


def in_other_light(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A picture as it might be another day: brightness and contrast differ, and often focus.

    Args:
        image: uint8 (h, w, 3) or (h, w).
        deviation: standard deviation of the logarithms of the two factors.
        rng: decides.
    """
    mean = np.float32(image.mean())
    contrast, brightness = np.exp(rng.normal(0, deviation, 2)).astype(np.float32)
    out = (image.astype(np.float32) - mean) * contrast + mean * brightness
    if rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 0.8))
    return np.clip(out, 0, 255).astype(np.uint8)


def _spread(image: np.ndarray) -> float:
    """How far the picture's own grey values lie apart, at least a little."""
    low, high = np.percentile(image[::4, ::4], (2, 98))
    return max(float(high - low), 40.0)


def _place(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    return rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))


def _size(image: np.ndarray, rng: np.random.Generator, low: float, high: float) -> float:
    side = float(np.sqrt(image.shape[0] * image.shape[1]))
    return side * float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _stain(image: np.ndarray, coverage: np.ndarray, rng: np.random.Generator) -> None:
    strength = np.exp(rng.uniform(np.log(0.2), np.log(1.0))) * _spread(image)
    if rng.random() < 0.6:
        strength = -strength
    change = np.float32(strength) * coverage
    image += change if image.ndim == 2 else change[..., None]


def _hairline(image: np.ndarray, rng: np.random.Generator) -> None:
    steps = 40
    turns = rng.normal(0, 0.2, steps).cumsum() + rng.uniform(0, 2 * np.pi)
    length = _size(image, rng, 0.08, 0.4) / steps
    path = _place(image, rng) + length * np.column_stack([np.cos(turns), np.sin(turns)]).cumsum(0)
    coverage = np.zeros(image.shape[:2], np.float32)
    points = np.round(path * 8).astype(np.int32).reshape(-1, 1, 2)
    thickness = max(1, round(_size(image, rng, 0.005, 0.015)))
    cv2.polylines(coverage, [points], False, 1.0, thickness, cv2.LINE_AA, 3)
    _stain(image, cv2.GaussianBlur(coverage, (0, 0), 0.7), rng)


def _spot(image: np.ndarray, rng: np.random.Generator) -> None:
    coverage = np.zeros(image.shape[:2], np.float32)
    axes = [max(1, round(_size(image, rng, 0.008, 0.05))) for _ in range(2)]
    x, y = (round(v) for v in _place(image, rng))
    cv2.ellipse(coverage, (x, y), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
    _stain(image, cv2.GaussianBlur(coverage, (0, 0), max(0.7, 0.3 * min(axes))), rng)


def _window(image: np.ndarray, rng: np.random.Generator) -> tuple[slice, slice]:
    height, width = (max(4, round(_size(image, rng, 0.05, 0.2))) for _ in range(2))
    height, width = min(height, image.shape[0] // 2), min(width, image.shape[1] // 2)
    top = int(rng.integers(image.shape[0] - height + 1))
    left = int(rng.integers(image.shape[1] - width + 1))
    return slice(top, top + height), slice(left, left + width)


def _soft_edge(shape: tuple[int, ...]) -> np.ndarray:
    inside = np.zeros(shape[:2], np.float32)
    border = max(1, min(shape[:2]) // 6)
    inside[border:-border, border:-border] = 1
    soft = cv2.GaussianBlur(inside, (0, 0), border / 2)
    return soft if len(shape) == 2 else soft[..., None]


def _misplaced(image: np.ndarray, rng: np.random.Generator) -> None:
    here = _window(image, rng)
    shape = image[here].shape
    top = int(rng.integers(image.shape[0] - shape[0] + 1))
    left = int(rng.integers(image.shape[1] - shape[1] + 1))
    piece = image[top : top + shape[0], left : left + shape[1]].copy()
    soft = _soft_edge(shape)
    image[here] += soft * (piece - image[here])


def _smeared(image: np.ndarray, rng: np.random.Generator) -> None:
    here = _window(image, rng)
    sigma = _size(image, rng, 0.01, 0.04)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)[here]
    image[here] += _soft_edge(image[here].shape) * (blurred - image[here])


_KINDS: tuple[Callable[[np.ndarray, np.random.Generator], None], ...] = (
    _hairline,
    _spot,
    _misplaced,
    _smeared,
)
