"""What can go wrong on the middle floor.

::

    CalibrationError
    ├── DatasetError (ValueError)      the images given cannot be taught from or measured on
    │   ├── UnreadableImage            a file that is no whole image
    │   └── TooFewImages               nothing can be concluded from so few
    ├── ImageMismatch (ValueError)     an image that the model was not made for
    └── MissingExtra (ImportError)     an optional dependency is not installed
"""

from __future__ import annotations


class CalibrationError(Exception):
    """Anything this package raises on purpose."""


class DatasetError(CalibrationError, ValueError):
    """A folder of images that cannot be used, e.g. an empty one, or one of mixed sizes."""


class UnreadableImage(DatasetError):
    """A file that is not an image, or only the beginning of one."""


class TooFewImages(DatasetError):
    """Fewer good images than a threshold can honestly be drawn from."""


class ImageMismatch(CalibrationError, ValueError):
    """An image whose size is not the one that the model was taught on."""


class MissingExtra(CalibrationError, ImportError):
    """A feature whose optional dependency is absent; the message names the extra to install."""
