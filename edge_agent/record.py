"""What is known about one inspected part: the agent's result."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from calibration.detector import Inspection, Verdict
from edge_agent.triggers.base import Part


@dataclass(frozen=True, eq=False)
class PartRecord:
    """One inspected part.

    Attributes:
        part: what was inspected.
        inspection: what the detector said.
        captured_at: wall time of the frame, UTC.
        total_ms: from the frame's arrival to the verdict, waiting included.
        id: unique for ever, so that a receiver can drop repeats.
    """

    part: Part
    inspection: Inspection
    captured_at: datetime
    total_ms: float
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def is_ng(self) -> bool:
        """Whether the part is to be rejected."""
        return self.inspection.verdict is Verdict.NG
