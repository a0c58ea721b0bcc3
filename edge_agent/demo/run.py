"""Teach, inspect, compare with the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from calibration import model_file
from calibration.backbones import load_backbone
from calibration.calibrate import Calibration, Settings, calibrate
from calibration.detector import Detector
from calibration.pictures import heat_map
from calibration.progress import Progress
from calibration.report import write_report
from edge_agent.agent import Agent
from edge_agent.clock import Clock
from edge_agent.collect import collect
from edge_agent.config.tables import (
    Config,
    Inspection,
    McuReject,
    McuTrigger,
    Mqtt,
    PartTrigger,
    SimulatorSource,
    Station,
)
from edge_agent.demo.broker import EmbeddedBroker, Plant
from edge_agent.record import PartRecord, Result
from edge_agent.sources.make import make_reader
from edge_agent.triggers.make import make_trigger
from edge_agent.triggers.truth import truth_of
from kernels.backends import choose

PREFIX = "plant/line1/demo"
_TEACHING_PARTS = 150
_FALSE_REJECT_RATE = 0.03
_HEAT_MAPS = 12
_LINE = SimulatorSource(belt_speed_px_per_s=960, defect_share=0.3, subtlety_max=0.4)
_TEACHING_TRIGGER = PartTrigger(crop_width_px=256, crop_height_px=256)
_TRIGGER = McuTrigger(crop_width_px=256, crop_height_px=256)
# 600 px behind the photo-eye; the line's encoder counts ten a pixel.
_REJECT = McuReject(
    port="virtual",
    distance_counts=6000,
    encoder="quadrature",
    maximum_counts_per_s=10_000,
    pulse_ms=40,
    part_spacing_ms=350,
    worst_case_verdict_ms=400,
    late_policy="pass",
    clear_at_start=True,
)


@dataclass
class Outcome:
    """What the demonstration ends with.

    Attributes:
        confusion: (truly defective, called NG) -> number of parts.
        at_gate: (truly defective, kicked off the belt) -> number of parts, as the simulated gate
            saw them.
        endings: how many parts ended how, as the messages say.
        missed: defect names of the defective parts that were called OK.
        latencies_ms: by stage, one value per part.
        received: messages that the plant's side received, by topic.
        pictures: heat maps written.
    """

    confusion: dict[tuple[bool, bool], int] = field(
        default_factory=lambda: {(d, n): 0 for d in (False, True) for n in (False, True)}
    )
    at_gate: dict[tuple[bool, bool], int] = field(default_factory=dict)
    endings: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)

    def percentiles(self) -> dict[str, tuple[float, float]]:
        """p50 and p99 by stage, in milliseconds."""
        return {
            stage: (float(np.percentile(v, 50)), float(np.percentile(v, 99)))
            for stage, v in self.latencies_ms.items()
        }


def collect_good_parts(folder: Path, clock: Clock, progress: Progress) -> int:
    """Cut good parts out of the simulated line's pictures and save them; returns how many."""
    for old in folder.glob("part*.png"):
        old.unlink()
    # The same line as later, since a model knows only what it was taught on; other parts, though,
    # and as fast as they can be drawn.
    teaching = msgspec.structs.replace(
        _LINE, seed=11, parts=_TEACHING_PARTS, defect_share=0.0, paced=False
    )
    reader = make_reader(teaching, clock)
    return collect(reader, make_trigger(_TEACHING_TRIGGER), folder, _TEACHING_PARTS, progress)


def teach(folder: Path, output: Path, progress: Progress) -> tuple[Calibration, Detector]:
    """Calibrate on the saved parts; writes ``demo.model`` and its report into ``output``."""
    settings = Settings(false_reject_rate=_FALSE_REJECT_RATE)
    result = calibrate(folder, [load_backbone()], choose().backend, settings, progress)
    sha256 = model_file.save(output / "demo.model", result.model)
    detector = Detector(replace(result.model, sha256=sha256))
    write_report(output / "demo.html", result, detector)
    return result, detector


def inspect_line(
    parts: int,
    detector: Detector,
    output: Path,
    clock: Clock,
    on_message: Callable[[str, dict[str, Any]], None],
) -> Outcome:
    """Run the agent on a line with defects, publish to the embedded broker, and keep the books.

    Args:
        parts: to inspect.
        detector: that judges.
        output: folder for heat maps.
        clock: time.
        on_message: called with what the plant's side receives.
    """
    outcome = Outcome()

    def receive(name: str, payload: dict[str, Any]) -> None:
        outcome.received[name] = outcome.received.get(name, 0) + 1
        if name == "inspection":
            ending = payload["outcome"]
            outcome.endings[ending] = outcome.endings.get(ending, 0) + 1
        on_message(name, payload)

    def keep(record: Result) -> None:
        if not isinstance(record, PartRecord):
            return
        _book(outcome, record)
        if record.is_ng and len(outcome.pictures) < _HEAT_MAPS:
            path = output / f"part{record.part.number:04d}.heatmap.png"
            cv2.imwrite(str(path), heat_map(detector, record.part.image, record.inspection))
            outcome.pictures.append(path)

    with EmbeddedBroker() as broker, Plant(broker.port, PREFIX, receive):
        config = Config(
            station=Station(name="demo"),
            source=msgspec.structs.replace(_LINE, seed=12, parts=parts),
            trigger=_TRIGGER,
            reject=_REJECT,
            inspection=Inspection(model=output / "demo.model"),
            mqtt=Mqtt(host="127.0.0.1", port=broker.port, prefix=PREFIX),
        )
        agent = Agent(config, detector, clock, on_record=keep)
        agent.run()
    assert agent.gate is not None
    assert agent.gate.simulated is not None
    outcome.at_gate = agent.gate.simulated.confusion(clock.monotonic_ns())
    return outcome


def _book(outcome: Outcome, record: PartRecord) -> None:
    truth = truth_of(record.part)
    if truth is not None:
        outcome.confusion[truth.is_defective, record.is_ng] += 1
        if truth.defect is not None and not record.is_ng:
            outcome.missed.append(truth.defect)
    latency = record.inspection.latency
    for stage in ("prepare_ms", "network_ms", "search_ms", "decide_ms", "total_ms"):
        outcome.latencies_ms.setdefault(stage, []).append(getattr(latency, stage))
    outcome.latencies_ms.setdefault("image_to_verdict_ms", []).append(record.total_ms)
