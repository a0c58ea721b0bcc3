"""The backbones that ship with the package, and finding one by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from calibration.errors import CalibrationError
from kernels import network_file
from kernels.network import Network

DEFAULT = "base"

_USUAL_PX = {"small": 256}
_USUAL_PX_ELSE = 336

ANY = "auto"
"""Stands for all shipped backbones, the default first: calibration may choose among them."""


def backbone_names() -> list[str]:
    """Names of the shipped backbones."""
    folder = resources.files(__package__)
    return sorted(f.name.removesuffix(".bnn") for f in folder.iterdir() if f.name.endswith(".bnn"))


def usual_px(name: str) -> int:
    """Side of a backbone's input where nothing is said, in pixels.

    ``small`` is there to be fast, and looks at less.
    """
    return _USUAL_PX.get(name, _USUAL_PX_ELSE)


def load_backbones(name: str) -> list[Network]:
    """All shipped backbones for :data:`ANY`, otherwise the one of this name.

    Raises:
        CalibrationError: if there is none of that name.
        ContainerError: if the file is not a good one.
    """
    others = [each for each in backbone_names() if each != DEFAULT]
    return [load_backbone(each) for each in ([DEFAULT, *others] if name == ANY else [name])]


def load_backbone(name: str = DEFAULT) -> Network:
    """A shipped backbone by name, or one from a ``.bnn`` file by path.

    Raises:
        CalibrationError: if there is none of that name.
        ContainerError: if the file is not a good one.
    """
    if name.endswith(".bnn"):
        return network_file.load(Path(name))
    if name not in backbone_names():
        raise CalibrationError(
            f"there is no backbone {name!r}: use {', '.join(backbone_names())}, or a .bnn file"
        )
    with resources.as_file(resources.files(__package__) / f"{name}.bnn") as path:
        return network_file.load(path)
