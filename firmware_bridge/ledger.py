"""The books: every trigger ends in exactly one outcome, and the sums say so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from firmware_bridge.events import OutcomeKind


@dataclass(frozen=True)
class Counts:
    """How many parts came and how they ended; ``triggers`` is the sum of all others."""

    triggers: int
    passed: int
    rejected: int
    late: int
    lost: int
    skipped: int
    in_flight: int


class Ledger:
    """Opens an account for each part and closes it once."""

    def __init__(self) -> None:
        self._triggers = 0
        self._open: set[int] = set()
        self._ended: Counter[OutcomeKind] = Counter()

    def opened(self, part: int) -> None:
        """A part has come."""
        if part in self._open:
            raise ValueError(f"part {part} is in the books already")
        self._open.add(part)
        self._triggers += 1

    def closed(self, part: int, kind: OutcomeKind) -> None:
        """A part has ended."""
        if part not in self._open:
            raise ValueError(f"part {part} has ended before, or never came")
        self._open.remove(part)
        self._ended[kind] += 1

    def lost(self, count: int) -> None:
        """So many triggers were seen by the hardware but got no part number."""
        self._triggers += count
        self._ended[OutcomeKind.LOST] += count

    @property
    def counts(self) -> Counts:
        """How many parts came and how they ended."""
        ended = {kind.value: self._ended[kind] for kind in OutcomeKind}
        return Counts(triggers=self._triggers, in_flight=len(self._open), **ended)
