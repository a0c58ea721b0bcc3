"""From the configuration's [trigger] table to a trigger."""

from __future__ import annotations

from edge_agent.config import tables
from edge_agent.triggers.base import Trigger
from edge_agent.triggers.free_run import FreeRun
from edge_agent.triggers.part_present import PartPresent


def make_trigger(table: tables.Trigger) -> Trigger:
    """Make a trigger."""
    match table:
        case tables.FreeRunTrigger():
            return FreeRun()
        case tables.PartTrigger():
            return PartPresent(table)
