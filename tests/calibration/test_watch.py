"""What is said when pictures are no longer like those that were taught."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.colour import chroma, colourless_below
from calibration.detector import Inspection, Latency, Verdict
from calibration.watch import Usual, Watch

USUAL = Usual(highest_median=20, colourless_below=5)


def _seen(median: float = 18, *, colourless: bool = False, gain: float = 1) -> Inspection:
    latency, nowhere = Latency(0, 0, 0, 0), np.zeros((1, 1), np.float32)
    return Inspection(Verdict.OK, 1, 2, nowhere, (), latency, median, colourless, gain)


def test_nothing_is_said_of_pictures_as_they_were_taught() -> None:
    watch = Watch(USUAL, history=40)
    for number in range(200):
        watch.see(_seen(21 if number % 10 == 0 else 18))
        assert watch.problems == ()


def test_drift_is_said_when_it_lasts_and_no_longer_when_it_is_over() -> None:
    watch = Watch(USUAL, history=40)
    for _ in range(40):
        watch.see(_seen(18))
    said = []
    for _ in range(40):
        watch.see(_seen(21))
        said.append(watch.problems)
    assert said[9] == ()
    assert "light, focus or camera settings have changed" in said[10][0]
    assert len(set(said[10:])) == 1, "one problem is told once"
    for _ in range(40):
        watch.see(_seen(18))
    assert watch.problems == ()


def test_a_few_pictures_prove_nothing() -> None:
    watch = Watch(USUAL)
    for _ in range(19):
        watch.see(_seen(30))
        assert watch.problems == ()
    watch.see(_seen(30))
    assert watch.problems


def test_lost_colour_is_one_problem_and_not_drift_as_well() -> None:
    watch = Watch(USUAL)
    for _ in range(20):
        watch.see(_seen(30, colourless=True))
    (problem,) = watch.problems
    assert "grey" in problem


@pytest.mark.parametrize("gain", [0.8, 1.25])
def test_other_light_is_said_before_it_is_too_much(gain: float) -> None:
    watch = Watch(USUAL)
    for number in range(100):
        watch.see(_seen(gain=gain if number % 10 == 0 else 1.1))
    assert watch.problems == ()
    for _ in range(40):
        watch.see(_seen(gain=gain))
    (problem,) = watch.problems
    assert "darker or brighter" in problem
    for _ in range(100):
        watch.see(_seen(30, gain=gain))
    (problem,) = watch.problems
    assert "lie as a whole beyond" in problem


def test_chroma_of_known_pictures() -> None:
    assert chroma(np.full((40, 40, 3), 77, np.uint8)) == 0
    image = np.zeros((40, 40, 3), np.uint8)
    image[..., 1] = 60
    image[:20, :, 2] = 200
    assert chroma(image) == pytest.approx(0.6 * 200 + 0.4 * 60)


def test_only_clearly_coloured_parts_have_colour_to_lose() -> None:
    assert colourless_below(np.array([40.0, 44, 60])) == 10
    assert colourless_below(np.array([9.0, 44, 60])) == 0
