"""How parts come before the camera, and what a patch is compared with because of it.

What is normal in one place of a part is a defect in another. So a patch is compared with those from
around its place only (a *window*), which is several times faster, too:

- *One pose*: a place is where it is in the picture.
- *Turning in place*: parts come in any orientation, around the middle of the picture. A place is as
  far from there as it always was. The good parts are learnt turned by a quarter, a half and three
  quarters as well: that a pattern was never seen in this direction says nothing.

Parts that lie anywhere have no places, and are compared with all of the good parts, with these as
they are if they come *one way round*, turned as well if they come in *any orientation*.

Good parts held out tell which. If parts turn, a turned picture of one is as good a sample of them
as the picture itself, and lies as close to the others; else it looks strange. If they have places,
what is around these is as close as all of the others are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernels.neighbourhoods import Cells

WINDOW = 2
"""Side of the cells of a window, or how wide its rings are, in patches."""

# Against pictures as they came, compared with all others as they are. Turned pictures of parts that
# turn are 0.985 to 1.012 times as strange, by chance; those of others 1.14 to 2.02 times, but for
# textures that look nearly the same in every orientation (1.03).
_TURNED_MAY_COST = 1.1
# Against the median compared with everything. Squares were the better choice up to 1.10, and much
# the worse one at 1.19, for parts that lay anywhere. Rings were the better choice where they cost
# 0.95 to 0.98, and slightly the worse one for textures, of which they cost 1.00 to 1.01.
_SQUARES_MAY_COST = 1.12
_RINGS_MAY_COST = 0.99


@dataclass(frozen=True)
class Pose:
    """What a patch is compared with.

    Attributes:
        window: side of the cells that a part is divided into, in patches, each compared with its
            surroundings only; 0 where a patch is compared with everything.
        turned: whether the bank knows the good parts turned, too; cells are rings then.
    """

    window: int = 0
    turned: bool = False

    @property
    def cells(self) -> Cells | None:
        """That a part is divided into, if it is."""
        return Cells(self.window, rings=self.turned) if self.window else None

    @property
    def words(self) -> str:
        """For people."""
        if not self.window:
            turned = ", turned by quarters as well" if self.turned else ""
            return f"compared with all of the good parts{turned}"
        if self.turned:
            return "compared with what is normal as far from the middle, turned by quarters as well"
        return "compared with what is normal around each place"


ONE_WAY_ROUND = Pose()
ANY_ORIENTATION = Pose(turned=True)
ONE_POSE = Pose(window=WINDOW)
TURNING_IN_PLACE = Pose(window=WINDOW, turned=True)


def forced_pose(window: int | None, turned: bool | None) -> Pose | None:
    """The pose, if what is forced leaves no choice."""
    return None if window is None or turned is None else Pose(window, turned)


def choose_pose(
    unseen: Callable[[Pose], float],
    unseen_turned: Callable[[], tuple[float, float]],
    window: int | None = None,
    turned: bool | None = None,
) -> tuple[Pose, str]:
    """Decide how parts come.

    Args:
        unseen: the median score, in bits, of good parts against a bank of others in a pose.
        unseen_turned: the medians of how strange pictures of these parts are as a whole, as they
            came and turned, against a bank of others as they came.
        window: if it is forced.
        turned: if that is forced.

    Returns:
        The pose, and why, a sentence.
    """
    forced = forced_pose(window, turned)
    if forced:
        return forced, "as asked for"
    told = []
    if turned is None:
        plain, any_way = unseen_turned()
        turned = any_way <= plain * _TURNED_MAY_COST
        come = "in any orientation" if turned else "one way round"
        told.append(
            f"{plain:.1f} as they came, {any_way:.1f} turned (but for the highest hundredth),"
            f" so they come {come}"
        )
    if window is None:
        everywhere, nearby = unseen(Pose(0, turned)), unseen(Pose(WINDOW, turned))
        may_cost = _RINGS_MAY_COST if turned else _SQUARES_MAY_COST
        window = WINDOW if nearby <= everywhere * may_cost else 0
        around = "as far from the middle" if turned else "around"
        have = "places of their own" if window else "no places: patterns turn up all over them"
        told.append(
            f"{everywhere:.1f} compared with all there is, {nearby:.1f} with what is {around}, so"
            f" they have {have}"
        )
    return Pose(window, turned), f"held-out good parts score, in bits (medians): {'; '.join(told)}"
