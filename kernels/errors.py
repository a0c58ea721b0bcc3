"""What can go wrong on the ground floor.

::

    KernelError
    ├── ShapeError (ValueError)            an array or network of a shape no kernel accepts
    ├── ContainerError (ValueError)        a file that is not what it should be
    │   ├── NotOurFile                     the first bytes belong to something else
    │   ├── DamagedFile                    truncated, or a bit has changed
    │   ├── NewerFormat                    written by a later version of this software
    │   └── OlderFormat                    written by an earlier one, which meant other things
    └── BackendUnavailable (RuntimeError)  the library behind a backend is missing or unusable
"""

from __future__ import annotations


class KernelError(Exception):
    """Anything this package raises on purpose."""


class ShapeError(KernelError, ValueError):
    """An array or network has a shape that the kernels do not accept.

    Example: 100 channels, where bits are packed in words of 64.
    """


class ContainerError(KernelError, ValueError):
    """A file could not be accepted."""


class NotOurFile(ContainerError):
    """The file was never written by this software, e.g. a picture given as a model."""


class DamagedFile(ContainerError):
    """The file's checksum does not match: an interrupted copy, a bad SD card."""


class NewerFormat(ContainerError):
    """The file is intact, but was written by a newer version of this software."""


class OlderFormat(ContainerError):
    """The file is intact, but its contents meant something else when it was written."""


class BackendUnavailable(KernelError, RuntimeError):
    """A backend was asked for by name and cannot run here, e.g. its library is not installed."""
