"""A defect changes the picture where its mask says, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge_agent.simulator import DEFECTS, SimulatorSettings
from edge_agent.simulator.parts import PartPainter

PAINTER = PartPainter(SimulatorSettings(rotation_deg=180))
SMALL_PAINTER = PartPainter(
    SimulatorSettings(part_diameter_px=64, part_spacing_px=120, rotation_deg=180)
)
KINDS = sorted(DEFECTS)


def spoil(
    painter: PartPainter, kind: str, subtlety: float, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The change of each pixel, int (s, s), the mask, and how much is part."""
    part = painter.paint(number)
    before = part.picture.astype(int)
    mask = DEFECTS[kind](part, subtlety, np.random.default_rng(number))
    return np.abs(part.picture - before).max(2), mask, part.coverage


@pytest.mark.parametrize("painter", [PAINTER, SMALL_PAINTER], ids=["usual", "small"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_where_the_picture_changes(kind: str, painter: PartPainter) -> None:
    for number in range(25):
        change, mask, coverage = spoil(painter, kind, 0.0, number)
        assert mask.dtype == np.bool_
        assert mask.shape == change.shape
        assert mask.sum() >= 4
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert change[~near].max() <= 2
        assert coverage[mask].min() > 0
        assert (change[mask] > 10).mean() > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_a_blatant_defect_is_blatant_and_a_subtle_one_is_there(kind: str) -> None:
    for number in range(10):
        blatant, mask, _ = spoil(PAINTER, kind, 0.0, number)
        faint, _, _ = spoil(PAINTER, kind, 1.0, number)
        assert np.percentile(blatant[mask], 90) > 45
        assert 1 <= faint[mask].max() <= 14


@pytest.mark.parametrize("kind", KINDS)
def test_subtlety_lowers_the_contrast_and_moves_nothing(kind: str) -> None:
    for number in range(10):
        steps = [spoil(PAINTER, kind, subtlety, number) for subtlety in (0, 0.25, 0.5, 0.75, 1)]
        contrasts = [change[mask].mean() for change, mask, _ in steps]
        assert all(more > less for more, less in pairwise(contrasts))
        assert all(np.array_equal(mask, steps[0][1]) for _, mask, _ in steps)


@pytest.mark.parametrize("kind", KINDS)
def test_defects_of_one_kind_differ_in_place(kind: str) -> None:
    places = {tuple(np.argwhere(spoil(PAINTER, kind, 0, number)[1])[0]) for number in range(12)}
    assert len(places) > 6
