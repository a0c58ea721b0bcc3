"""The plan of a line follows its settings: who comes when, and who is defective."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from edge_agent.simulator import DEFECTS, SimulatorSettings
from edge_agent.simulator.line import Line


def fates(count: int, **changes: object) -> list[str | None]:
    line = Line(SimulatorSettings(**changes))  # type: ignore[arg-type]
    return [line.part(number).defect for number in range(count)]


@pytest.mark.parametrize("share", [0, 0.03, 0.1, 1 / 3, 0.5, 0.85, 1])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_share_of_defective_parts_is_kept(share: float, seed: int) -> None:
    for count in (20, 60, 200):
        defective = sum(fate is not None for fate in fates(count, defect_share=share, seed=seed))
        assert abs(defective - count * share) <= 0.5


def test_defective_parts_come_irregularly() -> None:
    at = [number for number, fate in enumerate(fates(400, defect_share=0.1)) if fate]
    gaps = {later - earlier for earlier, later in pairwise(at)}
    assert len(gaps) > 5
    assert at != [
        number for number, fate in enumerate(fates(400, defect_share=0.1, seed=2)) if fate
    ]


def test_defects_take_turns() -> None:
    kinds = [fate for fate in fates(400, defect_share=0.3) if fate]
    assert set(Counter(kinds)) == set(DEFECTS)
    for start in range(0, len(kinds) - len(DEFECTS) + 1, len(DEFECTS)):
        assert set(kinds[start : start + len(DEFECTS)]) == set(DEFECTS)


def test_only_enabled_defects_occur() -> None:
    assert set(fates(200, defect_share=0.5, defects=("crack", "dent"))) == {None, "crack", "dent"}


def test_subtlety_stays_in_its_range_and_fills_it() -> None:
    line = Line(SimulatorSettings(defect_share=1, subtlety=(0.25, 0.75)))
    values = [line.part(number).subtlety for number in range(200)]
    assert 0.25 <= min(values) < 0.3
    assert 0.7 < max(values) <= 0.75


def test_places_do_not_depend_on_defects() -> None:
    good, bad = (Line(SimulatorSettings(defect_share=share)) for share in (0, 1))
    for number in range(50):
        one, other = good.part(number), bad.part(number)
        assert (one.behind_px, one.across_px) == (other.behind_px, other.across_px)


def test_parts_come_in_order_and_never_touch() -> None:
    settings = SimulatorSettings(part_spacing_px=275, part_spacing_spread_px=20)
    line = Line(settings)
    places = [line.part(number).behind_px for number in range(500)]
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert min(gaps) > settings.largest_diameter_px
    assert sum(gaps) / len(gaps) == pytest.approx(275, abs=0.1)
    assert min(gaps) < 245
    assert max(gaps) > 305


def test_parts_lie_about_the_middle_of_the_belt() -> None:
    line = Line(SimulatorSettings(position_jitter_px=15))
    across = [line.part(number).across_px for number in range(200)]
    assert 225 <= min(across) < 230
    assert 250 < max(across) <= 255


def test_visible_parts_are_those_a_full_search_finds() -> None:
    settings = SimulatorSettings(part_spacing_px=280, part_spacing_spread_px=20, parts=9)
    line = Line(settings)
    reach = 110 + 1 + settings.margin_px
    assert line.frames is not None
    for frame in range(line.frames + 5):
        shown = []
        for number in range(9):
            x = round(frame * 16) - line.part(number).behind_px
            if -reach < x < 640 + reach:
                shown.append((number, x))
        assert [(part.number, x) for part, x in line.visible(frame)] == shown


def test_an_endless_line_has_no_last_frame() -> None:
    line = Line(SimulatorSettings())
    assert line.frames is None
    assert line.visible(10**7)[0][0].number == pytest.approx(10**7 * 16 / 380, rel=1e-3)
