"""What is known about one part: the agent's result."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from calibration.detector import Inspection, Verdict
from edge_agent.triggers.base import Part
from firmware_bridge import Outcome


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class PartRecord:
    """One inspected part.

    Attributes:
        part: what was inspected.
        inspection: what the detector said.
        captured_at: wall time of the frame, UTC.
        total_ms: from the frame's arrival to the verdict, waiting included.
        outcome: how it ended at the reject gate; None without one.
        id: unique for ever, so that a receiver can drop repeats.
    """

    part: Part
    inspection: Inspection
    captured_at: datetime
    total_ms: float
    outcome: Outcome | None = None
    id: str = field(default_factory=_new_id)

    @property
    def is_ng(self) -> bool:
        """Whether the part is to be rejected."""
        return self.inspection.verdict is Verdict.NG


@dataclass(frozen=True, eq=False)
class UninspectedPart:
    """A part that passed the photo-eye of the reject gate and was not inspected.

    Attributes:
        outcome: how it ended at the gate, and its number.
        passed_at: wall time, UTC, when it passed the photo-eye; where that is not known, when it
            ended.
        id: unique for ever, so that a receiver can drop repeats.
    """

    outcome: Outcome
    passed_at: datetime
    id: str = field(default_factory=_new_id)


Result = PartRecord | UninspectedPart
