"""The whole way: simulated line, shipped backbone, the agent, and the real firmware in simavr.

What was kicked off is read from the pins of the microcontroller, against its photo-eye and encoder;
neither the agent nor the firmware is asked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calibration import Detector
from edge_agent.agent import Agent
from edge_agent.clock import SystemClock
from edge_agent.config.tables import Config, Inspection, McuReject, McuTrigger, SimulatorSource
from edge_agent.demo import run as demo
from edge_agent.record import PartRecord, Result
from edge_agent.simulator.line import Line
from edge_agent.sources.make import make_reader, simulator_settings
from edge_agent.triggers.truth import truth_of
from firmware_bridge import OutcomeKind
from tests.firmware_bridge import truth
from tests.firmware_bridge.simavr_board import RealTimeBoard

pytestmark = pytest.mark.real

BELT_PX_PER_S = 960.0
COUNTS_PER_S = 9600.0
DISTANCE = 6000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")

    def silent(items, label, total):
        return items

    demo.collect_good_parts(folder / "good", SystemClock(), silent)
    demo.teach(folder / "good", folder, silent)
    return folder / "demo.model"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RealTimeBoard]:
    made = RealTimeBoard(tmp_path)
    yield made
    made.close()


def _run(board: RealTimeBoard, model: Path, parts: int) -> tuple[Agent, list[Result], Line]:
    source = SimulatorSource(
        seed=12, parts=parts, belt_speed_px_per_s=BELT_PX_PER_S, defect_share=0.3, subtlety_max=0.4
    )
    config = Config(
        source=source,
        trigger=McuTrigger(crop_width_px=256, crop_height_px=256),
        reject=McuReject(
            port=board.port,
            distance_counts=DISTANCE,
            encoder="quadrature",
            maximum_counts_per_s=10_000,
            pulse_ms=40,
            part_spacing_ms=350,
            worst_case_verdict_ms=400,
            late_policy="pass",
            heartbeat_ms=5000,
            clear_at_start=True,
        ),
        inspection=Inspection(model=model),
    )

    def on_photo_eye(number: int, at_ns: int) -> None:
        lead_ns = at_ns - time.monotonic_ns()
        board.trigger(board.now_ns() + lead_ns)

    clock = SystemClock()
    detector = Detector.load(model)
    detector.warm_up()
    results: list[Result] = []
    reader = make_reader(source, clock, on_photo_eye)
    agent = Agent(config, detector, clock, results.append, reader)
    board.belt(COUNTS_PER_S)
    agent.run()
    return agent, results, Line(simulator_settings(source))


_JUDGED = (OutcomeKind.PASSED, OutcomeKind.REJECTED)


def _kicks(vcd: Path) -> list[tuple[int, int]]:
    """For each pulse of the gate: the part it hit, from 0, and by how many counts it was off."""
    edges = truth.read_vcd(vcd).edges
    counts = np.array([edge.at_ns for edge in edges if edge.pin == "encoder_a"])

    def position(at_ns: int) -> int:
        return int(np.searchsorted(counts, at_ns, side="right"))

    due = [position(e.at_ns) + DISTANCE for e in edges if e.pin == "trigger" and e.level]
    kicks = []
    for edge in edges:
        if edge.pin == "gate" and edge.level:
            at = position(edge.at_ns)
            part = min(range(len(due)), key=lambda n: abs(due[n] - at))
            kicks.append((part, at - due[part]))
    return kicks


def _check(board: RealTimeBoard, model: Path, parts: int) -> None:
    agent, results, line = _run(board, model, parts)
    board.close()
    kicks = _kicks(board.vcd)
    kicked = [part for part, _ in kicks]
    assert len(set(kicked)) == len(kicked), "a part was kicked twice"
    assert max(abs(off) for _, off in kicks) <= 1

    # The machine that runs the test may be too busy for some part's deadline. Such a part must be
    # named, must pass (that is the late policy here), and must stay an exception.
    said: Counter[tuple[bool, bool]] = Counter()
    unjudged = set()
    for result in results:
        outcome = result.outcome
        assert outcome is not None
        if isinstance(result, PartRecord) and outcome.kind in _JUDGED:
            seen = truth_of(result.part)
            assert seen is not None
            assert seen.part == result.part.number - 1, "the picture shows another part"
            said[seen.is_defective, result.is_ng] += 1
        else:
            assert outcome.kind in (OutcomeKind.LATE, OutcomeKind.SKIPPED)
            unjudged.add(outcome.part - 1)
    assert not unjudged & set(kicked)
    assert len(unjudged) <= parts // 10
    done: Counter[tuple[bool, bool]] = Counter()
    for number in set(range(parts)) - unjudged:
        done[line.part(number).defect is not None, number in kicked] += 1
    print(f"said {dict(said)}, done {dict(done)}, counts off {Counter(off for _, off in kicks)}")
    print(f"without a verdict in time: {len(unjudged)}")
    assert said == done
    assert done[True, True] > done[False, True]
    assert agent.gate is not None
    books = agent.gate.counts
    assert books.triggers == books.passed + books.rejected + books.late + books.skipped == parts
    assert books.late + books.skipped == len(unjudged)
    assert books.rejected == len(kicked)


def test_confusion_at_the_gate_is_that_of_the_verdicts(model: Path, board: RealTimeBoard) -> None:
    _check(board, model, 20)


@pytest.mark.acceptance
def test_the_same_with_many_parts(model: Path, board: RealTimeBoard) -> None:
    _check(board, model, 300)
