"""Collecting images of parts, to teach on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec

from calibration.progress import Progress
from edge_agent.clock import Clock
from edge_agent.config.tables import Config, RejectTable
from edge_agent.errors import ConfigError
from edge_agent.frame import Frame
from edge_agent.gate.gate import Gate
from edge_agent.gate.make import make_gate
from edge_agent.sources.make import make_reader
from edge_agent.sources.reader import FrameReader
from edge_agent.triggers.base import Part, Trigger
from edge_agent.triggers.make import make_trigger

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


def collect_station(
    config: Config, clock: Clock, folder: Path, count: int, progress: Progress
) -> int:
    """Save parts of a configured station, see :func:`collect`; its reject gate passes them all.

    Raises:
        BridgeError: the reject gate cannot be used.
    """
    if isinstance(config.reject, RejectTable):
        # Whoever collects stands beside the line and wants it to run.
        reject = msgspec.structs.replace(config.reject, clear_at_start=True)
        config = msgspec.structs.replace(config, reject=reject)
    gate = make_gate(config, clock)
    simulated = gate.simulated if gate else None
    reader = make_reader(config.source, clock, simulated.photo_eye if simulated else None)
    trigger = make_trigger(config.trigger, gate)
    if gate is None:
        return collect(reader, trigger, folder, count, progress)
    gate.on_part(reader.slot.wake)
    with gate:
        gate.start()
        return collect(reader, _PassAll(trigger, gate), folder, count, progress)


class _PassAll(Trigger):
    """A trigger whose parts are told to the gate as good."""

    def __init__(self, trigger: Trigger, gate: Gate) -> None:
        self._trigger, self._gate = trigger, gate

    def feed(self, frame: Frame) -> Part | None:
        return self._passed(self._trigger.feed(frame))

    def another(self) -> Part | None:
        return self._passed(self._trigger.another())

    def _passed(self, part: Part | None) -> Part | None:
        if part is not None:
            self._gate.let_pass(part.number)
        return part


def _parts(reader: FrameReader, trigger: Trigger) -> Iterator[Part]:
    while not reader.slot.finished:
        frame = reader.slot.take(_PATIENCE_S)
        if frame is None:
            reader.replace_if_stuck()
            part = trigger.another()
        else:
            part = trigger.feed(frame)
        while part is not None:
            yield part
            part = trigger.another()
