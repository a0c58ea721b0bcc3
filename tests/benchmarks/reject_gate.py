"""Measures the reject gate with the real firmware in simavr and prints a table.

python -m tests.benchmarks.reject_gate [--parts 2000]
"""

from __future__ import annotations

import argparse
import time

from tests.firmware_bridge import line as lines
from tests.firmware_bridge.line import Line, percentile
from tests.firmware_bridge.simavr_board import SimavrBoard


def lines_to_measure(parts: int) -> dict[str, Line]:
    return {
        "30 parts/s, by time": Line(parts, 30),
        "30 parts/s, by distance, 10,000 counts/s": Line(parts, 30, counts_per_s=10_000),
        "100 parts/s for 10 s, by time": Line(1000, 100, travel_ms=180),
        "100 parts/s for 10 s, by distance": Line(1000, 100, travel_ms=180, counts_per_s=10_000),
        "30 parts/s, by time, 1 % of bytes damaged": Line(parts, 30, damage=0.01),
        "30 parts/s, by distance, 1 % damaged": Line(parts, 30, counts_per_s=10_000, damage=0.01),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=2000)
    parts = parser.parse_args().parts
    columns = ["line", "NG fired", "not fired", "wrong", "late", "error p50", "p99", "max"]
    columns += ["longest loop us", "interrupts off us"]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for name, line in lines_to_measure(parts).items():
        began = time.monotonic()
        board = SimavrBoard()
        try:
            run = lines.run(board, line)
        finally:
            board.close()
        unit = "us" if line.counts_per_s is None else "counts"
        errors = [f"{percentile(run.errors, share):.3g} {unit}" for share in (0.5, 0.99, 1.0)]
        assert run.status
        assert run.status.mcu
        figures = [len(run.errors), run.unfired, run.wrong, run.late, *errors]
        figures += [run.status.mcu.loop_us, board.longest_interrupts_off_us]
        print(f"| {name} | {' | '.join(map(str, figures))} |", flush=True)
        link = run.status.link
        print(
            f"    {run.simulated_s:.0f} s simulated in {time.monotonic() - began:.1f} s;"
            f" {run.damaged} bytes damaged, {link.retransmissions if link else 0} retransmissions,"
            f" {link.reports_asked_again if link else 0} reports asked for again",
            flush=True,
        )


if __name__ == "__main__":
    main()
