"""What a running station takes: peak memory of ``edge-agent run``, and time to the first verdict.

Teaches a model on the simulated line, runs a station on it and a single inspection, each in a
process of its own, and prints JSON. This process stays small: to the kernel, the peak of a program
begins with that of the process that started it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = 300

STATION = """
[station]
name = "footprint"

[source]
type = "simulator"
parts = {parts}
paced = false
belt_speed_px_per_s = 960

[trigger]
type = "part"
crop_width_px = 256
crop_height_px = 256

[inspection]
model = "{model}"

[archive]
results = "{results}"
"""


def prepare(folder: Path) -> None:
    """Good parts of the simulated line, and a model of them."""
    from edge_agent.clock import SystemClock
    from edge_agent.demo.run import collect_good_parts, teach

    collect_good_parts(folder / "good", SystemClock(), lambda items, *_: items)
    teach(folder / "good", folder, lambda items, *_: items)


def peak_of(*arguments: str) -> tuple[float, float, str]:
    """Seconds, peak memory in MiB, and standard error of a command."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "edge_agent", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: the part is NG
        raise SystemExit(f"edge-agent {' '.join(arguments)}: {errors}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, errors


def main() -> None:
    """Measure, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child = multiprocessing.get_context("spawn").Process(target=prepare, args=(folder,))
        child.start()
        child.join()
        model = folder / "demo.model"
        config, results = folder / "station.toml", folder / "results.jsonl"
        config.write_text(STATION.format(parts=PARTS, model=model, results=results))
        _, run_mib, log = peak_of("run", "--config", str(config))
        image = str(min((folder / "good").iterdir()))
        seconds = [peak_of("inspect", str(model), image)[0] for _ in range(5)]
        figures = {
            "run_peak_mib": round(run_mib, 1),
            "run": log.strip().splitlines()[-1],
            "start_to_verdict_s": {"first": round(seconds[0], 2), "warm": round(min(seconds), 2)},
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
