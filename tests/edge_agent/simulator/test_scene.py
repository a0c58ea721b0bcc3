"""Frames are repeatable, and the truth about them is what the picture shows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.frame import Truth
from edge_agent.simulator import DEFECTS, Scene, SimulatorSettings


def settings(**changes: Any) -> SimulatorSettings:
    return SimulatorSettings(**{"parts": 4, "part_spacing_px": 300.0, **changes})


def same(one: Truth, other: Truth) -> bool:
    masks = (one.mask is None and other.mask is None) or (
        one.mask is not None and other.mask is not None and np.array_equal(one.mask, other.mask)
    )
    return masks and (one.part, one.defect, one.box) == (other.part, other.defect, other.box)


def test_the_same_seed_gives_the_same_frames_in_any_order() -> None:
    line = settings(defect_share=0.5)
    forward, backward = Scene(line), Scene(line)
    frames = list(range(0, 90, 6))
    first = {frame: forward.render(frame) for frame in frames}
    for frame in reversed(frames):
        image, truths = backward.render(frame)
        assert image.tobytes() == first[frame][0].tobytes()
        assert len(truths) == len(first[frame][1])
        assert all(map(same, truths, first[frame][1]))


def test_another_seed_gives_another_line() -> None:
    one, other = (Scene(settings(seed=seed)).render(40)[0] for seed in (1, 2))
    assert (one != other).mean() > 0.5


def test_a_frame_is_a_colour_picture_of_its_own() -> None:
    scene = Scene(settings(width_px=800, height_px=600))
    image, _ = scene.render(20)
    assert image.shape == (600, 800, 3)
    assert image.dtype == np.uint8
    kept = image.copy()
    scene.render(21)
    assert np.array_equal(image, kept)


def test_parts_cross_the_frame_in_order_of_their_numbers() -> None:
    line = settings(parts=5)
    scene = Scene(line)
    assert scene.line.frames is not None
    whole: set[int] = set()
    places: dict[int, list[int]] = {number: [] for number in range(5)}
    for frame in range(scene.line.frames):
        _, truths = scene.render(frame)
        numbers = [truth.part for truth in truths]
        assert numbers == sorted(numbers)
        for truth in truths:
            assert truth.box is not None
            x, _, width, height = truth.box
            assert 0 <= x < x + width <= 640
            places[truth.part].append(x + width)
            if x > 0 and x + width < 640:
                whole.add(truth.part)
                assert width == pytest.approx(height, abs=3)
                assert width == pytest.approx(220, abs=5)
    assert whole == set(range(5))
    for edges in places.values():
        assert edges[0] <= 16
        assert edges[-1] == 640
        assert set(np.diff([edge for edge in edges if edge < 640])) == {16}
    assert not scene.render(scene.line.frames)[1]


def test_a_box_is_where_the_picture_is_not_green() -> None:
    scene = Scene(settings(noise_grey_levels=0, defect_share=0))
    rail = settings().rail_px
    for frame in (14, 25, 33, 58):
        image, truths = scene.render(frame)
        blue, green, red = cv2.split(image.astype(int).astype(np.float32))
        part = (green < 1.12 * np.maximum(blue, red)).astype(np.uint8)
        part[: rail + 12] = part[-rail - 12 :] = 0
        part = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(part)
        found = sorted(tuple(row[:4].tolist()) for row in stats[1:] if row[4] > 800)
        known = sorted(truth.box for truth in truths if truth.box and truth.box[2] > 20)
        assert len(found) == len(known) > 0
        for seen, box in zip(found, known, strict=True):
            assert abs(seen[0] - box[0]) <= 4
            assert abs(seen[0] + seen[2] - box[0] - box[2]) <= 4
            if 0 < box[0] < 640 - box[2]:  # of a part that enters, less than its height shows
                assert abs(seen[1] - box[1]) <= 4
                assert abs(seen[1] + seen[3] - box[1] - box[3]) <= 4


@pytest.mark.parametrize("kind", sorted(DEFECTS))
def test_the_mask_is_where_a_frame_with_the_defect_differs(kind: str) -> None:
    line: dict[str, Any] = {"defects": (kind,), "subtlety": (0, 0)}
    bad, good = (Scene(settings(defect_share=share, **line)) for share in (1, 0))
    seen = set()
    for frame in range(0, 100, 3):
        bad_image, bad_truths = bad.render(frame)
        good_image, good_truths = good.render(frame)
        difference = np.abs(bad_image.astype(int) - good_image).max(2)
        marked = np.zeros((480, 640), bool)
        for truth, clean in zip(bad_truths, good_truths, strict=True):
            assert (truth.part, truth.box) == (clean.part, clean.box)
            assert (truth.defect, clean.defect, clean.mask) == (kind, None, None)
            assert truth.mask is not None
            assert truth.mask.dtype == np.bool_
            marked |= truth.mask
            if truth.mask.any():
                seen.add(truth.part)
                assert difference[truth.mask].max() > 15 or truth.mask.sum() < 40
        near = cv2.dilate(marked.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        near[:, :3] = near[:, -3:] = True  # what is beyond the edge may reach in
        assert difference[~near].max() <= 1
    assert seen == {0, 1, 2, 3}


def test_the_mask_is_empty_while_the_defect_is_outside() -> None:
    scene = Scene(settings(defect_share=1, defects=("dent",)))
    masks = [truth.mask for k in range(60) for truth in scene.render(k)[1] if truth.part == 0]
    sizes = [int(mask.sum()) for mask in masks if mask is not None]
    assert len(sizes) == len(masks)
    assert sizes[0] == sizes[-1] == 0
    assert max(sizes) > 50


def test_a_part_is_drawn_where_the_plan_has_it() -> None:
    scene = Scene(settings(position_jitter_px=10))
    for frame in range(20, 60):
        planned = {part.number: (x, part.across_px) for part, x in scene.line.visible(frame)}
        for truth in scene.render(frame)[1]:
            assert truth.box is not None
            x, y, width, height = truth.box
            if 0 < x < 640 - width:
                middle = (x + (width - 1) / 2, y + (height - 1) / 2)
                assert middle == pytest.approx(planned[truth.part], abs=1.5)


def test_the_belt_moves_with_its_speed() -> None:
    scene = Scene(settings(parts=1, noise_grey_levels=0, lighting_variation=0))
    one, other = (
        cv2.GaussianBlur(cv2.cvtColor(scene.render(k)[0], cv2.COLOR_BGR2GRAY), (0, 0), 1)[60:100]
        for k in (100, 102)
    )
    match = cv2.matchTemplate(other, one[:, 100:500], cv2.TM_CCOEFF_NORMED)
    _, best, _, place = cv2.minMaxLoc(match)
    assert best > 0.9
    assert place[0] == 100 + 32


def test_belt_and_rails_alone_when_nothing_is_on_the_line() -> None:
    scene = Scene(settings(parts=1))
    image, truths = scene.render(500)
    assert truths == ()
    middle = image[100:380].reshape(-1, 3).mean(0)
    assert middle[1] > 1.2 * max(middle[0], middle[2])
    assert image[:20].mean() > 1.5 * image[100:380].mean()


def test_nothing_grows_while_the_line_runs() -> None:
    scene = Scene(SimulatorSettings())
    for frame in range(0, 3000, 10):
        scene.render(frame)
        assert len(scene._sprites) <= 3
