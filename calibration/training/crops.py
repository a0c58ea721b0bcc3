"""Training crops: natural photographs, drawn textures, and small marks on both.

A backbone for inspection must separate what photographs rarely contain: grain, brushed metal,
print, hairline cracks. A part of the crops is therefore drawn from noise, and small marks (lines,
spots, characters) are put on some of all crops, so that the student sees the teachers react to
them. Others are smooth, as most parts are: what little differs there is a defect.

Teachers and student see the same crop: light is made even before a picture reaches the network
(:mod:`calibration.preparation`), so there is no lamp that it would have to look past.

Some crops are seen twice, the second time as a camera would see the next part: a little moved, in
slightly other light, with other noise. Of a drawn texture it is another place, as no grain comes
twice, a little coarser or finer and of other contrast, or bits learn to know the single grains of a
place and find the next part's strange; a smooth part lies otherwise. Defects are drawn on that
second view, some of them in colour, and the batch says where, so that the student can be told what
to overlook and what not.

Every crop is a function of (seed, number): a stopped run goes on as if it had not stopped.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from calibration.synthetic import with_defect

ARCHIVES = ("caltech101.zip", "grocery.zip", "clothing.zip")

_TEXTURES = 0.25  # of the crops
_SMOOTH = 0.2
_TEXTURES_SEEN_TWICE = 0.4
_SMOOTH_SEEN_TWICE = 0.35
_COLOURED = 0.4  # of the defects on crops that are seen twice
_VISIBLE = 4  # grey levels: what a defect has to change a pixel by to count as drawn there


class Photographs:
    """All photographs of the archives, decoded once into one memory-mapped file.

    Args:
        folder: holds the archives.
        cache: a folder of the caller's, about 1.2 GB; made if absent.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        pixels, index = cache / "photographs.u8", cache / "photographs.npy"
        if not index.exists():
            _decode(folder, pixels, index)
        self._shapes = np.load(index)
        self._offsets = np.concatenate([[0], np.cumsum(self._shapes.prod(1) * 3)])
        self._pixels = np.memmap(pixels, np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: int) -> np.ndarray:
        start, end = self._offsets[index], self._offsets[index + 1]
        return self._pixels[start:end].reshape(*self._shapes[index], 3)


def _decode(folder: Path, pixels: Path, index: Path) -> None:
    shapes: list[tuple[int, int]] = []
    with pixels.open("wb") as out:
        for archive in ARCHIVES:
            with zipfile.ZipFile(folder / archive) as packed:
                for name in tqdm(sorted(packed.namelist()), desc=archive, unit="photo"):
                    image = cv2.imdecode(
                        np.frombuffer(packed.read(name), np.uint8), cv2.IMREAD_COLOR
                    )
                    if image is None:
                        continue
                    out.write(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes())
                    shapes.append(image.shape[:2])
    np.save(index, np.array(shapes))


@dataclass(frozen=True)
class Batch:
    """The crops of one step.

    Attributes:
        crops: uint8 (n, 3, size, size), red first.
        again: uint8 (m, 3, size, size), the next parts of the first m crops, defects drawn on them.
        drawn: uint8 (m, size, size), 1 where a defect changed a pixel.
    """

    crops: np.ndarray
    again: np.ndarray
    drawn: np.ndarray


