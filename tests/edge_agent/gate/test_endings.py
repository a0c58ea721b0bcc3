"""Each part is told once, with its final outcome, in whatever order things come."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.gate.endings import Endings
from edge_agent.record import PartRecord, Result, UninspectedPart
from edge_agent.triggers.base import Part
from firmware_bridge import Counts, Outcome, OutcomeKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Counts(triggers=0, passed=0, rejected=0, late=0, lost=0, skipped=0, in_flight=0)


def _record(number: int) -> PartRecord:
    unknown = cast(Any, None)
    return PartRecord(Part(number, unknown, unknown, (0, 0, 1, 1)), unknown, NOW, 1.0)


def _numbers(told: list[Result]) -> list[tuple[int, bool, str]]:
    found = []
    for result in told:
        assert result.outcome is not None
        found.append(
            (result.outcome.part, isinstance(result, PartRecord), result.outcome.kind.value)
        )
    return found


def test_the_record_waits_for_the_outcome_and_keeps_its_id() -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    endings.came(1, NOW)
    record = _record(1)
    endings.judged(record)
    assert told == []
    assert not endings.wait_until_empty(0)
    endings.ended(Outcome(1, OutcomeKind.PASSED), NOW)
    assert _numbers(told) == [(1, True, "passed")]
    assert told[0].id == record.id
    assert endings.wait_until_empty(0)


def test_an_outcome_waits_for_an_inspection_under_way() -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    endings.came(1, NOW)
    endings.ended(Outcome(1, OutcomeKind.LATE), NOW)
    assert told == []
    endings.judged(_record(1))
    assert _numbers(told) == [(1, True, "late")]


def test_a_part_that_nobody_announced_is_told_all_the_same() -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    endings.ended(Outcome(7, OutcomeKind.LOST), NOW)
    assert _numbers(told) == [(7, False, "lost")]
    assert isinstance(told[0], UninspectedPart)


def test_parts_given_up_are_lost_once_whatever_is_heard_later() -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    for number in (1, 2):
        endings.came(number, NOW)
        endings.judged(_record(number))
    endings.give_up(endings.waiting())
    assert _numbers(told) == [(1, True, "lost"), (2, True, "lost")]
    endings.ended(Outcome(1, OutcomeKind.REJECTED), NOW)
    endings.ended(Outcome(2, OutcomeKind.LOST), NOW)
    assert len(told) == 2
    gate = Counts(triggers=2, passed=0, rejected=1, late=0, lost=1, skipped=0, in_flight=0)
    counts = endings.counts(gate)
    assert (counts.triggers, counts.lost, counts.rejected, counts.in_flight) == (2, 2, 0, 0)


def test_triggers_without_a_number_are_counted_as_lost() -> None:
    endings = Endings(lambda _: None)
    endings.came(1, NOW)
    gate = Counts(triggers=4, passed=0, rejected=0, late=0, lost=3, skipped=0, in_flight=1)
    counts = endings.counts(gate)
    assert (counts.triggers, counts.lost, counts.in_flight) == (4, 3, 1)


@given(st.permutations(["inspection", "outcome"] * 3), st.lists(st.booleans(), min_size=3))
def test_any_order_gives_one_result_a_part(order: list[str], inspected: list[bool]) -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    for number in range(3):
        endings.came(number, NOW)
    next_of = {"inspection": itertools.count(), "outcome": itertools.count()}
    for what in order:
        number = next(next_of[what])
        if what == "outcome":
            endings.ended(Outcome(number, OutcomeKind.PASSED), NOW)
        elif inspected[number]:
            endings.judged(_record(number))
        else:
            endings.not_inspected(number)
    assert sorted(_numbers(told)) == [(n, inspected[n], "passed") for n in range(3)]
    counts = endings.counts(NOTHING)
    assert (counts.triggers, counts.passed, counts.in_flight) == (3, 3, 0)


@pytest.mark.parametrize("parts", [400])
def test_threads_may_share_it(parts: int) -> None:
    told: list[Result] = []
    endings = Endings(told.append)
    for number in range(parts):
        endings.came(number, NOW)

    def judge() -> None:
        for number in range(parts):
            endings.judged(_record(number))

    thread = threading.Thread(target=judge)
    thread.start()
    for number in range(parts):
        endings.ended(Outcome(number, OutcomeKind.PASSED), NOW)
    thread.join()
    assert sorted(n for n, _, _ in _numbers(told)) == list(range(parts))
