"""From the configuration's [trigger] table to a trigger."""

from __future__ import annotations

from edge_agent.config import tables
from edge_agent.gate.gate import Gate
from edge_agent.triggers.base import Trigger
from edge_agent.triggers.free_run import FreeRun
from edge_agent.triggers.part_present import PartPresent


def make_trigger(table: tables.Trigger, gate: Gate | None = None) -> Trigger:
    """Make a trigger.

    Args:
        table: the [trigger] table.
        gate: the reject gate, whose photo-eye may be the trigger.
    """
    match table:
        case tables.FreeRunTrigger():
            return FreeRun()
        case tables.PartTrigger():
            return PartPresent(table)
        case tables.McuTrigger() | tables.GpioTrigger():
            assert gate is not None, "a configuration with a photo-eye has a gate"
            return gate.eye