class Crops:
    """Augmented training crops by number.

    Args:
        photographs: what to crop from.
        size: side of a crop in pixels.
        seed: of everything random here.
    """

    def __init__(self, photographs: Photographs, size: int, seed: int) -> None:
        self._photographs, self._size, self._seed = photographs, size, seed

    def batch(self, step: int, count: int, again: int = 0) -> Batch:
        """The crops of one step, ``count`` of them, ``again`` of them seen twice."""
        numbers = range(step * count, (step + 1) * count)
        views = [self._views(number) for number in numbers[:again]]
        seen = [self._spoilt(n, after) for n, (_, after) in zip(numbers, views, strict=False)]
        crops = [crop for crop, _ in views] + [self.crop(number) for number in numbers[again:]]
        return Batch(
            _planes(crops, self._size),
            _planes([view for view, _ in seen], self._size),
            np.array([drawn for _, drawn in seen], np.uint8).reshape(-1, self._size, self._size),
        )

    def crop(self, number: int) -> np.ndarray:
        """uint8 (size, size, 3): the crop of this number, if it is seen once."""
        rng = np.random.default_rng([self._seed, number])
        kind = rng.random()
        if kind >= 1 - _SMOOTH:
            image = _smooth(rng, self._size)
        elif kind < _TEXTURES:
            image = _texture(rng, self._size)
            if rng.random() < 0.3:
                image = _blend(rng, image, self._photo(rng))
        else:
            image = self._photo(rng)
        return self._finished(rng, image)

    def _views(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """A crop that is seen twice, and the next part, still without defects."""
        rng = np.random.default_rng([self._seed, number])
        kind = rng.random()
        if kind >= 1 - _SMOOTH_SEEN_TWICE:
            image = self._finished(rng, _smooth(rng, self._size))
            return image, _displaced(rng, image)
        if kind >= _TEXTURES_SEEN_TWICE:
            image = self._finished(rng, self._photo(rng))
            return image, image
        wide = _photometric(rng, _texture(rng, 2 * self._size)[: self._size])
        return wide[:, : self._size], _other_grain(rng, wide[:, self._size :])

    def _finished(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        return _photometric(rng, _mark(rng, image) if rng.random() < 0.4 else image)

    def _spoilt(self, number: int, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next part with defects, and where they changed it."""
        rng = np.random.default_rng([self._seed, number, 1])
        good = _next_part(rng, image)
        out = good
        for _ in range(int(rng.integers(2, 7))):
            spoilt = with_defect(out, rng)
            out = _tinted(rng, out, spoilt) if rng.random() < _COLOURED else spoilt
        difference = np.abs(out.astype(np.int16) - good).max(axis=2)
        return out, difference >= _VISIBLE

    def _photo(self, rng: np.random.Generator) -> np.ndarray:
        source = self._photographs[int(rng.integers(len(self._photographs)))]
        height, width = source.shape[:2]
        scale = np.exp(rng.uniform(np.log(0.8), np.log(2.5)))
        aspect = np.exp(rng.uniform(-0.15, 0.15))
        angle = rng.uniform(-180, 180) if rng.random() < 0.5 else rng.normal(0, 3)
        turn = np.deg2rad(angle)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = matrix @ np.diag([aspect / scale, 1 / (aspect * scale)])
        if rng.random() < 0.5:
            matrix[:, 0] *= -1
        centre = rng.uniform([0.25 * width, 0.25 * height], [0.75 * width, 0.75 * height])
        half = (self._size - 1) / 2
        shift = centre - matrix @ [half, half]
        return cv2.warpAffine(
            source,
            np.column_stack([matrix, shift]),
            (self._size, self._size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )


def _planes(images: list[np.ndarray], size: int) -> np.ndarray:
    stacked = np.array(images, np.uint8).reshape(-1, size, size, 3)
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def _next_part(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The picture of the next part in the same place: moved, relit and grained by very little."""
    size = image.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.normal(0, 0.4), 1.0)
    matrix[:, 2] += rng.normal(0, 0.7, 2)
    moved = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    out: np.ndarray = moved.astype(np.float32) * np.float32(np.exp(rng.normal(0, 0.03)))
    if rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 0.7))
    out = out + rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, 3))
    return np.clip(out, 0, 255).astype(np.uint8)


def _displaced(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A part as the next one lies: more moved and turned than a camera shakes."""
    size = image.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.normal(0, 1), 1.0)
    matrix[:, 2] += rng.normal(0, 1.2, 2)
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _tinted(rng: np.random.Generator, good: np.ndarray, spoilt: np.ndarray) -> np.ndarray:
    """A defect that changes some colours more than others."""
    tint = rng.uniform(-0.3, 1, 3)
    tint = tint / max(0.3, tint.max())
    out = good + (spoilt.astype(np.float32) - good) * tint.astype(np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)


def _other_grain(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A texture as the next part has it: a little coarser or finer, of other contrast."""
    size = image.shape[0]
    matrix = cv2.getRotationMatrix2D(
        (size / 2, size / 2), rng.normal(0, 2), np.exp(rng.normal(0, 0.05))
    )
    turned = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    middle = turned.mean(axis=(0, 1))
    out = (turned - middle) * np.exp(rng.normal(0, 0.1)) + middle
    return np.clip(out, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """float32 (size, size), zero mean, unit deviation: noise of a random grain and direction."""
    field: Any = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        grain = np.exp(rng.uniform(np.log(0.4), np.log(12), 2))
        layer: Any = rng.standard_normal((size, size), np.float32)
        layer = cv2.GaussianBlur(layer, (0, 0), sigmaX=float(grain[0]), sigmaY=float(grain[1]))
        field += layer / (layer.std() + 1e-6) * rng.uniform(0.3, 1)
    if rng.random() < 0.3:  # a periodic structure: weave, thread, grating
        y, x = np.mgrid[:size, :size].astype(np.float32)
        turn = rng.uniform(0, np.pi)
        wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / rng.uniform(3, 24))
        field += wave.astype(np.float32) * rng.uniform(0.3, 1.5)
    if rng.random() < 0.3:  # grains with a long tail
        field = np.sign(field) * np.abs(field) ** rng.uniform(1.2, 2.5)
    if rng.random() < 0.5:
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 180), 1.0)
        field = cv2.warpAffine(field, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return (field - field.mean()) / (field.std() + 1e-6)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    colour = rng.uniform(40, 215, 3) if rng.random() < 0.5 else np.repeat(rng.uniform(40, 215), 3)
    contrast = np.exp(rng.uniform(np.log(3), np.log(45)))
    image = colour + contrast * _noise(rng, size)[..., None]
    if rng.random() < 0.3:
        image = image + contrast * 0.5 * np.stack([_noise(rng, size) for _ in range(3)], -1)
    return np.clip(image, 0, 255).astype(np.uint8)


def _smooth(rng: np.random.Generator, size: int) -> np.ndarray:
    """A smooth part before a smooth ground: slow shades, a few shapes and print, little grain."""
    image = _shaded(rng, size)
    for _ in range(int(rng.integers(0, 5))):
        shape = np.zeros((size, size), np.float32)
        at = rng.uniform(0, size, 2)
        if rng.random() < 0.6:
            axes = tuple(int(v) for v in rng.uniform(0.05 * size, 0.6 * size, 2))
            middle = (int(at[0]), int(at[1]))
            cv2.ellipse(shape, middle, axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
            radii = rng.uniform(0.05 * size, 0.6 * size, len(angles))
            corners = at + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
            cv2.fillPoly(shape, [np.round(corners).astype(np.int32)], 1.0, cv2.LINE_AA)
        edge = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 1.5))[..., None]
        image = image * (1 - edge) + _shaded(rng, size) * edge
    image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def _shaded(rng: np.random.Generator, size: int) -> np.ndarray:
    """float32 (size, size, 3): one colour, unevenly lit, with very little texture."""
    grey = rng.uniform(20, 235)
    colour = rng.uniform(20, 235, 3) if rng.random() < 0.4 else grey + rng.uniform(-10, 10, 3)
    slope = rng.normal(0, 1, 2) * rng.uniform(0, 0.25)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    light = 1 + np.float32(slope[0]) * y + np.float32(slope[1]) * x
    faint = _noise(rng, size) * np.float32(np.exp(rng.uniform(np.log(0.3), np.log(4))))
    return (colour.astype(np.float32) * light[..., None] + faint[..., None]).astype(np.float32)


