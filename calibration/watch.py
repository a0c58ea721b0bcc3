"""Whether the pictures on the line are still like those that were taught from.

A part is judged by itself; light, focus and camera settings show over many. The watch looks at the
last so many inspections and says what is wrong with most of them, for people to mend: the verdicts
stay what they are.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from calibration.detector import Inspection
from calibration.model_file import Model
from calibration.preparation import MOST_GAIN

_ENOUGH = 20

# Share of pictures that is no chance: a good one lies beyond all taught ones about once in as many
# as were taught.
_TOO_MANY = 0.25

_OTHER_GAIN = 1.2


class Change(Enum):
    """In what way a picture is unlike those taught; of several, the first explains the others."""

    GREY = (
        "are grey, and the model was taught on coloured ones: set the camera to colour, or teach"
        " again on grey pictures"
    )
    DRIFTED = (
        "lie as a whole beyond every good one that was taught: light, focus or camera settings have"
        " changed; restore them, or teach again"
    )
    RELIT = (
        "are darker or brighter than the taught ones by a fifth or more: that is made up for, up to"
        f" {MOST_GAIN:g} times; see to lamps, lens and exposure in time"
    )

    def sentence(self, which: str) -> str:
        """For people; ``which`` says of which pictures, e.g. "40% of 20"."""
        return f"{which} pictures {self.value}"


@dataclass(frozen=True)
class Usual:
    """What good pictures were like.

    Attributes:
        highest_median: of the map of a good part that the bank had not seen, in bits.
        colourless_below: chroma below which a picture has lost its colour; 0 where good ones have
            none to lose.
    """

    highest_median: float
    colourless_below: float

    @classmethod
    def of(cls, model: Model) -> Usual:
        """What the model was taught on."""
        return cls(model.highest_median, model.colourless_below)

    def changes(self, inspection: Inspection) -> frozenset[Change]:
        """In what ways an inspected picture is unlike them."""
        is_changed = {
            Change.GREY: inspection.is_colourless,
            Change.DRIFTED: inspection.median > self.highest_median,
            Change.RELIT: not 1 / _OTHER_GAIN < inspection.gain < _OTHER_GAIN,
        }
        return frozenset(change for change, is_so in is_changed.items() if is_so)


def cause(shares: Mapping[Change, float]) -> Change | None:
    """Why too many pictures have changed, if too many have; ``shares`` are 0 .. 1."""
    return next((change for change in Change if shares[change] > _TOO_MANY), None)


class Watch:
    """Looks at one inspection after the other.

    One thread at a time may call :meth:`see`; any may read :attr:`problems`.

    Args:
        usual: what good pictures were like.
        history: how many inspections are looked back on, at least 20.

    Attributes:
        problems: sentences about the last pictures; empty when all is well.
    """

    def __init__(self, usual: Usual, history: int = 100) -> None:
        self._usual = usual
        self._seen: deque[frozenset[Change]] = deque(maxlen=max(history, _ENOUGH))
        self._counts: Counter[Change] = Counter()
        self.problems: tuple[str, ...] = ()

    def see(self, inspection: Inspection) -> None:
        """Take note of an inspection."""
        if len(self._seen) == self._seen.maxlen:
            self._counts.subtract(self._seen.popleft())
        changes = self._usual.changes(inspection)
        self._seen.append(changes)
        self._counts.update(changes)
        count = len(self._seen)
        if count < _ENOUGH:
            return
        why = cause({change: self._counts[change] / count for change in Change})
        # Without figures: a problem that changes with every part would be told with every part.
        which = f"more than {_TOO_MANY:.0%} of the last"
        self.problems = () if why is None else (why.sentence(which),)
