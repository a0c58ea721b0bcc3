"""Shrinking, against a slow and obvious mean."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.area import shrink
from kernels.errors import ShapeError


def _means(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each pixel repeated until both grids fit, and then the mean of whole squares."""
    rows, columns = image.shape[:2]
    fine = np.repeat(np.repeat(image.astype(np.float64), height, axis=0), width, axis=1)
    return fine.reshape(height, rows, width, columns, -1).mean(axis=(1, 3))


@st.composite
def _tasks(draw: st.DrawFn) -> tuple[np.ndarray, int, int]:
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 80))
    channels = draw(st.sampled_from([(), (3,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    image = rng.integers(0, 256, (rows, columns, *channels)).astype(np.uint8)
    if draw(st.booleans()):
        image[:] = draw(st.sampled_from([0, 255]))
    return image, draw(st.integers(1, rows)), draw(st.integers(1, columns))


@settings(deadline=None)  # the first of them compiles
@given(_tasks())
def test_each_pixel_is_the_mean_of_its_area(task: tuple[np.ndarray, int, int]) -> None:
    image, height, width = task
    shrunk = shrink(image, height, width)
    assert shrunk.shape == (height, width, *image.shape[2:])
    wanted = _means(image, height, width).reshape(shrunk.shape)
    # Rounded: off by half a step, and by what floats are off.
    assert np.abs(shrunk - wanted).max() <= 0.5 + 1e-3


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 7))
def test_halves_are_rounded_up(height: int, width: int) -> None:
    image = np.zeros((height, 2 * width), np.uint8)
    image[:, ::2] = 1
    assert (shrink(image, height, width) == 1).all()


def test_a_picture_shrinks_as_opencv_shrinks_it() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    wanted = cv2.resize(noise, (384, 288), interpolation=cv2.INTER_AREA)
    off = shrink(noise, 288, 384).astype(int) - wanted
    assert np.abs(off).max() <= 1
    assert (off != 0).mean() < 0.01


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[3:40, 5:61],
        lambda image: image[::2, ::-1],
        lambda image: image.transpose(1, 0, 2),
        lambda image: image[..., 1],
    ],
)
def test_a_part_of_a_picture(view) -> None:  # type: ignore[no-untyped-def]
    part = view(np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8))
    np.testing.assert_array_equal(shrink(part, 19, 23), shrink(part.copy(), 19, 23))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_rows_that_lie_upside_down_or_are_all_the_same(channels: tuple[int, ...]) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (60, 90, *channels)).astype(np.uint8)
    same = np.broadcast_to(noise[0], noise.shape)
    for image in (noise[::-1], same):
        np.testing.assert_array_equal(shrink(image, 41, 37), shrink(image.copy(), 41, 37))


def test_a_buffer_is_written_and_has_to_fit() -> None:
    image = np.random.default_rng(2).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    buffer = np.empty((19, 23, 3), np.uint8)
    assert shrink(image, 19, 23, buffer) is buffer
    np.testing.assert_array_equal(buffer, shrink(image, 19, 23))
    for wrong in (
        buffer[:-1],
        buffer[..., 0],
        buffer.astype(np.int16),
        np.empty((19, 46, 3), np.uint8)[:, ::2],
    ):
        with pytest.raises(ShapeError, match="cannot take"):
            shrink(image, 19, 23, wrong)


@pytest.mark.parametrize(
    ("image", "height", "width"),
    [
        (np.zeros((8, 8, 3), np.uint8), 9, 8),
        (np.zeros((8, 8, 3), np.uint8), 8, 0),
        (np.zeros((8, 8, 4), np.uint8), 4, 4),
        (np.zeros((8, 8, 3), np.float32), 4, 4),
        (np.zeros((0, 8, 3), np.uint8), 1, 4),
    ],
)
def test_what_cannot_shrink(image: np.ndarray, height: int, width: int) -> None:
    with pytest.raises(ShapeError):
        shrink(image, height, width)
