"""What goes wrong with a part. Each defect is a function that draws it and says where it is.

All take the same arguments: the part, drawn on in place; how subtle the defect is, from 0 (blatant)
to 1 (hardly above the sensor's noise); and a generator that decides its place and shape. The same
generator gives the same shape however subtle it is: only the contrast fades. All return the mask:
bool (s, s), the defect's pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_agent.simulator import strokes
from edge_agent.simulator.part_picture import TOWARDS_LIGHT, PartPicture

Defect = Callable[[PartPicture, float, np.random.Generator], np.ndarray]

_FAINTEST = 0.04
"""Contrast at subtlety 1, as a share of that at 0: a few grey levels."""

_COVERED = 0.05
"""A pixel belongs to a defect if at least this share of it is covered."""


def scratch(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A long thin groove: bright on one flank, dark on the other."""
    length = part.radius_px * rng.uniform(0.5, 1.1)
    heading = rng.uniform(0, 2 * np.pi)
    middle = _place(part, rng, 0.5, 0.78)
    start = (
        middle[0] - length / 2 * np.cos(heading),
        middle[1] - length / 2 * np.sin(heading),
    )
    path = strokes.wander(rng, start, heading, length, bend_rad=0.2)
    width = max(1.0, part.radius_px * rng.uniform(0.010, 0.020))
    bright = strokes.line(part.shape, path, width)
    dark = strokes.line(part.shape, path - width * np.array(TOWARDS_LIGHT), width)
    dark = np.maximum(dark - bright, 0)
    strength = _strength(subtlety)
    _tint(part, 0.75 * dark * strength, (38, 38, 40))
    _tint(part, 0.95 * bright * strength, (252, 252, 250))
    return _mask(part, np.maximum(bright, dark))


