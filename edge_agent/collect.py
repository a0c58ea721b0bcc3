"""Collecting images of parts, to teach on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from calibration.progress import Progress
from edge_agent.errors import ConfigError
from edge_agent.sources.reader import FrameReader
from edge_agent.triggers.base import Part, Trigger

_PATIENCE_S = 1.0


def collect(
    reader: FrameReader, trigger: Trigger, folder: Path, count: int, progress: Progress
) -> int:
    """Save the parts that the trigger finds as ``partNNNNN.png``, exactly as a detector sees them.

    Args:
        reader: not yet entered.
        trigger: that cuts parts out.
        folder: made if absent; must hold no such files yet.
        count: how many parts to save.
        progress: shows how far it is.

    Returns:
        How many were saved: fewer than ``count`` if the source ended before.

    Raises:
        ConfigError: if the folder holds parts already.
        SourceError: if the source cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("part*.png")):
        raise ConfigError(f"{folder} holds parts already: choose another folder, or empty it")
    saved = 0
    with reader:
        parts = _parts(reader, trigger)
        for _ in progress(range(count), "collecting parts", count):
            part = next(parts, None)
            if part is None:
                break
            cv2.imwrite(str(folder / f"part{part.number:05d}.png"), part.image)
            saved += 1
    if reader.failure is not None:
        raise reader.failure
    return saved


def _parts(reader: FrameReader, trigger: Trigger) -> Iterator[Part]:
    while not reader.slot.finished:
        frame = reader.slot.take(_PATIENCE_S)
        if frame is None:
            reader.replace_if_stuck()
            continue
        part = trigger.feed(frame)
        if part is not None:
            yield part
