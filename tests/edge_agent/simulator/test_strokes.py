"""Strokes cover what geometry says they cover."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.simulator import strokes


@pytest.mark.parametrize("width", [0.5, 1.0, 1.75, 3.0, 6.0])
def test_a_line_covers_its_length_times_its_width(width: float) -> None:
    points = np.array([[20.0, 30.0], [80.0, 50.0]])
    covered = strokes.line((80, 100), points, width)
    length = float(np.hypot(60, 20))
    assert covered.dtype == np.float32
    assert covered.sum() == pytest.approx(length * width, rel=0.12, abs=width**2)
    assert covered.max() <= 1


def test_a_line_lies_where_it_was_asked_for() -> None:
    covered = strokes.line((40, 60), np.array([[10.0, 12.0], [50.0, 12.0]]), 1.0)
    rows = covered[:, 15:45].sum(1)
    assert (rows * np.arange(40)).sum() / rows.sum() == pytest.approx(12, abs=0.3)
    assert covered[:, :8].sum() == 0
    assert covered[:, 53:].sum() == 0


def test_an_area_covers_the_inside_of_its_outline() -> None:
    square = np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 25.0], [10.0, 25.0]])
    covered = strokes.area((40, 40), square)
    assert covered.sum() == pytest.approx(20 * 15, rel=0.08)
    assert covered[12:24, 12:29].min() == 1
    assert covered[:8].max() == 0


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    line = np.array([[-30.0, -30.0], [-10.0, -20.0]])
    assert strokes.line((20, 20), line, 2.0).sum() == 0
    half = strokes.line((20, 20), np.array([[-10.0, 10.0], [10.0, 10.0]]), 2.0)
    assert 0 < half.sum() < 2 * 13


def test_a_path_is_as_long_as_asked() -> None:
    rng = np.random.default_rng(1)
    path = strokes.wander(rng, (5.0, 6.0), 1.0, 40.0, bend_rad=1.0, jitter_rad=0.4)
    assert tuple(path[0]) == (5.0, 6.0)
    assert np.hypot(*np.diff(path, axis=0).T).sum() == pytest.approx(40)


def test_a_path_without_bends_goes_straight_on() -> None:
    path = strokes.wander(np.random.default_rng(1), (0.0, 0.0), np.pi / 2, 30.0, bend_rad=0.0)
    assert path[-1] == pytest.approx([0, 30], abs=1e-9)


def test_an_outline_without_roughness_is_an_ellipse_of_that_area() -> None:
    rng = np.random.default_rng(1)
    edge = strokes.outline(rng, (50.0, 50.0), 20.0, roughness=0.0, stretch=2.0)
    assert strokes.area((100, 100), edge).sum() == pytest.approx(np.pi * 400, rel=0.05)
    span = np.hypot(*(edge - [50.0, 50.0]).T)
    assert span.max() / span.min() == pytest.approx(2, rel=0.01)
