from __future__ import annotations

from firmware_bridge.mcu.parts import ASK_AGAIN_NS, GRACE_NS, MOST_AT_ONCE, PartReports
from firmware_bridge.wire import messages
from firmware_bridge.wire.messages import PART_RECORDS

MS = 1_000_000


def trigger(part: int) -> messages.Message:
    return messages.make(messages.TRIGGER, part=part, triggered_at=0, encoder=0)


def outcome(part: int) -> messages.Message:
    return messages.make(messages.OUTCOME, part=part, kind=1, flags=0, fired_at=0, error=0)


def test_nothing_is_missing_while_reports_come_in_order():
    reports = PartReports(1)
    for part in (1, 2, 3):
        reports.latched_below(part + 1)
        reports.triggered(trigger(part))
        reports.note_missing(0)
    reports.ended(outcome(1))
    reports.note_missing(0)
    assert reports.due_ns() is None
    assert reports.to_ask(10**12) is None


def test_a_gap_is_asked_for_after_a_grace():
    reports = PartReports(1)
    reports.latched_below(4)
    reports.triggered(trigger(3))
    reports.note_missing(0)
    assert reports.to_ask(GRACE_NS - 1) is None
    assert reports.to_ask(GRACE_NS) == (1, 2)
    assert reports.to_ask(GRACE_NS + 1) is None
    assert reports.to_ask(GRACE_NS + ASK_AGAIN_NS) == (1, 2)
    assert reports.asked == 2


def test_a_later_outcome_shows_that_an_earlier_one_is_missing():
    reports = PartReports(1)
    for part in (1, 2):
        reports.latched_below(part + 1)
        reports.triggered(trigger(part))
    reports.ended(outcome(2))
    reports.note_missing(5)
    assert reports.to_ask(5 + GRACE_NS) == (1, 1)
    reports.ended(outcome(1))
    reports.note_missing(6)
    assert reports.due_ns() is None


def test_the_last_outcome_is_missed_through_the_numbers_of_a_pong():
    reports = PartReports(1)
    reports.latched_below(2)
    reports.triggered(trigger(1))
    reports.decided_below(2)
    reports.note_missing(0)
    assert reports.to_ask(GRACE_NS) == (1, 1)


def test_only_so_many_are_asked_for_at_once():
    reports = PartReports(1)
    reports.latched_below(30)
    reports.note_missing(0)
    assert reports.to_ask(GRACE_NS) == (1, MOST_AT_ONCE)


def test_what_the_mcu_has_forgotten_is_not_asked_for():
    reports = PartReports(1)
    reports.latched_below(100)
    forgotten = reports.forgotten()
    assert [entry.number for entry in forgotten] == list(range(1, 100 - PART_RECORDS))
    for entry in forgotten:
        reports.close(entry)
    reports.note_missing(0)
    first, _ = reports.to_ask(GRACE_NS)
    assert first == 100 - PART_RECORDS


def test_repeated_reports_change_nothing():
    reports = PartReports(5)
    assert [entry.number for entry in reports.latched_below(6)] == [5]
    assert reports.latched_below(6) == []
    first = trigger(5)
    reports.triggered(first)
    reports.triggered(trigger(5))
    (entry,) = reports.open
    assert entry.trigger is first
    reports.close(entry)
    reports.triggered(trigger(5))
    reports.ended(outcome(4))
    assert reports.open == []
    assert not reports.is_open(5)
