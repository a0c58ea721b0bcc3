from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import DatasetError, UnreadableImage
from calibration.images import Skipped, check_sizes, list_images, read_image
from tests.good_parts import draw_part


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_a_truncated_image_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    whole = cv2.imencode(suffix, draw_part(0))[1].tobytes()
    path = tmp_path / f"part{suffix}"
    path.write_bytes(whole)
    assert read_image(path).shape == (96, 128, 3)
    for share in (0.0, 0.01, 0.5, 0.95, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UnreadableImage, match=f"part{suffix}"):
            read_image(path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("hello")
    with pytest.raises(UnreadableImage, match="is no image"):
        read_image(path)
    with pytest.raises(UnreadableImage, match="cannot read"):
        read_image(tmp_path / "absent.png")


@pytest.mark.parametrize(
    ("shape", "read"), [((5, 6), (5, 6)), ((5, 6, 3), (5, 6, 3)), ((5, 6, 4), (5, 6, 3))]
)
@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 156), (np.uint16, 40000)])
def test_images_come_in_eight_bits_grey_or_in_three_colours(
    tmp_path: Path, shape: tuple[int, ...], read: tuple[int, ...], dtype: type, value: int
) -> None:
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.full(shape, value, dtype))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.shape == read
    assert (image == 156).all()


def test_listing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        list_images(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match="no images in"):
        list_images(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below/c.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="its folder below holds some"):
        list_images(tmp_path)
    for name in ("b.PNG", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in list_images(tmp_path)] == ["a.jpg", "b.PNG"]
    assert [p.name for p in list_images(tmp_path, recursive=True)] == ["a.jpg", "b.PNG", "c.png"]


def test_nearly_equal_sizes_pass_and_others_are_named() -> None:
    paths = [Path(f"{n}.png") for n in range(4)]
    assert check_sizes([(804, 320), (806, 320), (806, 320), (812, 320)], paths) == (806, 320)
    with pytest.raises(DatasetError, match=r"1 of 4 images have another size: 2.png is 320 x 480"):
        check_sizes([(804, 320), (806, 320), (480, 320), (806, 320)], paths)


def test_a_few_bad_files_are_passed_over_and_many_are_not() -> None:
    skipped = Skipped(40)
    skipped.add(UnreadableImage("one"))
    skipped.add(UnreadableImage("two"))
    with pytest.raises(DatasetError, match=r"3 of 40 files cannot be read.*one; two; three"):
        skipped.add(UnreadableImage("three"))
    with pytest.raises(DatasetError, match=r"1 of 1 files cannot be read.*lonely"):
        Skipped(1).add(UnreadableImage("lonely"))
