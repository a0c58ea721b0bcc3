"""Pictures without colour in three channels."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.errors import ShapeError
from kernels.grey import grey_of


def _grey(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (rows, columns), dtype=np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 64), (40, 131), (7, 1000)])
def test_three_equal_channels_are_one(rows: int, columns: int) -> None:
    plane = _grey(rows, columns)
    picture = np.stack([plane] * 3, axis=2)
    found = grey_of(picture)
    assert found is not None
    np.testing.assert_array_equal(found, plane)


@pytest.mark.parametrize("channel", range(3))
def test_one_value_of_another_colour_is_colour(channel: int) -> None:
    for row, column in ((0, 0), (5, 76), (8, 40)):
        for bit in range(8):
            picture = np.stack([_grey(9, 77)] * 3, axis=2)
            picture[row, column, channel] ^= 1 << bit
            assert grey_of(picture) is None


def test_a_part_of_a_picture_and_a_buffer() -> None:
    plane = _grey(30, 50)
    picture = np.stack([plane] * 3, axis=2)
    picture[0, 0, 1] ^= 255  # outside the part
    buffer = np.empty((20, 30), np.uint8)
    assert grey_of(picture[5:25, 10:40], buffer) is buffer
    np.testing.assert_array_equal(buffer, plane[5:25, 10:40])


def test_rows_that_lie_upside_down_or_are_all_the_same() -> None:
    picture = np.stack([_grey(30, 50)] * 3, axis=2)
    for image in (picture[::-1], np.broadcast_to(picture[0], picture.shape)):
        np.testing.assert_array_equal(grey_of(image), image[..., 0])


@pytest.mark.parametrize(
    ("image", "out"),
    [
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 4), np.uint8), None),
        (np.zeros((4, 4, 3), np.uint16), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)),
    ],
)
def test_what_is_no_picture_in_three_channels(image: np.ndarray, out: np.ndarray | None) -> None:
    with pytest.raises(ShapeError):
        grey_of(image, out)