def dent(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A shallow hollow or bump from a knock, seen only by how it takes the light."""
    x, y = _place(part, rng, 0.55, 0.85)
    radius = part.radius_px * rng.uniform(0.10, 0.17)
    stretch, turn = rng.uniform(1.0, 1.6), rng.uniform(0, np.pi)
    hollow = 1.0 if rng.random() < 0.7 else -1.0
    dx, dy = _offsets(part, x, y)
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / (radius * np.sqrt(stretch))
    across = (dy * np.cos(turn) - dx * np.sin(turn)) / (radius / np.sqrt(stretch))
    inside = np.clip(1 - along**2 - across**2, 0, 1)
    # The slope of the hollow (1 - r^2)^2, along the light; its steepest value is about 1.
    slope = 1.3 * inside * (dx * TOWARDS_LIGHT[0] + dy * TOWARDS_LIGHT[1]) / radius
    shade = -hollow * 230 * slope - 30 * inside**2
    _shade(part, shade * _strength(subtlety))
    return _mask(part, (inside > 0.03).astype(np.float32))


def stain(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A dried drop of oil or coolant: a brown film, darker at its edge."""
    centre = _place(part, rng, 0.15, 0.72)
    radius = part.radius_px * rng.uniform(0.11, 0.22)
    shape = strokes.outline(rng, centre, radius, roughness=0.3, stretch=rng.uniform(1, 1.7))
    body = strokes.area(part.shape, shape)
    inner = cv2.GaussianBlur(body, (0, 0), max(1.0, 0.13 * radius))
    film = body * (0.62 + 0.38 * np.clip(2.2 * (1 - inner), 0, 1))
    colour = np.array([26, 58, 84], np.float32) + rng.uniform(-10, 10)
    _tint(part, 0.84 * film * _strength(subtlety), tuple(colour))
    return _mask(part, body)


def missing_hole(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A bolt hole that was not drilled; the subtler, the deeper the drill got."""
    hole = part.holes[int(rng.integers(len(part.holes)))]
    dx, dy = _offsets(part, hole.x, hole.y)
    cover = np.clip(hole.radius_px + 0.5 - np.hypot(dx, dy), 0, 1)
    _uncover(part, cover * _strength(subtlety))
    return np.asarray(cover >= _COVERED)


def missing_print(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A stripe of the label without its print; the subtler, the more ink is left."""
    radius = part.radius_px
    middle = part.centre[1] + radius * rng.uniform(-0.16, 0.24)
    half = radius * rng.uniform(0.08, 0.14)
    _, dy = _offsets(part, part.centre[0], middle)
    stripe = np.clip(half + 0.5 - np.abs(dy), 0, 1) * (part.ink > 0.05)
    _uncover(part, stripe * _strength(subtlety))
    return _mask(part, stripe)


def crack(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A jagged dark line from the rim inwards, with a branch."""
    angle = rng.uniform(0, 2 * np.pi)
    radius = part.radius_px
    start = (
        part.centre[0] + 0.99 * radius * np.cos(angle),
        part.centre[1] + 0.99 * radius * np.sin(angle),
    )
    inwards = angle + np.pi + rng.normal(0, 0.3)
    length = radius * rng.uniform(0.35, 0.7)
    path = strokes.wander(rng, start, inwards, length, bend_rad=0.5, jitter_rad=0.55)
    fork = path[len(path) // 2]
    turn = inwards + rng.choice([-1, 1]) * rng.uniform(0.5, 0.9)
    branch = strokes.wander(
        rng, (fork[0], fork[1]), turn, 0.4 * length, bend_rad=0.4, jitter_rad=0.5
    )
    width = max(1.0, 0.015 * radius)
    gap = np.maximum(
        strokes.line(part.shape, path, width), strokes.line(part.shape, branch, 0.7 * width)
    )
    _tint(part, 0.95 * gap * _strength(subtlety), (16, 16, 18))
    return _mask(part, gap)


def fibre(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A curled thread of lint that fell on the part, with its thin shadow."""
    start = _place(part, rng, 0.1, 0.65)
    length = part.radius_px * rng.uniform(0.5, 0.9)
    heading = rng.uniform(0, 2 * np.pi)
    path = strokes.wander(rng, start, heading, length, bend_rad=2.4)
    width = max(1.2, 0.017 * part.radius_px)
    thread = strokes.line(part.shape, path, width)
    shadow = strokes.line(part.shape, path - 1.6 * width * np.array(TOWARDS_LIGHT), width)
    shadow = np.maximum(shadow - thread, 0)
    colours = ((168, 66, 28), (40, 36, 190), (34, 32, 32), (70, 120, 28))
    strength = _strength(subtlety)
    _tint(part, 0.45 * shadow * strength, (30, 30, 30))
    _tint(part, 0.92 * thread * strength, colours[int(rng.integers(len(colours)))])
    return _mask(part, np.maximum(thread, shadow))


def chip(part: PartPicture, subtlety: float, rng: np.random.Generator) -> np.ndarray:
    """A piece broken off the rim: a dark, uneven fracture with a bright lip."""
    angle = rng.uniform(0, 2 * np.pi)
    radius = part.radius_px
    centre = (
        part.centre[0] + 0.97 * radius * np.cos(angle),
        part.centre[1] + 0.97 * radius * np.sin(angle),
    )
    shape = strokes.outline(rng, centre, radius * rng.uniform(0.09, 0.15), 0.35, 1.4)
    body = strokes.area(part.shape, shape)
    facets = cv2.resize(rng.standard_normal((24, 24), np.float32), part.shape[::-1])
    wall = np.maximum(body - strokes.area(part.shape, centre + (shape - centre) * 0.8), 0)
    dx, dy = _offsets(part, *centre)
    # The wall on the light's side lies in shadow, the opposite one is lit.
    lit = -(dx * TOWARDS_LIGHT[0] + dy * TOWARDS_LIGHT[1]) / np.maximum(np.hypot(dx, dy), 1)
    strength = _strength(subtlety)
    _tint(part, 0.85 * body * strength, (70, 72, 76))
    _shade(part, (14 * facets * body + 85 * lit * wall) * strength)
    return _mask(part, body)


DEFECTS: dict[str, Defect] = {
    "scratch": scratch,
    "dent": dent,
    "stain": stain,
    "missing_hole": missing_hole,
    "missing_print": missing_print,
    "crack": crack,
    "fibre": fibre,
    "chip": chip,
}
"""Every defect by its name."""


def _strength(subtlety: float) -> float:
    return _FAINTEST + (1 - _FAINTEST) * float((1 - subtlety) ** 1.5)


def _place(
    part: PartPicture, rng: np.random.Generator, nearest: float, farthest: float
) -> tuple[float, float]:
    """A point at a distance from the part's centre, in shares of its radius."""
    angle, distance = rng.uniform(0, 2 * np.pi), part.radius_px * rng.uniform(nearest, farthest)
    x, y = part.centre
    return float(x + distance * np.cos(angle)), float(y + distance * np.sin(angle))


def _offsets(part: PartPicture, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    """float32 (1, s) and (s, 1): each pixel's distance from a point, along x and along y."""
    height, width = part.shape
    dx = (np.arange(width) - x).astype(np.float32)[None, :]
    dy = (np.arange(height) - y).astype(np.float32)[:, None]
    return dx, dy


def _tint(part: PartPicture, cover: np.ndarray, colour: tuple[float, ...]) -> None:
    """Mix a colour into the picture where it is covered, where there is steel."""
    region = _around(cover)
    patch = part.picture[region]
    cover = (cover[region] * part.solid[region])[..., None]
    _store(patch, patch + (np.array(colour, np.float32) - patch) * cover)


def _shade(part: PartPicture, grey_levels: np.ndarray) -> None:
    """Make the picture brighter or darker, where there is steel."""
    region = _around(grey_levels)
    patch = part.picture[region]
    _store(patch, patch + (grey_levels[region] * part.solid[region])[..., None])


def _uncover(part: PartPicture, cover: np.ndarray) -> None:
    """Show the part as it is without holes and print, where covered."""
    region = _around(cover)
    patch = part.picture[region]
    _store(
        patch, patch + (part.blank[region].astype(np.float32) - patch) * cover[region][..., None]
    )


def _around(values: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle that holds everything but zeros."""
    x, y, width, height = cv2.boundingRect((values != 0).astype(np.uint8))
    return np.s_[y : y + height, x : x + width]


def _store(patch: np.ndarray, values: np.ndarray) -> None:
    patch[:] = np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _mask(part: PartPicture, cover: np.ndarray) -> np.ndarray:
    return np.asarray(cover * part.solid >= _COVERED)
