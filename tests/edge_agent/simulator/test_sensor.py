"""The noise has the strength the settings ask for, and is another one in every frame."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.simulator import SimulatorSettings
from edge_agent.simulator.sensor import Sensor


def noise(sensor: Sensor, frame: int) -> np.ndarray:
    picture = np.full((480, 640, 3), 128, np.uint8)
    sensor.expose(picture, frame)
    return picture.astype(int) - 128


@pytest.mark.parametrize("level", [0.5, 1.5, 4.0, 12.0])
def test_noise_has_the_deviation_asked_for_and_no_bias(level: float) -> None:
    added = noise(Sensor(SimulatorSettings(noise_grey_levels=level)), 3)
    assert added.std() == pytest.approx(level, rel=0.1, abs=0.12)
    assert abs(added.mean()) < 0.05 * level


def test_noise_differs_from_frame_to_frame() -> None:
    sensor = Sensor(SimulatorSettings())
    one, other = noise(sensor, 7), noise(sensor, 8)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02
    assert np.array_equal(noise(Sensor(SimulatorSettings()), 7), one)


def test_without_noise_the_picture_stays() -> None:
    assert not noise(Sensor(SimulatorSettings(noise_grey_levels=0)), 1).any()


def test_black_and_white_do_not_wrap_round() -> None:
    sensor = Sensor(SimulatorSettings(noise_grey_levels=10))
    for value in (0, 255):
        picture = np.full((480, 640, 3), value, np.uint8)
        sensor.expose(picture, 1)
        assert np.abs(picture.astype(int) - value).max() < 100
