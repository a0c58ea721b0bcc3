"""The trigger against the simulated line: every part once, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.config.tables import PartTrigger
from edge_agent.errors import ConfigError
from edge_agent.frame import Frame
from edge_agent.simulator import Scene, SimulatorSettings
from edge_agent.triggers.base import Part
from edge_agent.triggers.finder import PartFinder
from edge_agent.triggers.part_present import PartPresent
from edge_agent.triggers.truth import truth_of

CROP = 256


def _frames(first: int = 0, step: int = 1, **settings: object) -> Iterator[Frame]:
    chosen = SimulatorSettings(**{"parts": 25, "paced": False, "seed": 3, **settings})  # type: ignore[arg-type]
    scene = Scene(chosen)
    for number in range(first, scene.line.frames or 0, step):
        image, truths = scene.render(number)
        yield Frame(image, number, round(number / 30 * 1e9), truths=truths)


def _parts(frames: Iterator[Frame], **settings: object) -> list[Part]:
    table = PartTrigger(**{"crop_width_px": CROP, "crop_height_px": CROP, **settings})  # type: ignore[arg-type]
    trigger = PartPresent(table)
    return [part for frame in frames if (part := trigger.feed(frame)) is not None]


def _numbers(parts: list[Part]) -> list[int]:
    return [truth.part for part in parts if (truth := truth_of(part)) is not None]


def _offsets(parts: list[Part]) -> np.ndarray:
    """How far the middle of each cut-out lies from the middle of the part, px."""
    offsets = []
    for part in parts:
        truth = truth_of(part)
        assert truth is not None
        assert truth.box is not None
        x, y, w, h = truth.box
        left, top, width, height = part.box
        offsets.append((left + width / 2 - x - w / 2, top + height / 2 - y - h / 2))
    return np.abs(np.array(offsets))


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"belt_speed_px_per_s": 960.0},
        {"lighting_variation": 0.3, "position_jitter_px": 20.0},
        {"noise_grey_levels": 6.0},
    ],
)
def test_every_part_once_in_order_and_centred(line: dict[str, object]) -> None:
    parts = _parts(_frames(**line))
    assert _numbers(parts) == list(range(25))
    assert [part.number for part in parts] == list(range(25))
    assert _offsets(parts).max() <= 16
    for part in parts:
        assert part.image.shape == (CROP, CROP, 3)
        assert np.shares_memory(part.image, part.frame.image)


def test_dropped_frames_do_not_matter_as_long_as_a_part_is_seen() -> None:
    assert _numbers(_parts(_frames(step=4))) == list(range(25))


def test_a_start_in_the_middle_of_the_flow_settles_after_a_few_parts() -> None:
    parts = _parts(_frames(first=30))
    numbers = [n for n in _numbers(parts) if n >= 4]
    assert numbers == list(range(4, 25))
    assert _offsets(parts[-15:]).max() <= 16


def test_other_directions() -> None:
    def turned(code: int) -> Iterator[Frame]:
        for frame in _frames(parts=8):
            image = cv2.rotate(frame.image, code)
            yield Frame(image, frame.sequence, frame.captured_at_ns)

    for code, direction in (
        (cv2.ROTATE_180, "left"),
        (cv2.ROTATE_90_CLOCKWISE, "down"),
        (cv2.ROTATE_90_COUNTERCLOCKWISE, "up"),
    ):
        assert len(_parts(turned(code), direction=direction)) == 8


def test_grey_frames() -> None:
    frames = (
        Frame(cv2.cvtColor(f.image, cv2.COLOR_BGR2GRAY), f.sequence, f.captured_at_ns)
        for f in _frames(parts=8)
    )
    assert len(_parts(frames)) == 8


def test_a_dense_line_needs_the_picture_of_the_empty_belt(tmp_path: Path) -> None:
    line = {"part_spacing_px": 290.0, "parts": 30}
    empty = next(_frames(**line))
    assert not empty.truths
    cv2.imwrite(str(tmp_path / "belt.png"), empty.image)
    parts = _parts(_frames(first=25, **line), empty_belt=tmp_path / "belt.png")
    first = _numbers(parts)[0]
    assert first <= 2
    assert _numbers(parts) == list(range(first, 30))


def test_an_empty_belt_has_no_parts() -> None:
    rng = np.random.default_rng(0)
    frames = (
        Frame(rng.integers(60, 80, (240, 320, 3)).astype(np.uint8), n, n * 33_000_000)
        for n in range(200)
    )
    assert _parts(frames) == []


def test_a_picture_of_the_belt_that_cannot_be_read(tmp_path: Path) -> None:
    table = PartTrigger(crop_width_px=9, crop_height_px=9, empty_belt=tmp_path / "absent.png")
    with pytest.raises(ConfigError, match=r"\[trigger\] empty_belt: cannot read"):
        PartPresent(table)


def test_where_a_part_lies_in_a_frame_of_odd_sides(tmp_path: Path) -> None:
    frame = np.full((487, 651, 3), 30, np.uint8)
    belt = tmp_path / "belt.png"
    cv2.imwrite(str(belt), frame)
    frame[400:440, 560:620] = 200
    finder = PartFinder(PartTrigger(crop_width_px=64, crop_height_px=64, empty_belt=belt), 64 * 64)
    ((x, y),) = finder.find(Frame(frame, 0, 0))
    assert (x, y) == pytest.approx((590, 420), abs=0.5)
