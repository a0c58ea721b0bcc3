"""One session with an MCU: its part numbers, and how its reports become events.

A session lasts until the MCU is reset or serves another host, and survives the loss of the wire.
The MCU numbers parts from its own start; people see numbers that count on over sessions.
"""

from __future__ import annotations

from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.events import Event, Outcome, OutcomeKind, Trigger
from firmware_bridge.jitter import JitterMeter
from firmware_bridge.ledger import Ledger
from firmware_bridge.mcu.clock_sync import ClockSync
from firmware_bridge.mcu.parts import Entry, PartReports
from firmware_bridge.wire import codes
from firmware_bridge.wire.codes import OutcomeFlag
from firmware_bridge.wire.messages import TICKS_PER_US, Message

PLAUSIBLE_PARTS = 1 << 16
"""A part number further ahead than this is damage that the checksum has missed."""


class Session:
    """The parts of one session. Not for several threads.

    Args:
        number: that both ends know it by.
        first_part: the MCU's number for its first part.
        configuration: of the gate.
        ledger: the books, kept over all sessions.
        jitter: of the gate, kept over all sessions.

    Attributes:
        clock: of the MCU.
        reports: of the MCU.
    """

    def __init__(
        self,
        number: int,
        first_part: int,
        configuration: RejectConfiguration,
        ledger: Ledger,
        jitter: JitterMeter,
    ) -> None:
        self.number = number
        self.clock = ClockSync()
        self.reports = PartReports(first_part)
        self.first_part = first_part
        self._parts_before = ledger.counts.triggers
        self._by_distance = configuration.distance_counts is not None
        self._has_encoder = configuration.encoder is not EncoderKind.NONE
        self._ledger = ledger
        self._jitter = jitter
        self._unlatched: int | None = None

    def number_of(self, part: int) -> int:
        """The MCU's number for a part."""
        return part - self._parts_before + self.first_part - 1

    def part_of(self, number: int) -> int:
        """The part behind a number of the MCU."""
        return number - self.first_part + 1 + self._parts_before

    def knows(self, number: int) -> bool:
        """Whether the number is of this session."""
        return number >= self.first_part

    def take_trigger(self, report: Message) -> None:
        """A ``trigger`` report."""
        self._latched(report["part"] + 1)
        self.reports.triggered(report)

    def take_outcome(self, report: Message) -> None:
        """An ``outcome`` report."""
        self._latched(report["part"] + 1)
        self.reports.ended(report)

    def take_pong(self, report: Message) -> None:
        """The part numbers in a ``pong``."""
        self._latched(report["next_part"])
        self.reports.decided_below(report["open_part"])
        if self._unlatched is not None:
            self._ledger.lost((report["unlatched"] - self._unlatched) % 0x10000)
        self._unlatched = report["unlatched"]

    def events(self, now_ns: int) -> list[Event]:
        """What the reports so far amount to: each trigger once, then its outcome once."""
        found: list[Event] = []
        if self.clock.ready:
            for entry in self.reports.open:
                if entry.trigger and not entry.told:
                    entry.told = True
                    found.append(self._trigger(entry, entry.trigger))
                if entry.told and entry.outcome:
                    found.append(self._end(entry))
            found += [self._end(entry) for entry in self.reports.forgotten()]
        self.reports.note_missing(now_ns)
        return found

    def abandon(self) -> list[Event]:
        """The MCU knows nothing of these parts any more: all that have not ended are lost."""
        return [self._end(entry) for entry in self.reports.open]

    def _latched(self, next_part: int) -> None:
        if next_part - self.first_part > self.reports.count + PLAUSIBLE_PARTS:
            return
        for entry in self.reports.latched_below(next_part):
            self._ledger.opened(self.part_of(entry.number))

    def _trigger(self, entry: Entry, report: Message) -> Trigger:
        at_ns, uncertainty_ns = self.clock.to_host_ns(report["triggered_at"])
        encoder_count = report["encoder"] if self._has_encoder else None
        return Trigger(self.part_of(entry.number), at_ns, uncertainty_ns, encoder_count)

    def _end(self, entry: Entry) -> Outcome:
        part = self.part_of(entry.number)
        if entry.outcome:
            outcome = self._outcome(part, entry.outcome)
        else:
            outcome = Outcome(part, OutcomeKind.LOST)
        self.reports.close(entry)
        self._ledger.closed(part, outcome.kind)
        return outcome

    def _outcome(self, part: int, report: Message) -> Outcome:
        flags = OutcomeFlag(report["flags"] & 0x0F)
        fired = OutcomeFlag.FIRED in flags
        merged = OutcomeFlag.MERGED in flags
        error_us = error_counts = None
        if fired and not merged:
            if self._by_distance:
                error_counts = report["error"]
            else:
                error_us = report["error"] / TICKS_PER_US
                self._jitter.add(error_us)
        return Outcome(
            part=part,
            kind=codes.OUTCOMES.word(report["kind"]) or OutcomeKind.LOST,
            fired=fired,
            fired_at_ns=self.clock.to_host_ns(report["fired_at"])[0] if fired else None,
            error_us=error_us,
            error_counts=error_counts,
            merged=merged,
            clipped=OutcomeFlag.CLIPPED in flags,
            missed=OutcomeFlag.MISSED in flags,
        )
