"""Show it all on a simulated line: teach, inspect, kick off, report over MQTT.

Good parts are taught in front of you; then parts with defects pass, and what a plant would receive
over MQTT is printed; a simulated microcontroller kicks bad parts off the belt. Ends with a
comparison with the simulator's truth, of what was said and of what was done.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.cli.console import add_json, positive_count, print_json, progress_bar

if TYPE_CHECKING:
    from edge_agent.demo.run import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent demo``."""
    parser.add_argument(
        "--parts", type=positive_count, default=40, help="parts to inspect (default: 40)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="for the model, its report and heat maps (default: demo-output)",
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from edge_agent.clock import SystemClock
    from edge_agent.demo import run

    say = (lambda *_: None) if arguments.json else print
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    say("1. Teaching. A simulated line brings good parts only.")
    count = run.collect_good_parts(output / "good", clock, progress_bar)
    result, detector = run.teach(output / "good", output, progress_bar)
    say(f"   {count} good parts, threshold {result.threshold.value:.1f} bits;")
    say(f"   {result.threshold.sentence}.")
    say(f"   {detector.backend.reason}. Report with pictures: {output / 'demo.html'}\n")
    say(f"2. Inspecting {arguments.parts} parts, some of them defective. The plant receives:")
    detector.warm_up()
    outcome = run.inspect_line(arguments.parts, detector, output, clock, lambda *m: say(_line(*m)))
    if arguments.json:
        print_json(_figures(outcome))
    else:
        _summary(outcome)
    return 0


def _line(name: str, payload: dict[str, Any]) -> str:
    topic = f"   {name:<11}"
    if name == "status":
        return f"{topic} {payload['state']}, {payload['health']}"
    text = f"{topic} part {payload['part']:3d}  {payload['verdict'] or '--'}"
    if payload["score"] is not None:
        text += f"  score {payload['score']:6.1f}"
    if name == "inspection":
        text += f"  {payload['outcome']}"
    if name == "defect":
        worst = payload["regions"][0]
        text += f"  at {worst['x']},{worst['y']}, {worst['width']} x {worst['height']} px"
    return text


def _figures(outcome: Outcome) -> dict[str, Any]:
    confusion, at_gate = outcome.confusion, outcome.at_gate
    return {
        "confusion": {
            "good_ok": confusion[False, False],
            "good_ng": confusion[False, True],
            "defective_ok": confusion[True, False],
            "defective_ng": confusion[True, True],
        },
        "at_gate": {
            "good_passed": at_gate[False, False],
            "good_kicked_off": at_gate[False, True],
            "defective_passed": at_gate[True, False],
            "defective_kicked_off": at_gate[True, True],
        },
        "endings": outcome.endings,
        "latency_ms": {
            stage: {"p50": round(p50, 3), "p99": round(p99, 3)}
            for stage, (p50, p99) in outcome.percentiles().items()
        },
        "received": outcome.received,
        "heatmaps": [str(path) for path in outcome.pictures],
    }


def _summary(outcome: Outcome) -> None:
    confusion, at_gate = outcome.confusion, outcome.at_gate
    print("\n3. Against the simulator's truth         and what the gate did")
    print("                    called OK  called NG      passed  kicked off")
    for name, bad in (("good", False), ("defective", True)):
        said = f"{confusion[bad, False]:9d}  {confusion[bad, True]:9d}"
        done = f"{at_gate[bad, False]:10d}  {at_gate[bad, True]:10d}"
        print(f"   {name + ' parts':<16} {said}  {done}")
    equal = "equals" if confusion == at_gate else "DIFFERS FROM"
    endings = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.endings.items()))
    print(f"   what the gate did {equal} what was said; {endings}")
    if outcome.missed:
        print(f"   escaped: {', '.join(outcome.missed)}")
    print("\n   milliseconds            p50      p99")
    for stage, (p50, p99) in outcome.percentiles().items():
        print(f"   {stage.removesuffix('_ms'):<18} {p50:8.2f} {p99:8.2f}")
    counts = ", ".join(f"{count} {name}" for name, count in sorted(outcome.received.items()))
    print(f"\n   received over MQTT: {counts}")
    if outcome.pictures:
        print(f"   heat maps: {outcome.pictures[0]} and {len(outcome.pictures) - 1} more beside it")
