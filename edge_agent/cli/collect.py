"""Save images of good parts from the configured source and trigger, to teach on.

Let good parts pass while it runs; a reject gate lets them all pass. Then:
edge-agent calibrate DIR -o FILE.model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.console import log_to_stderr, positive_count, progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent collect``."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--count", type=positive_count, default=200, help="parts to save (default: 200)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from edge_agent.clock import SystemClock
    from edge_agent.collect import collect_station
    from edge_agent.config import load_config

    log_to_stderr()
    config = load_config(arguments.config)
    saved = collect_station(config, SystemClock(), arguments.output, arguments.count, progress_bar)
    print(f"{saved} parts in {arguments.output}")
    return 0 if saved == arguments.count else 1