def _blend(rng: np.random.Generator, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two pictures either side of an irregular border, as part against background."""
    field = cv2.GaussianBlur(_noise(rng, one.shape[0]), (0, 0), rng.uniform(4, 16))
    mask = (field > np.quantile(field, rng.uniform(0.2, 0.8))).astype(np.float32)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 2))[..., None]
    return (one * mask + other * (1 - mask)).astype(np.uint8)


def _mark(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A few small marks: hairlines, spots, characters, wiped areas."""
    size = image.shape[0]
    coverage: np.ndarray = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(4)
        at = rng.uniform(0, size, 2)
        if kind == 0:
            steps = rng.normal(0, 0.25, 40).cumsum() + rng.uniform(0, 2 * np.pi)
            length = rng.uniform(0.3, 2.5)
            path = at + np.cumsum(np.column_stack([np.cos(steps), np.sin(steps)]) * length, axis=0)
            points = np.round(path * 8).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(coverage, [points], False, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA, 3)
        elif kind == 1:
            axes = tuple(int(v) for v in rng.integers(1, 10, 2))
            centre = (int(at[0]), int(at[1]))
            cv2.ellipse(coverage, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA)
        elif kind == 2:
            text = "".join(
                rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789./-"), rng.integers(1, 7))
            )
            font = int(rng.integers(0, 8))
            scale = rng.uniform(0.25, 0.9)
            cv2.putText(
                coverage, text, (int(at[0]) - 20, int(at[1])), font, scale, 1.0, 1, cv2.LINE_AA
            )
        else:
            soft = np.zeros_like(coverage)
            cv2.circle(soft, (int(at[0]), int(at[1])), int(rng.integers(4, 24)), 1.0, -1)
            coverage = np.maximum(coverage, cv2.GaussianBlur(soft, (0, 0), rng.uniform(2, 8)))
    if rng.random() < 0.3:
        coverage = cv2.GaussianBlur(coverage, (0, 0), rng.uniform(0.4, 1.2))
    strength = (coverage * rng.uniform(0.25, 1))[..., None]
    ink = rng.uniform(0, 255, 3) if rng.random() < 0.4 else np.repeat(rng.uniform(0, 255), 3)
    return (image * (1 - strength) + ink * strength).astype(np.uint8)


def _photometric(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    out: np.ndarray = image.astype(np.float32)
    if rng.random() < 0.4:
        out = np.repeat(out @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    elif rng.random() < 0.5:
        out = out * rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if rng.random() < 0.8:
        middle = out.mean()
        out = (out - middle) * np.exp(rng.uniform(-0.7, 0.4)) + middle * np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.15:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.5))
    if rng.random() < 0.25:
        out = out + rng.standard_normal(out.shape, np.float32) * rng.uniform(1, 8)
    return np.clip(out, 0, 255).astype(np.uint8)
