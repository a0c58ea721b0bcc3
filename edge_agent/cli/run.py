"""Run a station as its configuration file says, until it is stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.console import log_to_stderr

if TYPE_CHECKING:
    from edge_agent.gate.gate import Gate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent run``."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    import cv2

    from calibration.detector import Detector
    from edge_agent.agent import Agent
    from edge_agent.clock import SystemClock
    from edge_agent.config import load_config

    log_to_stderr()
    # On pictures of this size, OpenCV's threads cost more waiting for each other than they save.
    cv2.setNumThreads(1)
    config = load_config(arguments.config)
    detector = Detector.load(config.inspection.model, config.inspection.backend)
    detector.warm_up()
    agent = Agent(config, detector, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    agent.run()
    counters = agent.counters
    print(
        f"{counters.inspected} parts inspected: {counters.ok} OK, {counters.ng} NG",
        file=sys.stderr,
    )
    if agent.gate is not None:
        print(_at_the_gate(agent.gate), file=sys.stderr)
    if agent.undelivered:
        print(f"{agent.undelivered} messages did not reach the broker", file=sys.stderr)
        return 1
    return 0


def _at_the_gate(gate: Gate) -> str:
    counts = gate.counts
    text = (
        f"{counts.triggers} parts at the photo-eye: {counts.passed} passed,"
        f" {counts.rejected} rejected, {counts.late} late, {counts.lost} lost,"
        f" {counts.skipped} skipped"
    )
    if gate.simulated is not None:
        confusion = gate.simulated.confusion(time.monotonic_ns())
        text += (
            f"\nkicked off the simulated belt: {confusion[True, True]} defective parts and"
            f" {confusion[False, True]} good ones; passed: {confusion[True, False]} defective and"
            f" {confusion[False, False]} good"
        )
    return text
