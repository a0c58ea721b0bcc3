from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import DatasetError, ImageMismatch
from calibration.good_images import GoodFolder
from calibration.preparation import Preparation, Preparer, Roi
from kernels.light import light_of


def test_the_aspect_ratio_is_kept() -> None:
    fitted = Preparation.fit((804, 320), None, 256 * 256, 16)
    assert (fitted.input_height, fitted.input_width) == (400, 160)
    square = Preparation.fit((320, 320), None, 256 * 256, 16)
    assert (square.input_height, square.input_width) == (256, 256)


def test_what_nearly_has_the_size_is_taken_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (320, 160, 3)).astype(np.uint8)
    for pixels in (0.9 * image[..., 0].size, 1.1 * image[..., 0].size):
        np.testing.assert_array_equal(
            Preparation.fit((320, 160), None, int(pixels), 16).apply(image), image
        )
    # The network takes no side of 300.
    assert Preparation.fit((300, 300), None, 304 * 304, 16).input_height == 304
    assert Preparation.fit((320, 320), None, 256 * 256, 16).input_height == 256


@pytest.mark.parametrize("shape", [(330, 240, 3), (330, 240), (96, 64, 3), (96, 64)])
def test_one_picture_after_another_takes_no_new_memory(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, top, shape).astype(np.uint8) for top in (200, 256)]
    fitted = Preparation.fit((shape[0], shape[1]), Roi(10, 10, 50, 80), 128 * 80, 16, light=250)
    preparer = Preparer(fitted)
    wanted = [fitted.apply(image) for image in images]
    tracemalloc.start()
    try:
        for image, same in zip(images, wanted, strict=True):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            prepared, gain = preparer.prepare(image)
            assert tracemalloc.get_traced_memory()[1] - before < same.size / 4
            assert gain != 1
            assert prepared.ndim == len(shape)
            np.testing.assert_array_equal(_in_colour(prepared), same)
    finally:
        tracemalloc.stop()


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


@pytest.mark.parametrize("pixels", [48 * 32, 160 * 112], ids=["shrunk", "enlarged"])
def test_three_equal_channels_are_prepared_like_any_three(pixels: int) -> None:
    """A picture of which one value has colour goes the way of all that have."""
    grey = np.random.default_rng(5).integers(0, 256, (70, 100), dtype=np.uint8)
    image = np.stack([grey] * 3, axis=2)
    coloured = image.copy()
    coloured[-1, -1, 2] ^= 1
    preparer = Preparer(Preparation.fit((70, 100), None, pixels, 16))
    prepared = preparer.prepare(image)[0].copy()
    beside = preparer.prepare(coloured)[0].astype(int)
    np.testing.assert_array_equal(prepared, preparer.prepare(grey)[0])
    prepared = _in_colour(prepared)
    np.testing.assert_array_equal(prepared[:-2], beside[:-2])
    assert np.abs(prepared - beside).max() <= 1


def _in_colour(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=2)


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


def _scene(gain: float) -> np.ndarray:
    rng = np.random.default_rng(4)
    surface = cv2.GaussianBlur(rng.uniform(20, 200, (96, 128)).astype(np.float32), (0, 0), 3)
    return np.clip(np.rint(surface * gain), 0, 255).astype(np.uint8)


def test_light_is_what_a_tenth_is_brighter_than() -> None:
    image = np.repeat(np.arange(100, dtype=np.uint8)[:, None], 80, axis=1)
    assert abs(light_of(image) - 90) <= 4  # every fourth row is looked at
    assert light_of(np.full((40, 40, 3), 77, np.uint8)) == 77
    assert light_of(np.zeros((16, 16), np.uint8)) == 0


@pytest.mark.parametrize("gain", [0.8, 0.93, 1.0, 1.1, 1.25])
def test_pictures_in_other_light_come_out_alike(gain: float) -> None:
    usual = light_of(_scene(1.0))
    fitted = Preparation.fit((96, 128), None, 96 * 128, 16, usual)
    out = fitted.apply(_scene(gain)).astype(int)
    assert abs(out - fitted.apply(_scene(1.0))).max() <= 3
    coloured = fitted.apply(cv2.cvtColor(_scene(gain), cv2.COLOR_GRAY2BGR))
    np.testing.assert_array_equal(out, coloured)
    left = Preparation.fit((96, 128), None, 96 * 128, 16).apply(_scene(gain))
    np.testing.assert_array_equal(left[..., 0], _scene(gain))


def test_a_picture_in_quite_other_light_stays_unlike_the_others() -> None:
    usual = light_of(_scene(1.0))
    fitted = Preparation.fit((96, 128), None, 96 * 128, 16, usual)
    assert light_of(fitted.apply(_scene(0.4))) < 0.6 * usual
    assert fitted.apply(np.zeros((96, 128), np.uint8)).max() == 0


def test_a_defect_does_not_change_the_light() -> None:
    spoilt = _scene(1.0)
    spoilt[20:40, 30:60] = 255
    assert abs(light_of(spoilt) - light_of(_scene(1.0))) <= 4


def test_the_light_of_a_folder_is_that_of_most_images(tmp_path: Path) -> None:
    for number in range(30):
        gain = 0.3 if number % 5 == 0 else 1.0
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), _scene(gain))
    (tmp_path / "31.png").write_bytes(b"no picture")
    assert GoodFolder.lit(tmp_path, None).light == light_of(_scene(1.0))
    for path in tmp_path.iterdir():
        cv2.imwrite(str(path), _scene(0.1))
    assert GoodFolder.lit(tmp_path, None).light == 0, "too dark to compare light"
