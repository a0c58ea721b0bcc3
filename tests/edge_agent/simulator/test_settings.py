"""Settings within their limits make a line; beyond them one sentence says what is wrong."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from edge_agent.simulator import DEFECTS, SimulatorSettings


@pytest.mark.parametrize(
    ("changes", "value", "limit"),
    [
        ({"seed": -1}, "-1", "0 or more"),
        ({"width_px": 100}, "100", "160 to 4096"),
        ({"height_px": 5000}, "5000", "120 to 4096"),
        ({"frames_per_s": 0}, "0", "1 to 1000"),
        ({"frames_per_s": math.nan}, "nan", "1 to 1000"),
        ({"belt_speed_px_per_s": -5}, "-5", "1 to 1e+06"),
        ({"exposure_ms": 40}, "40", "0 to 33.3"),
        ({"part_diameter_px": 20}, "20", "64 to 4096"),
        ({"position_jitter_px": -1}, "-1", "0 to 4096"),
        ({"rotation_deg": 200}, "200", "0 to 180"),
        ({"size_variation": 0.2}, "0.2", "0 to 0.1"),
        ({"texture_variation": 1.5}, "1.5", "0 to 1"),
        ({"lighting_variation": math.inf}, "inf", "0 to 0.5"),
        ({"noise_grey_levels": 21}, "21", "0 to 20"),
        ({"defect_share": 1.01}, "1.01", "0 to 1"),
        ({"defects": ("rust",)}, "'rust'", "scratch, dent"),
        ({"defects": ("dent", "dent")}, "dent, dent", "only once"),
        ({"defects": ()}, "empty", "at least one"),
        ({"subtlety": (0.5, 0.2)}, "(0.5, 0.2)", "0 to 1"),
        ({"subtlety": (0.5, 1.2)}, "(0.5, 1.2)", "0 to 1"),
        ({"subtlety": (math.nan, math.nan)}, "nan", "0 to 1"),
        ({"parts": 0}, "0", "1 or more"),
        ({"part_diameter_px": 440.0}, "440", "height_px is 480"),
        ({"position_jitter_px": 100.0}, "100", "height_px is 480"),
        ({"part_spacing_px": 230.0}, "230", "at least 273"),
        ({"part_spacing_spread_px": 80.0}, "80", "at least 393"),
        ({"belt_speed_px_per_s": 20000.0}, "20000", "at most 12574"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(
    changes: dict[str, Any], value: str, limit: str
) -> None:
    with pytest.raises(ValueError, match=r"is|names") as caught:
        SimulatorSettings(**changes)
    message = str(caught.value)
    assert next(iter(changes)) in message
    assert value in message
    assert limit in message
    assert re.fullmatch(r"[a-z_]+ (is|names) [^\n]*\.", message)


def test_values_at_their_limits_are_taken() -> None:
    settings = SimulatorSettings(
        seed=0,
        width_px=160,
        height_px=120,
        part_diameter_px=64,
        part_spacing_px=96,
        part_spacing_spread_px=0,
        size_variation=0.1,
        position_jitter_px=0,
        rotation_deg=180,
        defect_share=1,
        subtlety=(1, 1),
        parts=1,
        belt_speed_px_per_s=1,
        exposure_ms=0,
    )
    assert settings.largest_diameter_px == pytest.approx(70.4)


def test_no_defects_are_needed_where_none_occur() -> None:
    assert SimulatorSettings(defects=(), defect_share=0).defects == ()


def test_every_defect_is_enabled_unless_told_otherwise() -> None:
    assert SimulatorSettings().defects == tuple(DEFECTS)
