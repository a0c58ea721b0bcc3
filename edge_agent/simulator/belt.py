"""What does not belong to a part: the green belt, endless, and the rails that guide it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.simulator.optics import Optics
from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

_BELT_BGR = np.array([60, 79, 52], np.float32)
_RAIL_BGR = np.array([1.0, 0.99, 0.97], np.float32)
_LAP_FRAMES = 3.2
"""Length of the belt until it repeats, in widths of a frame."""


class Belt:
    """The belt, drawn once; a frame shows a stretch of it. Threads may share it."""

    def __init__(self, settings: SimulatorSettings, optics: Optics) -> None:
        rng = generator(settings.machine_seed, Topic.BELT)
        self._width = settings.width_px
        self._lap = round(_LAP_FRAMES * settings.width_px)
        grey = _weave(rng, settings.height_px, self._lap)
        grey += _wear(rng, settings.height_px, self._lap)
        grey += _seam(settings.height_px, self._lap)
        endless = np.hstack([grey[:, -64:], grey, grey[:, :64]])
        seen = optics.see(endless)[:, 64:-64]
        lap = np.clip(_BELT_BGR * (1 + seen[..., None]), 0, 255).astype(np.uint8)
        self._picture = np.hstack([lap, lap[:, : self._width]])

    def stretch(self, moved_px: int) -> np.ndarray:
        """uint8 (h, w, 3), a view of what the frame shows after the belt has moved so far."""
        left = -moved_px % self._lap
        return self._picture[:, left : left + self._width]


def draw_rail(settings: SimulatorSettings) -> np.ndarray:
    """uint8 (rail, w, 3), the upper guide rail, a brushed profile; the lower one is its mirror."""
    rng = generator(settings.machine_seed, Topic.BELT, 1)
    height, width = settings.rail_px, settings.width_px
    across = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    # Lit upper edge, flat face with a slot in it, and the inner edge that drops to the belt.
    grey: np.ndarray = np.select(
        [across < 0.10, across < 0.42, across < 0.56, across < 0.9], [176, 142, 54, 134], 74
    ).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), sigmaX=0.1, sigmaY=0.9)
    brush = cv2.GaussianBlur(
        rng.standard_normal((height, width), np.float32), (0, 0), sigmaX=24, sigmaY=0.5
    )
    grey = grey * (1 + 0.035 * brush / brush.std())
    colour = np.clip(grey[..., None] * _RAIL_BGR, 0, 255)
    return np.asarray(colour, np.uint8)


def _endless_noise(
    rng: np.random.Generator, height: int, lap: int, along_px: float, across_px: float
) -> np.ndarray:
    """float32 (h, lap), unit deviation, whose right edge continues at its left."""
    coarse = max(1, int(along_px / 6))  # long waves need few samples
    samples = -(-lap // coarse)
    noise: np.ndarray = rng.standard_normal((height, samples), np.float32)
    border = min(samples, int(4 * along_px / coarse) + 1)
    wide: np.ndarray = np.hstack([noise[:, -border:], noise, noise[:, :border]])
    wide = cv2.GaussianBlur(wide, (0, 0), sigmaX=along_px / coarse, sigmaY=across_px)
    wide = cv2.resize(wide, (round(wide.shape[1] * lap / samples), height))
    start = round(border * lap / samples)
    found = wide[:, start : start + lap]
    return np.asarray(found / found.std())


def _weave(rng: np.random.Generator, height: int, lap: int) -> np.ndarray:
    """float32 (h, lap), the fabric that shows through the belt's cover, as shares of its tone."""
    threads = round(lap / 5)
    x = np.arange(lap, dtype=np.float32)[None, :] * np.float32(2 * np.pi * threads / lap)
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(2 * np.pi / 4.6)
    fabric = 0.035 * np.sin(x) * np.sin(y) + 0.02 * np.sin(y)
    grain = 0.05 * _endless_noise(rng, height, lap, 0.7, 0.7)
    return np.asarray(fabric + grain + 0.025 * _endless_noise(rng, height, lap, 26, 14))


def _wear(rng: np.random.Generator, height: int, lap: int) -> np.ndarray:
    """float32 (h, lap): where parts have slid for years, streaks along the travel and scuffs."""
    streaks = 0.04 * _endless_noise(rng, height, lap, 90, 1.6)
    across = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    wear = streaks * np.exp(-((across / 0.7) ** 2)) + 0.10 * np.exp(-((across / 0.5) ** 2))
    scuffs = np.zeros((height, lap), np.float32)
    for _ in range(round(lap / 90)):
        start = rng.uniform([0, 0.15 * height], [lap, 0.85 * height])
        end = start + rng.normal(0, [26, 5])
        ink = float(rng.uniform(-0.10, 0.12))
        line = [tuple(int(v) for v in np.round(point * 8)) for point in (start, end)]
        cv2.line(scuffs, line[0], line[1], ink, 1, cv2.LINE_AA, 3)
    return np.asarray(wear + scuffs)


def _seam(height: int, lap: int) -> np.ndarray:
    """float32 (h, lap): the slanted joint where the belt was closed to a loop."""
    x = np.arange(lap, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    beside = np.abs(x - 0.3 * lap * (1 + y / height))
    seam = 0.05 * np.exp(-((beside / 6.0) ** 2)) - 0.16 * np.exp(-((beside / 1.4) ** 2))
    return np.asarray(seam)
