"""The JSON messages. Their schemas ship beside this file, in ``schemas/``.

A field is added without a new version; a field that changes its meaning or goes away makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib import resources
from typing import Any

from calibration.detector import Region
from edge_agent.record import PartRecord, Result, UninspectedPart
from firmware_bridge import Outcome

INSPECTION = "edge-agent/inspection/1"
DEFECT = "edge-agent/defect/1"
STATUS = "edge-agent/status/1"

Payload = dict[str, Any]


def timestamp(moment: datetime) -> str:
    """A UTC time as text, to the millisecond: 2026-11-21T06:25:23.123Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _common(record: PartRecord, station: str, model: str) -> Payload:
    inspection = record.inspection
    return {
        "id": record.id,
        "station": station,
        "part": record.part.number,
        "captured_at": timestamp(record.captured_at),
        "verdict": inspection.verdict.value,
        "score": round(inspection.score, 3),
        "threshold": round(inspection.threshold, 3),
        "model": model,
        "image": record.part.frame.name,
    }


def inspection_payload(record: Result, station: str, model: str) -> Payload:
    """The message on ``inspection``, for every part; with a reject gate also how it ended."""
    if isinstance(record, UninspectedPart):
        return {
            "schema": INSPECTION,
            "id": record.id,
            "station": station,
            "part": record.outcome.part,
            "captured_at": timestamp(record.passed_at),
            "verdict": None,
            "score": None,
            "threshold": None,
            "model": model,
            "image": None,
            "frame": None,
            "latency": None,
            **_ending(record.outcome),
        }
    latency = record.inspection.latency
    stages = {key: round(value, 3) for key, value in asdict(latency).items()}
    return {
        "schema": INSPECTION,
        **_common(record, station, model),
        "frame": record.part.frame.sequence,
        "latency": {**stages, "total_ms": round(record.total_ms, 3)},
        **(_ending(record.outcome) if record.outcome is not None else {}),
    }


def _ending(outcome: Outcome) -> Payload:
    error_us = outcome.error_us
    return {
        "outcome": outcome.kind.value,
        "gate": {
            "fired": outcome.fired,
            "error_us": None if error_us is None else round(error_us, 3),
            "error_counts": outcome.error_counts,
            "merged": outcome.merged,
            "clipped": outcome.clipped,
            "missed": outcome.missed,
        },
    }


def defect_payload(record: PartRecord, station: str, model: str) -> Payload:
    """The message on ``defect``, for NG parts: the same id, and where it looks unusual."""
    height, width = record.part.image.shape[:2]
    return {
        "schema": DEFECT,
        **_common(record, station, model),
        "image_size": {"width": width, "height": height},
        "regions": [_region(region) for region in record.inspection.regions],
    }


def _region(region: Region) -> Payload:
    return {**asdict(region), "score": round(region.score, 3)}


def status_payload(
    station: str,
    state: str,
    at: datetime,
    *,
    problems: Sequence[str] = (),
    counters: Mapping[str, int] | None = None,
    about: Mapping[str, str] | None = None,
    gate: Mapping[str, Any] | None = None,
) -> Payload:
    """The retained message on ``status``.

    Args:
        station: its name.
        state: "online" or "offline".
        at: now.
        problems: sentences about what is wrong; none when all is well.
        counters: since the agent started.
        about: software version, model, backend.
        gate: the reject gate; None if there is none.
    """
    return {
        "schema": STATUS,
        "station": station,
        "state": state,
        "at": timestamp(at),
        "health": "degraded" if problems else "ok",
        "problems": list(problems),
        "counters": dict(counters or {}),
        "about": dict(about or {}),
        **({"gate": dict(gate)} if gate is not None else {}),
    }


def load_schema(name: str) -> Payload:
    """The JSON schema of a kind of message: "inspection", "defect" or "status"."""
    file = resources.files("edge_agent.reporting").joinpath(f"schemas/{name}.json")
    schema: Payload = json.loads(file.read_text("utf-8"))
    return schema
