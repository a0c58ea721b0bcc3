"""Fire the reject gate once, for commissioning.

The gate begins in its safe state, in which nothing is fired: --clear leaves it on purpose. Stop the
agent first, since it holds the gate; keep hands off the ejector. Afterwards the gate is in its safe
state again.

Exit status 1 if the gate refuses, e.g. while parts pass the photo-eye.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from edge_agent.cli.console import add_json, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent reject-test``."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument(
        "--pulse-ms", type=float, metavar="MS", help="length of the pulse (default: as configured)"
    )
    parser.add_argument("--clear", action="store_true", help="leave the safe state for it")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from edge_agent.clock import SystemClock
    from edge_agent.config import load_config
    from edge_agent.gate.reject_test import reject_test
    from firmware_bridge import CommandRefused

    config = load_config(arguments.config)
    try:
        fired = reject_test(config, SystemClock(), arguments.pulse_ms, clear=arguments.clear)
    except CommandRefused as error:
        if arguments.json:
            print_json({"fired": False, "sentence": str(error)})
        print(f"edge-agent reject-test: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        figures: dict[str, Any] = {"fired": True, **vars(fired), "at": fired.at.isoformat()}
        print_json(figures)
    else:
        print(fired.gate)
        if fired.cleared is not None:
            print(f"the safe state ({fired.cleared}) was left")
        print(
            f"one pulse of {fired.pulse_ms:g} ms at {fired.at:%H:%M:%S.%f} UTC, confirmed by the"
            f" gate after {fired.answered_after_ms:.1f} ms; the gate is in its safe state again"
        )
    return 0
