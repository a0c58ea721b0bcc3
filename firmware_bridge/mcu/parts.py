"""Which parts the MCU has told of, and which reports are missing.

Reports may be lost. Part numbers have no gaps and outcomes come in the order of parts, so whatever
is missing shows as soon as anything later arrives, in a report or in the numbers of a ``pong``.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.wire.messages import PART_RECORDS, Message

GRACE_NS = 8 * NS_PER_MS
"""A report may be on its way while a later ``pong`` has arrived already."""

ASK_AGAIN_NS = 25 * NS_PER_MS

MOST_AT_ONCE = 8


@dataclass
class Entry:
    """One part of this session.

    Attributes:
        number: as the MCU counts.
        trigger: its report, once it has come.
        outcome: its report, once it has come.
        told: the trigger has been passed on.
        missing_since_ns: when it first showed that a report is missing; None: none is.
    """

    number: int
    trigger: Message | None = None
    outcome: Message | None = None
    told: bool = False
    missing_since_ns: int | None = None


class PartReports:
    """The reports of one session, in order. Not for several threads.

    Attributes:
        asked: how often reports had to be asked for again.
    """

    def __init__(self, first_part: int) -> None:
        self.asked = 0
        self._first = first_part
        self._next = first_part
        self._open: dict[int, Entry] = {}
        self._decided_below = first_part
        self._asked_ns: int | None = None

    @property
    def open(self) -> list[Entry]:
        """Parts that have not ended, in order."""
        return list(self._open.values())

    @property
    def count(self) -> int:
        """Parts that have come in this session."""
        return self._next - self._first

    def is_open(self, number: int) -> bool:
        """Whether the part has come and not ended."""
        return number in self._open

    def latched_below(self, next_part: int) -> list[Entry]:
        """All parts below this number have come; returns those that are new."""
        fresh = [Entry(number) for number in range(self._next, next_part)]
        for entry in fresh:
            self._open[entry.number] = entry
        self._next = max(self._next, next_part)
        return fresh

    def triggered(self, report: Message) -> None:
        """A ``trigger`` report; repeated ones change nothing."""
        if entry := self._open.get(report["part"]):
            entry.trigger = entry.trigger or report

    def ended(self, report: Message) -> None:
        """An ``outcome`` report; repeated ones change nothing."""
        if entry := self._open.get(report["part"]):
            entry.outcome = entry.outcome or report
        self.decided_below(report["part"])

    def decided_below(self, part: int) -> None:
        """All parts below this one have an outcome, whether or not its report has come."""
        self._decided_below = max(self._decided_below, part)

    def close(self, entry: Entry) -> None:
        """The part has been passed on in full."""
        self._open.pop(entry.number, None)

    def forgotten(self) -> list[Entry]:
        """Parts of which something is missing and the MCU has no record any more."""
        oldest = self._next - PART_RECORDS
        return [
            entry
            for entry in self._open.values()
            if entry.number < oldest and (entry.trigger is None or entry.outcome is None)
        ]

    def note_missing(self, now_ns: int) -> None:
        """Looks for gaps; to be called after every piece of news."""
        for entry in self._open.values():
            missing = entry.trigger is None or (
                entry.outcome is None and entry.number < self._decided_below
            )
            if not missing:
                entry.missing_since_ns = None
            elif entry.missing_since_ns is None:
                entry.missing_since_ns = now_ns

    def due_ns(self) -> int | None:
        """When something should be asked for; None: nothing is missing."""
        since = [e.missing_since_ns for e in self._open.values() if e.missing_since_ns is not None]
        if not since:
            return None
        due_ns = min(since) + GRACE_NS
        return due_ns if self._asked_ns is None else max(due_ns, self._asked_ns + ASK_AGAIN_NS)

    def to_ask(self, now_ns: int) -> tuple[int, int] | None:
        """First part and count to ask for now, or None."""
        due_ns = self.due_ns()
        if due_ns is None or now_ns < due_ns:
            return None
        self._asked_ns = now_ns
        self.asked += 1
        numbers = [e.number for e in self._open.values() if e.missing_since_ns is not None]
        first = max(numbers[0], self._next - PART_RECORDS)
        last = max(number for number in numbers if number < numbers[0] + MOST_AT_ONCE)
        return first, max(1, last - first + 1)
