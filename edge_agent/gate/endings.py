"""Brings together what was seen of a part and how it ended, which may come in either order.

A result is told once, when both are known: its message then carries the final outcome. How many
results wait is bounded by the parts between photo-eye and gate, and how long they wait by the belt;
if the gate falls silent for good, the caller gives them up as lost.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from edge_agent.record import PartRecord, Result, UninspectedPart
from firmware_bridge import Counts, Outcome, OutcomeKind


@dataclass
class _Entry:
    """One part that has not been told.

    Attributes:
        passed_at: when it passed the photo-eye, wall time.
        record: once it has been inspected.
        uninspected: it never will be.
        outcome: once it has ended.
    """

    passed_at: datetime
    record: PartRecord | None = None
    uninspected: bool = False
    outcome: Outcome | None = None


class Endings:
    """The parts on their way from the photo-eye to a message. Threads may share it.

    Args:
        tell: called with each result, once; must not wait.
    """

    def __init__(self, tell: Callable[[Result], None]) -> None:
        self._tell = tell
        self._changed = threading.Condition()
        self._entries: dict[int, _Entry] = {}
        self._given_up: set[int] = set()
        self._told: Counter[OutcomeKind] = Counter()
        self._lost_events = 0

    def came(self, number: int, passed_at: datetime) -> None:
        """A part has passed the photo-eye."""
        with self._changed:
            self._entries[number] = _Entry(passed_at)

    def judged(self, record: PartRecord) -> None:
        """A part has been inspected."""
        with self._changed:
            entry = self._entries.get(record.part.number)
            if entry is not None:
                entry.record = record
                self._tell_if_whole(record.part.number, entry)

    def not_inspected(self, number: int) -> None:
        """A part will not be inspected."""
        with self._changed:
            entry = self._entries.get(number)
            if entry is not None:
                entry.uninspected = True
                self._tell_if_whole(number, entry)

    def ended(self, outcome: Outcome, now: datetime) -> None:
        """A part has ended; one that was never announced was lost on its way to us."""
        with self._changed:
            self._lost_events += outcome.kind is OutcomeKind.LOST
            if outcome.part in self._given_up:
                self._given_up.discard(outcome.part)
                return
            unheard_of = _Entry(now, uninspected=True)
            entry = self._entries.setdefault(outcome.part, unheard_of)
            entry.outcome = outcome
            self._tell_if_whole(outcome.part, entry)

    def waiting(self) -> list[int]:
        """Parts that have not ended."""
        with self._changed:
            return [number for number, entry in self._entries.items() if entry.outcome is None]

    def give_up(self, numbers: list[int]) -> None:
        """Nothing will be heard of these parts: as far as anybody can tell, they are lost."""
        with self._changed:
            for number in numbers:
                entry = self._entries.get(number)
                if entry is not None and entry.outcome is None:
                    self._given_up.add(number)
                    entry.outcome = Outcome(number, OutcomeKind.LOST)
                    self._tell_if_whole(number, entry)

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until every part has been told; returns whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries, timeout_s)

    def counts(self, gate: Counts) -> Counts:
        """How many parts came, and what was told of them.

        Args:
            gate: the gate's own books, which also know of triggers that got no part number; these
                are lost, and only counted.
        """
        with self._changed:
            told = {kind.value: self._told[kind] for kind in OutcomeKind}
            told["lost"] += max(0, gate.lost - self._lost_events)
            in_flight = max(len(self._entries), gate.triggers - sum(told.values()))
        return Counts(triggers=sum(told.values()) + in_flight, in_flight=in_flight, **told)

    def _tell_if_whole(self, number: int, entry: _Entry) -> None:
        if entry.outcome is None or (entry.record is None and not entry.uninspected):
            return
        del self._entries[number]
        self._told[entry.outcome.kind] += 1
        if entry.record is not None:
            self._tell(replace(entry.record, outcome=entry.outcome))
        else:
            self._tell(UninspectedPart(entry.outcome, entry.passed_at))
        self._changed.notify_all()
