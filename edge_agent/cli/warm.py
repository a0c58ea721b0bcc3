"""Compile the kernels for this processor, so that the first part is judged as fast as all others.

What is compiled is kept, in --cache or where NUMBA_CACHE_DIR says, and loaded in milliseconds from
then on. Needed once a machine and version; systemd/edge-agent@.service does it before the start.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from edge_agent.cli.console import add_json, print_json, progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent warm``."""
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where to keep what is compiled")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.cache is not None:
        arguments.cache.mkdir(parents=True, exist_ok=True)
        os.environ["NUMBA_CACHE_DIR"] = str(arguments.cache.resolve())  # before Numba is imported

    from kernels import warm
    from kernels.processor import choose_way

    started = time.perf_counter()
    steps = list(warm.steps())
    seconds = {}
    for name, step in progress_bar(steps, "compiling", len(steps)):
        before = time.perf_counter()
        step()
        seconds[name] = round(time.perf_counter() - before, 3)
    figures = {
        "kernels": choose_way(),
        "cache": os.environ.get("NUMBA_CACHE_DIR", "beside the source"),
        "seconds": round(time.perf_counter() - started, 3),
        "steps": seconds,
    }
    if arguments.json:
        print_json(figures)
    else:
        print(f"kernels {figures['kernels']} are warm after {figures['seconds']} s")
    return 0
