"""From a camera image to what the network reads: crop, resize, even light, in colour or grey.

Light is told by what a tenth of a picture is brighter than: a defect hardly moves it, as it would
a mean, and highlights have no say, as they would in a maximum. Lamps age, and daylight comes in;
scaled by this, pictures are as bright as those that were taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from calibration.errors import DatasetError, ImageMismatch
from calibration.images import same_size
from kernels.area import shrink
from kernels.grey import grey_of
from kernels.light import brightened, light_of

MOST_GAIN = 1.3
"""A picture that is darker or brighter by more is not to look like a good one."""

_AS_IT_IS = 1.06


@dataclass(frozen=True)
class Roi:
    """A region of interest in pixels of the camera image."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Roi:
        """Read "X,Y,W,H". Raises ValueError with a sentence if it is something else."""
        try:
            x, y, width, height = (int(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"a region is four whole numbers X,Y,W,H, not {text!r}") from None
        if x < 0 or y < 0 or width < 1 or height < 1:
            raise ValueError(f"region {text}: X and Y start at 0, W and H at 1")
        return cls(x, y, width, height)

    def of(self, image: np.ndarray) -> np.ndarray:
        """This part of an image (h, w, ...), a view; raises DatasetError if it reaches beyond."""
        self.check_inside(*image.shape[:2])
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    def check_inside(self, image_height: int, image_width: int) -> None:
        """Raises DatasetError if the region reaches beyond the image."""
        if self.x + self.width > image_width or self.y + self.height > image_height:
            raise DatasetError(
                f"the region {self.x},{self.y},{self.width},{self.height} reaches to"
                f" {self.x + self.width} x {self.y + self.height}, outside the images of"
                f" {image_width} x {image_height}"
            )


@dataclass(frozen=True)
class Preparation:
    """How a model wants its images.

    Attributes:
        image_height: of the camera images it was taught on, in pixels.
        image_width: likewise.
        roi: part of the image that is inspected; everything, if the region is the whole image.
        input_height: of the network's input, in pixels.
        input_width: likewise.
        light: of good parts, by :func:`light_of`; 0 where pictures are left as they are.
    """

    image_height: int
    image_width: int
    roi: Roi
    input_height: int
    input_width: int
    light: int = 0

    @classmethod
    def fit(
        cls,
        image_size: tuple[int, int],
        roi: Roi | None,
        input_pixels: int,
        multiple: int,
        light: int = 0,
    ) -> Preparation:
        """Keep the aspect ratio of what is inspected, at about ``input_pixels`` in all.

        What nearly has the size already is taken as it is: that is faster, and blurs nothing.

        Args:
            image_size: (height, width) of the images.
            roi: what to inspect; None for everything.
            input_pixels: height times width of the network's input, roughly.
            multiple: the network's sides are multiples of this.
            light: of good parts; 0 to leave pictures as they are.

        Raises:
            DatasetError: if the region is outside the images or too small.
        """
        height, width = image_size
        roi = roi or Roi(0, 0, width, height)
        roi.check_inside(height, width)
        if min(roi.width, roi.height) < multiple:
            raise DatasetError(
                f"a region of {roi.width} x {roi.height} is too small: {multiple} pixels at least"
            )
        scale = (input_pixels / (roi.width * roi.height)) ** 0.5
        fits = roi.width % multiple == 0 and roi.height % multiple == 0
        if fits and 1 / _AS_IT_IS <= scale <= _AS_IT_IS:
            scale = 1.0
        sides = (max(2, round(side * scale / multiple)) for side in (roi.height, roi.width))
        input_height, input_width = (int(side) * multiple for side in sides)
        return cls(height, width, roi, input_height, input_width, light)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The network's input of an image, in three channels: uint8 (h, w, 3).

        :class:`Preparer` does it again and again.
        """
        prepared = Preparer(self).prepare(image)[0]
        return prepared if prepared.ndim == 3 else cv2.cvtColor(prepared, cv2.COLOR_GRAY2BGR)

    def inspected(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[slice, slice]:
        """Which rows and columns of an image are inspected, in the image's own pixels.

        Raises:
            ImageMismatch: if an image of this shape and type is not what the model was taught on.
        """
        if dtype != np.uint8 or not (len(shape) == 2 or shape[2:] == (3,)):
            raise ImageMismatch(
                f"expected a uint8 image, grey or with 3 channels, got {dtype} {shape}"
            )
        height, width = shape[:2]
        if not same_size((height, width), (self.image_height, self.image_width)):
            raise ImageMismatch(
                f"the model was taught on images of {self.image_width} x {self.image_height},"
                f" and this one is {width} x {height}"
            )
        x, y, w, h = self.region_in(height, width)
        return slice(y, y + h), slice(x, x + w)

    def region_in(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The region (x, y, width, height) in an image of nearly the taught size."""
        down, across = height / self.image_height, width / self.image_width
        left, top = round(self.roi.x * across), round(self.roi.y * down)
        right = round((self.roi.x + self.roi.width) * across)
        bottom = round((self.roi.y + self.roi.height) * down)
        return left, top, right - left, bottom - top


class Preparer:
    """Prepares one picture after another, in memory of its own.

    Args:
        preparation: how a model wants its images.
    """

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        # One camera sends one size: to work it out takes longer than to look at the light.
        self._inspected = lru_cache(maxsize=4)(preparation.inspected)
        size = preparation.input_height, preparation.input_width
        self._plane = np.empty((0, 0), np.uint8)
        self._grey = np.empty(size, np.uint8)
        self._grey_lit = np.empty(size, np.uint8)
        self._fitted = np.empty((*size, 3), np.uint8)
        self._lit = np.empty((*size, 3), np.uint8)

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Crop, resize and light.

        Args:
            image: uint8 (h, w, 3) blue first, or (h, w) grey.

        Returns:
            uint8 (input_height, input_width, 3), blue first, or (input_height, input_width) if it
            is seen to be grey; and what its brightness was multiplied by. It may be a view of
            ``image``, and is overwritten by the next call.

        Raises:
            ImageMismatch: if the image is not of the size that the model was taught on.
        """
        cropped = image[self._inspected(image.shape, image.dtype)]
        if cropped.shape == self._fitted.shape:
            return self._lit_evenly(cropped, self._lit)
        grey = cropped if cropped.ndim == 2 else self._grey_of(cropped)
        if grey is None:
            return self._lit_evenly(_resized(cropped, self._fitted), self._lit)
        return self._lit_evenly(_resized(grey, self._grey), self._grey_lit)

    def _lit_evenly(self, fitted: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, float]:
        wanted = self._preparation.light
        if not wanted:
            return fitted, 1.0
        gain = min(max(wanted / max(light_of(fitted), 1), 1 / MOST_GAIN), MOST_GAIN)
        return brightened(fitted, gain, out), gain

    def _grey_of(self, cropped: np.ndarray) -> np.ndarray | None:
        """One of three equal channels: it is resized to the same bytes in a third of the time."""
        size = cropped.shape[:2]
        if self._plane.shape != size:
            self._plane = np.empty(size, np.uint8)
        return grey_of(cropped, self._plane)


def _resized(image: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The image at the size of ``out``: itself, if it has that, else ``out``."""
    height, width = out.shape[:2]
    down, across = image.shape[0] / height, image.shape[1] / width
    if down == across == 1:
        return image
    if min(down, across) < 1 or (down.is_integer() and across.is_integer()):
        how = cv2.INTER_LINEAR if max(down, across) <= 1 else cv2.INTER_AREA
        return cv2.resize(image, (width, height), out, interpolation=how)
    return shrink(image, height, width, out)
