"""A good part is drawn as described, and each a little different from the last."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_agent.simulator import SimulatorSettings
from edge_agent.simulator.part_picture import PartPicture
from edge_agent.simulator.parts import HOLES, PartPainter


def paint(number: int, **changes: object) -> PartPicture:
    return PartPainter(SimulatorSettings(**changes)).paint(number)  # type: ignore[arg-type]


def dark_spots(part: PartPicture) -> list[tuple[float, float]]:
    """Centres of the round dark areas, found in the picture alone, outside the label."""
    grey = cv2.cvtColor(part.picture, cv2.COLOR_BGR2GRAY)
    dark = ((grey < 75) & (part.coverage > 0.9)).astype(np.uint8)
    cv2.circle(dark, (len(dark) // 2, len(dark) // 2), round(0.57 * part.radius_px), 0, -1)
    count, _, stats, centres = cv2.connectedComponentsWithStats(dark)
    return [
        (float(centres[label][0]), float(centres[label][1]))
        for label in range(1, count)
        if stats[label][cv2.CC_STAT_AREA] > 40
    ]


@pytest.mark.parametrize("number", range(4))
def test_holes_are_where_the_part_says_they_are(number: int) -> None:
    part = paint(number, rotation_deg=180)
    spots = dark_spots(part)
    assert len(part.holes) == len(spots) == HOLES
    for hole in part.holes:
        assert min(np.hypot(x - hole.x, y - hole.y) for x, y in spots) < 2.5


def test_a_part_covers_a_disc_of_its_radius() -> None:
    part = paint(3)
    assert part.coverage.sum() == pytest.approx(np.pi * part.radius_px**2, rel=0.002)
    assert part.coverage[0].max() == part.coverage[:, 0].max() == 0
    bores = part.coverage.sum() - part.solid.sum()
    assert bores == pytest.approx(HOLES * np.pi * (0.072 * part.radius_px) ** 2, rel=0.05)


def test_the_print_is_dark_on_a_light_label() -> None:
    part = paint(0)
    inked, bare = part.picture[part.ink > 0.9], part.blank[part.ink > 0.9]
    assert len(inked) > 300
    assert inked.mean() < 90
    assert bare.mean() > 180
    assert np.array_equal(part.picture[part.ink == 0][:50], part.blank[part.ink == 0][:50])


def test_the_same_number_gives_the_same_part_in_any_order() -> None:
    painter = PartPainter(SimulatorSettings())
    first = painter.paint(5)
    painter.paint(6)
    assert np.array_equal(painter.paint(5).picture, first.picture)
    assert np.array_equal(paint(5).picture, first.picture)
    assert not np.array_equal(paint(5, seed=2).picture, first.picture)


def test_rotation_stays_within_its_limit_and_uses_it() -> None:
    painter = PartPainter(SimulatorSettings(rotation_deg=10))
    angles = []
    for number in range(60):
        part = painter.paint(number)
        hole = part.holes[0]
        angles.append(np.rad2deg(np.arctan2(hole.y - part.centre[1], hole.x - part.centre[0])))
    assert -10 <= min(angles) < -7
    assert 7 < max(angles) <= 10


def test_size_stays_within_its_limit_and_uses_it() -> None:
    painter = PartPainter(SimulatorSettings(size_variation=0.05))
    radii = [painter.paint(number).radius_px for number in range(40)]
    assert 104.5 <= min(radii) < 106
    assert 114 < max(radii) <= 115.5


def test_more_texture_variation_makes_parts_differ_more() -> None:
    differences = []
    for variation in (0.0, 0.3, 1.0):
        still = {"rotation_deg": 0, "size_variation": 0, "texture_variation": variation}
        one, other = (paint(number, **still).picture.astype(int) for number in (1, 2))
        differences.append(np.abs(one - other).mean())
    assert differences == sorted(differences)
    assert differences[2] > 1.5 * differences[0]


def test_a_part_larger_than_the_stock_of_grain_can_be_drawn() -> None:
    part = paint(
        0, width_px=4000, height_px=2400, part_diameter_px=1400, part_spacing_px=2000, exposure_ms=0
    )
    assert part.picture.shape[0] >= 1400
    assert part.coverage.sum() == pytest.approx(np.pi * part.radius_px**2, rel=0.001)
