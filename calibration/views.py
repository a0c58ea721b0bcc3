"""How a part may look besides: turned, as those in any orientation come, or with a defect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from calibration.pose import Pose
from calibration.synthetic import with_defect
from kernels.backends import Backend
from kernels.codes import gather
from kernels.network import Network

_TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
_MOST_TURNED = 150  # parts: more hardly fit into a bank
# What defects tell differs more from part to part than from defect to defect.
_MOST_DRAWN_ON = 500
_DEFECTS = 3


@dataclass(frozen=True, eq=False)
class Views:
    """Patches of one part, (rows, columns, ...) each.

    Attributes:
        plain: of its picture.
        turned: of the picture turned by a quarter, a half and three quarters, rows and columns
            changing places for quarters; none of most parts, where there are many.
        drawn: of the picture with a defect drawn on it, one at a time; as many of each part, or
            none where there are very many.
    """

    plain: np.ndarray
    turned: tuple[np.ndarray, ...] = ()
    drawn: tuple[np.ndarray, ...] = ()

    def learnt(self, pose: Pose) -> tuple[np.ndarray, ...]:
        """Those that a bank is made of."""
        return (self.plain, *(self.turned if pose.turned else ()))

    def cut(self, words: slice) -> Views:
        """The same of some words of each patch."""
        cut = partial(cut_to, words)
        return Views(cut(self.plain), tuple(map(cut, self.turned)), tuple(map(cut, self.drawn)))


def cut_to(words: slice, grid: np.ndarray) -> np.ndarray:
    """Some words of each patch, uint64 (rows, columns, words)."""
    return np.ascontiguousarray(grid[..., words])


def is_turned(number: int, count: int) -> bool:
    """Whether the part of this number, of so many, is looked at turned."""
    return number % -(-count // _MOST_TURNED) == 0


def is_drawn_on(number: int, count: int) -> bool:
    """Whether the part of this number, of so many, is looked at with defects drawn on it."""
    return number % -(-count // _MOST_DRAWN_ON) == 0


def turned(prepared: np.ndarray) -> list[np.ndarray]:
    """A picture (h, w, ...) turned by a quarter, a half and three quarters."""
    return [cv2.rotate(prepared, turn) for turn in _TURNS]


class Viewer:
    """Looks at prepared pictures with a network.

    Args:
        network: that makes patches.
        backend: that runs it.
        height, width: of the pictures, in pixels.

    Attributes:
        upright: runs the network on pictures as they are.
    """

    def __init__(self, network: Network, backend: Backend, height: int, width: int) -> None:
        self.upright = backend.executor(network, height, width)
        self._lying = backend.executor(network, width, height)

    def plain(self, prepared: np.ndarray) -> np.ndarray:
        """Patches of a picture as it is: uint8 (height, width, 3)."""
        return gather(self.upright.run(prepared))

    def turned(self, prepared: np.ndarray) -> tuple[np.ndarray, ...]:
        """Patches of the picture turned, as in :class:`Views`."""
        executors = (self._lying, self.upright, self._lying)
        pairs = zip(executors, turned(prepared), strict=True)
        return tuple(gather(executor.run(other)) for executor, other in pairs)

    def drawn(self, prepared: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Patches of the picture with defects, as in :class:`Views`; ``rng`` draws them."""
        pictures = (with_defect(prepared, rng) for _ in range(_DEFECTS))
        return tuple(self.plain(picture) for picture in pictures)

    def besides(
        self, prepared: np.ndarray, number: int, count: int, rng: np.random.Generator
    ) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Turned and drawn on, if the part of this number, of so many, is one of those."""
        return (
            self.turned(prepared) if is_turned(number, count) else (),
            self.drawn(prepared, rng) if is_drawn_on(number, count) else (),
        )
