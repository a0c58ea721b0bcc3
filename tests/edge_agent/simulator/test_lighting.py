"""The light is uneven, drifts as far as it may, and never jumps."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.simulator import SimulatorSettings
from edge_agent.simulator.lighting import UNITY, Lighting


def middles(variation: float, frames: range) -> np.ndarray:
    lighting = Lighting(SimulatorSettings(lighting_variation=variation))
    return np.array([lighting.gain(frame)[220:260, 300:340].mean() / UNITY for frame in frames])


def test_the_middle_is_brighter_than_the_corners() -> None:
    gain = Lighting(SimulatorSettings()).gain(0).astype(int)
    middle, left = gain[240, 320], gain[60, 20]
    assert middle[0] > left[0]
    assert left[0] > gain[-60, -20][0]
    assert (gain == gain[..., :1]).all()


@pytest.mark.parametrize("variation", [0.0, 0.1, 0.3])
def test_brightness_drifts_within_its_limit_and_uses_it(variation: float) -> None:
    levels = middles(variation, range(0, 30 * 600, 150))
    assert np.abs(levels - 1).max() <= variation + 0.01
    assert np.ptp(levels) >= variation


def test_brightness_never_jumps() -> None:
    steps = np.abs(np.diff(middles(0.1, range(900))))
    assert 0 < steps.max() < 0.012


def test_a_frame_s_light_does_not_depend_on_the_frame_before() -> None:
    lighting = Lighting(SimulatorSettings(lighting_variation=0.3))
    first = lighting.gain(500).copy()
    lighting.gain(0)
    assert np.array_equal(lighting.gain(500), first)
    assert not np.array_equal(lighting.gain(1500), first)
