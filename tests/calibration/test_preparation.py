from __future__ import annotations

import numpy as np
import pytest

from calibration.errors import DatasetError, ImageMismatch
from calibration.preparation import Preparation, Roi


def test_the_aspect_ratio_is_kept() -> None:
    fitted = Preparation.fit((804, 320), None, 256 * 256, 16)
    assert (fitted.input_height, fitted.input_width) == (400, 160)
    square = Preparation.fit((320, 320), None, 256 * 256, 16)
    assert (square.input_height, square.input_width) == (256, 256)


def test_the_region_is_what_reaches_the_network() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:60, 50:110] = (10, 20, 30)  # blue, green, red
    fitted = Preparation.fit((100, 200), Roi(50, 20, 60, 40), 48 * 32, 16)
    prepared = fitted.apply(image)
    assert prepared.shape == (32, 48, 3)
    assert (prepared == (10, 20, 30)).all()


def test_grey_is_spread_over_three_channels() -> None:
    fitted = Preparation.fit((64, 64), None, 64 * 64, 16)
    prepared = fitted.apply(np.full((64, 64), 77, np.uint8))
    assert prepared.shape == (64, 64, 3)
    assert (prepared == 77).all()


def test_a_region_scales_with_an_image_of_nearly_the_taught_size() -> None:
    fitted = Preparation.fit((800, 320), Roi(0, 400, 320, 400), 256 * 256, 16)
    assert fitted.region_in(800, 320) == (0, 400, 320, 400)
    assert fitted.region_in(816, 320) == (0, 408, 320, 408)


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "-1,0,5,5", "0,0,0,5", ""])
def test_regions_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="region"):
        Roi.parse(text)


def test_a_region_outside_or_too_small() -> None:
    with pytest.raises(DatasetError, match=r"reaches to 210 x 90, outside the images of 200 x 100"):
        Preparation.fit((100, 200), Roi(150, 50, 60, 40), 65536, 16)
    with pytest.raises(DatasetError, match="too small"):
        Preparation.fit((100, 200), Roi(0, 0, 8, 40), 65536, 16)


def test_images_that_the_model_was_not_taught_on() -> None:
    fitted = Preparation.fit((100, 200), None, 65536, 16)
    with pytest.raises(
        ImageMismatch, match=r"taught on images of 200 x 100.*this one is 100 x 200"
    ):
        fitted.apply(np.zeros((200, 100, 3), np.uint8))
    with pytest.raises(ImageMismatch, match="float64"):
        fitted.apply(np.zeros((100, 200, 3)))
    with pytest.raises(ImageMismatch, match="3 channels"):
        fitted.apply(np.zeros((100, 200, 4), np.uint8))
