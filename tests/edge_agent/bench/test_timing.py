from __future__ import annotations

import itertools
import sys

import pytest

from edge_agent.bench.remote import RemoteCall, RemoteEngine
from edge_agent.bench.timing import interleave

ENGINE = """
import json, sys
for line in sys.stdin:
    words = line.split()
    answer = ["slow one"] if words[0] == "conv" else 7.5 * int(words[2])
    if words[0] == "end":
        break
    print(json.dumps(answer), flush=True)
"""


def test_candidates_are_called_by_turns() -> None:
    calls: list[str] = []
    candidates = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    timings = interleave(candidates, rounds=3)
    turns = [calls[0]]
    turns += [now for before, now in itertools.pairwise(calls) if now != before]
    # Once to warm up and once to see how long it takes, a after b; then three rounds.
    assert turns == ["a", "b"] * 4
    for timing in timings.values():
        assert timing.samples == 3
        assert timing.us_min <= timing.us_median <= timing.us_p99


def test_an_engine_in_another_python_times_itself() -> None:
    with RemoteEngine([sys.executable, "-c", ENGINE]) as engine:
        found = engine.prepare("conv 64 8 8")
        assert set(found) == {"slow one"}
        call = found["slow one"]
        assert isinstance(call, RemoteCall)
        assert call.sample_us(4) == 30.0
        assert interleave(found, rounds=2)["slow one"].us_median >= 7.5
        with pytest.raises(OSError, match="the engine ended"):
            engine.ask("end")
