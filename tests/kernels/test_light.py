"""Light, against what NumPy says of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.errors import ShapeError
from kernels.light import GAIN_LIMIT, brightened, light_of


@st.composite
def _images(draw: st.DrawFn) -> np.ndarray:
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    channels = draw(st.sampled_from([(), (3,)]))
    low, high = sorted((draw(st.integers(0, 255)), draw(st.integers(0, 255))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(low, high + 1, (rows, columns, *channels)).astype(np.uint8)


@settings(deadline=None)  # the first of them compiles
@given(_images())
def test_a_tenth_is_brighter_than_the_light(image: np.ndarray) -> None:
    looked_at = (image if image.ndim == 2 else image[..., 1])[::4, ::4]
    light = light_of(image)
    assert (looked_at > light).mean() <= 0.1
    assert light == 0 or (looked_at > light - 1).mean() > 0.1


@settings(deadline=None)
@given(_images(), st.floats(0, GAIN_LIMIT))
def test_values_are_multiplied_and_rounded(image: np.ndarray, gain: float) -> None:
    out = brightened(image, gain)
    assert np.abs(out - np.minimum(image * gain, 255)).max() <= 0.5 + 255 / 2**15
    if gain == 1:
        assert out is image


def test_a_part_of_a_picture_and_a_buffer() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    part = picture[3:40, 5:61]
    buffer = np.empty(part.shape, np.uint8)
    assert brightened(part, 1.17, buffer) is buffer
    np.testing.assert_array_equal(buffer, brightened(part.copy(), 1.17))
    for gain in (1.171875, 0.9375):  # a multiple of 2**-14 is exact; halves become even in OpenCV
        difference = brightened(part, gain).astype(int) - cv2.convertScaleAbs(part, None, gain)
        halves = np.isclose(part * gain % 1, 0.5)
        assert not difference[~halves].any()
        assert difference.min() >= 0
    assert brightened(np.array([[3, 255]], np.uint8), 0.5).tolist() == [[2, 128]]
    assert light_of(part) == light_of(part.copy())


@pytest.mark.parametrize("gain", [-0.1, 2.0, float("inf")])
def test_gains_that_vectors_cannot_hold(gain: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 2"):
        brightened(np.zeros((4, 4), np.uint8), gain)


@pytest.mark.parametrize(
    ("image", "out"),
    [
        (np.zeros((4, 4), np.float32), None),
        (np.zeros(4, np.uint8), None),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 8), np.uint8)[:, ::2]),
    ],
)
def test_what_cannot_be_brightened(image: np.ndarray, out: np.ndarray | None) -> None:
    with pytest.raises(ShapeError):
        brightened(image, 1.2, out)
