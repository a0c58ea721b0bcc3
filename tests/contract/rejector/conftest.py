"""Every test here runs twice: against the virtual MCU, and against the real firmware in simavr."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import SafeReason
from tests.firmware_bridge.bench import Bench
from tests.firmware_bridge.simavr_board import SimavrBoard
from tests.firmware_bridge.virtual_board import VirtualBoard

MakeBench = Callable[..., Bench]


@pytest.fixture(params=["virtual", pytest.param("simavr", marks=pytest.mark.real)])
def board(request: pytest.FixtureRequest) -> Iterator[SimavrBoard | VirtualBoard]:
    made = VirtualBoard() if request.param == "virtual" else SimavrBoard()
    yield made
    made.close()


@pytest.fixture
def make_bench(board: SimavrBoard | VirtualBoard) -> MakeBench:
    """A bench that is connected; and cleared, unless a test wants to do that itself."""

    def make(*, clear: bool = True, bench: dict | None = None, **values: object) -> Bench:
        settings = {"delay_ms": 300.0, "pulse_ms": 10.0, "worst_case_verdict_ms": 50.0} | values
        made = Bench(board, RejectConfiguration(**settings), **(bench or {}))
        made.connect()
        if clear:
            made.clear()
            assert made.conversation.status().safe_reason is SafeReason.NONE
        return made

    return make
