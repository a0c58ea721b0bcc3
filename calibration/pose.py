"""How parts come before the camera, and what a patch is compared with because of it.

- *One pose*: a patch is compared with those from around its place only (a window): what is normal
  in one corner of a part is a defect in another. It is several times faster, too.
- *Any orientation*: a patch is compared with all of the good parts, and with these turned by a
  quarter, a half and three quarters: that a pattern was never seen in this direction says nothing.
- *One way round*: a patch is compared with all of the good parts as they are.

Good parts held out tell which. If parts come in any orientation, a turned picture of one is as good
a sample of them as the picture itself, and lies as close to the others; else it looks strange.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 2
"""Side of the cells of a window, in patches."""

# Against the median unseen score of parts compared with all others as they are. Turned pictures of
# parts that turn score 0.96 to 1.06 times as much, by chance; those of other parts 1.2 to 2.6.
_TURNED_MAY_COST = 1.1
# A window was the better choice up to 1.10, and much the worse one at 1.19, for parts that lay
# anywhere.
_WINDOW_MAY_COST = 1.12


@dataclass(frozen=True)
class Pose:
    """What a patch is compared with.

    Attributes:
        window: side of the cells that a part is divided into, in patches, each compared with its
            surroundings only; 0 where a patch is compared with everything.
        turned: whether the bank knows the good parts turned, too.

    Raises:
        ValueError: if a window is to suit parts that turn.
    """

    window: int = 0
    turned: bool = False

    def __post_init__(self) -> None:
        if self.window and self.turned:
            raise ValueError("parts that turn have no places: a window does not suit them")

    @property
    def words(self) -> str:
        """For people."""
        if self.window:
            return "compared with what is normal around each place"
        if self.turned:
            return "compared with all of the good parts, turned by quarters as well"
        return "compared with all of the good parts"


ONE_WAY_ROUND = Pose()
ANY_ORIENTATION = Pose(turned=True)
ONE_POSE = Pose(window=WINDOW)


def forced_pose(window: int | None, turned: bool | None) -> Pose | None:
    """The pose, if what is forced leaves no choice."""
    if window or turned or (window == 0 and turned is False):
        return Pose(window or 0, bool(turned))
    return None


def choose_pose(
    unseen: Callable[[Pose], float],
    unseen_turned: Callable[[], float],
    window: int | None = None,
    turned: bool | None = None,
) -> tuple[Pose, str]:
    """Decide how parts come.

    Args:
        unseen: the median score, in bits, of good parts against a bank of others in a pose.
        unseen_turned: of turned pictures of these parts, against a bank of others as they came.
        window: if it is forced.
        turned: if that is forced.

    Returns:
        The pose, and why, a sentence.
    """
    forced = forced_pose(window, turned)
    if forced:
        return forced, "as asked for"
    plain = unseen(ONE_WAY_ROUND)
    seen = f"held-out good parts score {plain:.1f} bits compared with all others (medians)"
    if turned is None:
        any_way = unseen_turned()
        seen += f", {any_way:.1f} if they are turned"
        if any_way <= plain * _TURNED_MAY_COST:
            return ANY_ORIENTATION, f"{seen}: they come in any orientation"
    if window is None:
        nearby = unseen(ONE_POSE)
        seen += f", {nearby:.1f} compared with their surroundings"
        if nearby <= plain * _WINDOW_MAY_COST:
            return ONE_POSE, f"{seen}: they come in one pose"
    return ONE_WAY_ROUND, f"{seen}: a part's pattern turns up all over it, one way round"
