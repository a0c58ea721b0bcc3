"""Whether the pictures on the line are still like those that were taught from.

A part is judged by itself; light, focus and camera settings show over many. The watch looks at the
last so many inspections and says what is wrong with most of them, for people to mend: the verdicts
stay what they are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from calibration.detector import Inspection
from calibration.model_file import Model
from calibration.preparation import MOST_GAIN

_ENOUGH = 20

TOO_MANY = 0.25
"""Share of pictures that is no chance: a good one lies beyond all taught ones about once in as many
as were taught."""

_OTHER_GAIN = 1.2


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

    def is_drifted(self, inspection: Inspection) -> bool:
        """Whether the whole picture is farther from normal than any good one was."""
        return inspection.median > self.highest_median


def is_lit_otherwise(inspection: Inspection) -> bool:
    """Whether the picture was darker or brighter than good ones by a fifth or more."""
    return not 1 / _OTHER_GAIN < inspection.gain < _OTHER_GAIN


def drift_sentence(which: str) -> str:
    """What drift means, for people; ``which`` says of which pictures, e.g. "40% of 20"."""
    return (
        f"{which} pictures lie as a whole beyond every good one that was taught: light, focus or"
        " camera settings have changed; restore them, or teach again"
    )


def colour_sentence(which: str) -> str:
    """Likewise, of pictures that have lost their colour."""
    return (
        f"{which} pictures are grey, and the model was taught on coloured ones: set the camera to"
        " colour, or teach again on grey pictures"
    )


def light_sentence(which: str) -> str:
    """Likewise, of pictures that only their light tells from the taught ones."""
    return (
        f"{which} pictures are darker or brighter than the taught ones by a fifth or more: that is"
        f" made up for, up to {MOST_GAIN:g} times; see to lamps, lens and exposure in time"
    )


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
        self._seen: deque[tuple[bool, bool, bool]] = deque(maxlen=max(history, _ENOUGH))
        self._drifted = self._colourless = self._relit = 0
        self.problems: tuple[str, ...] = ()

    def see(self, inspection: Inspection) -> None:
        """Take note of an inspection."""
        if len(self._seen) == self._seen.maxlen:
            drifted, colourless, relit = self._seen.popleft()
            self._drifted -= drifted
            self._colourless -= colourless
            self._relit -= relit
        is_drifted = self._usual.is_drifted(inspection)
        now = is_drifted, inspection.is_colourless, is_lit_otherwise(inspection)
        self._seen.append(now)
        self._drifted += now[0]
        self._colourless += now[1]
        self._relit += now[2]
        count = len(self._seen)
        if count < _ENOUGH:
            return
        # Without figures: a problem that changes with every part would be told with every part.
        which = f"more than {TOO_MANY:.0%} of the last"
        # Lost colour moves the whole picture too: one cause, one sentence.
        if self._colourless > TOO_MANY * count:
            self.problems = (colour_sentence(which),)
        elif self._drifted > TOO_MANY * count:
            self.problems = (drift_sentence(which),)
        elif self._relit > TOO_MANY * count:
            self.problems = (light_sentence(which),)
        else:
            self.problems = ()
