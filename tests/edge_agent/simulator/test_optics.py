"""Lens and shutter soften and smear, and neither add nor take light."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.simulator import SimulatorSettings
from edge_agent.simulator.optics import Optics


def spot(side: int = 41) -> np.ndarray:
    picture = np.zeros((side, side), np.float32)
    picture[side // 2, side // 2] = 1
    return picture


@pytest.mark.parametrize("travel_px", [0.0, 0.7, 1.0, 2.0, 5.5, 12.0])
def test_a_spot_keeps_its_light_and_its_place(travel_px: float) -> None:
    seen = Optics(SimulatorSettings(exposure_ms=travel_px / 480 * 1000)).see(spot())
    assert seen.sum() == pytest.approx(1, abs=1e-5)
    assert (seen.sum(0) * np.arange(41)).sum() == pytest.approx(20, abs=1e-4)
    assert (seen.sum(1) * np.arange(41)).sum() == pytest.approx(20, abs=1e-4)


def test_motion_smears_along_the_travel_only() -> None:
    def spread(travel_px: float) -> tuple[float, float]:
        seen = Optics(SimulatorSettings(exposure_ms=travel_px / 480 * 1000)).see(spot())
        squares = (np.arange(41) - 20) ** 2
        return float((seen.sum(0) * squares).sum()), float((seen.sum(1) * squares).sum())

    still, moving = spread(0), spread(9)
    assert moving[1] == pytest.approx(still[1], abs=1e-4)
    # A box of length L has the variance L^2 / 12; sampling it in pixels adds up to 1/6.
    assert moving[0] - still[0] == pytest.approx(81 / 12, abs=0.2)


def test_a_mask_grows_as_far_as_its_pixels_travel() -> None:
    mask = spot() > 0
    assert np.array_equal(Optics(SimulatorSettings(exposure_ms=0)).smear(mask), mask)
    grown = Optics(SimulatorSettings(exposure_ms=7 / 480 * 1000)).smear(mask)
    assert np.argwhere(grown).tolist() == [[20, x] for x in range(17, 24)]
