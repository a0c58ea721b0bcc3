"""Edges of the photo-eye and frames of the camera, in every order."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config.tables import McuTrigger
from edge_agent.frame import Frame
from edge_agent.simulator import Scene, SimulatorSettings
from edge_agent.triggers.base import Part
from edge_agent.triggers.photo_eye import PhotoEye
from edge_agent.triggers.truth import truth_of
from firmware_bridge import Trigger

MS = 1_000_000
IMAGE = np.zeros((48, 64), np.uint8)


class Eye:
    """A photo-eye trigger with short names for what tests do to it."""

    def __init__(self, **settings: object) -> None:
        self.skipped: list[int] = []
        table = McuTrigger(**settings)  # type: ignore[arg-type]
        self.trigger = PhotoEye(table, self.skipped.append)

    def edge(self, part: int, at_ms: float, uncertainty_ms: float = 0.0) -> None:
        self.trigger.announce(Trigger(part, round(at_ms * MS), round(uncertainty_ms * MS)))

    def frame(self, at_ms: float) -> Part | None:
        return self.trigger.feed(Frame(IMAGE, round(at_ms), round(at_ms * MS)))


def test_the_picture_is_the_first_after_the_edge() -> None:
    eye = Eye()
    assert eye.frame(90) is None
    eye.edge(1, 100)
    assert eye.trigger.another() is None
    part = eye.frame(123)
    assert part is not None
    assert (part.number, part.frame.sequence) == (1, 123)
    assert part.image.shape == IMAGE.shape
    assert eye.frame(156) is None


def test_an_edge_that_is_reported_after_its_frame_finds_it() -> None:
    eye = Eye()
    for at_ms in (90, 123, 156):
        assert eye.frame(at_ms) is None
    eye.edge(1, 100)
    part = eye.trigger.another()
    assert part is not None
    assert part.frame.sequence == 123


def test_a_frame_within_the_uncertainty_of_the_edge_counts() -> None:
    eye = Eye()
    eye.edge(1, 100.5, uncertainty_ms=1)
    assert eye.frame(100) is not None


def test_the_delay_moves_the_moment() -> None:
    eye = Eye(frame_delay_ms=40)
    eye.edge(1, 100)
    assert eye.frame(123) is None
    assert eye.frame(156) is not None


def test_without_a_picture_in_the_window_a_part_is_skipped() -> None:
    eye = Eye(frame_window_ms=50)
    eye.edge(1, 100)
    eye.edge(2, 300)
    assert eye.frame(90) is None
    assert eye.skipped == []
    part = eye.frame(310)
    assert eye.skipped == [1]
    assert part is not None
    assert part.number == 2


def test_two_parts_may_share_a_picture() -> None:
    eye = Eye()
    eye.edge(1, 100)
    eye.edge(2, 110)
    first, second = eye.frame(120), eye.trigger.another()
    assert first is not None
    assert second is not None
    assert [first.number, second.number] == [1, 2]
    assert eye.trigger.another() is None


def test_a_part_that_has_ended_is_not_looked_at() -> None:
    eye = Eye()
    eye.edge(1, 100)
    eye.edge(2, 200)
    assert eye.trigger.withdraw(1)
    assert not eye.trigger.withdraw(1)
    part = eye.frame(210)
    assert part is not None
    assert part.number == 2
    assert not eye.trigger.withdraw(2)
    assert eye.skipped == []


@pytest.mark.parametrize("late_ms", [0, 33, 66])
def test_the_cut_out_follows_the_part_on_a_moving_belt(late_ms: float) -> None:
    """However far the part has moved by the time of the picture, it is in the middle of it."""
    settings = SimulatorSettings(parts=12, paced=False, seed=5, belt_speed_px_per_s=700.0)
    scene = Scene(settings)
    trigger = PhotoEye(
        McuTrigger(crop_width_px=256, crop_height_px=256, frame_delay_ms=late_ms), lambda _: None
    )
    for number in range(12):
        way_px = scene.line.part(number).behind_px + settings.width_px / 2
        at_ns = round(way_px / settings.belt_speed_px_per_s * 1e9)
        trigger.announce(Trigger(number + 1, at_ns, 100_000))
    found = []
    for sequence in range(scene.line.frames or 0):
        image, truths = scene.render(sequence)
        at_ns = round(sequence / settings.frames_per_s * 1e9)
        part = trigger.feed(Frame(image, sequence, at_ns, truths=truths))
        while part is not None:
            found.append(part)
            part = trigger.another()
    assert [part.number for part in found] == list(range(1, 13))
    for part in found:
        truth = truth_of(part)
        assert truth is not None
        assert truth.part == part.number - 1
        assert truth.box is not None
        x, y, w, h = truth.box
        assert part.box[0] + 128 == pytest.approx(x + w / 2, abs=8)
        assert part.box[1] + 128 == pytest.approx(y + h / 2, abs=8)
