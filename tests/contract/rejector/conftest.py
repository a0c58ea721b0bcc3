"""Every test here runs against several gates: the real firmware in simavr, the virtual MCU, and,
where it needs no MCU, the gate on GPIO lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import SafeReason
from tests.firmware_bridge.bench import Bench, GpioBench
from tests.firmware_bridge.gpio_board import GpioBoard
from tests.firmware_bridge.simavr_board import SimavrBoard
from tests.firmware_bridge.virtual_board import VirtualBoard

BOARDS = {"virtual": VirtualBoard, "simavr": SimavrBoard, "gpio": GpioBoard}
MCUS = ["virtual", pytest.param("simavr", marks=pytest.mark.real)]
ALL_GATES = [*MCUS, "gpio"]


@pytest.fixture(params=MCUS)
def board(request: pytest.FixtureRequest) -> Iterator[object]:
    made = BOARDS[request.param]()
    yield made
    made.close()


@pytest.fixture
def make_bench(board) -> Callable[..., Bench]:
    """A bench that is connected; and cleared, unless a test wants to do that itself."""

    def make(*, clear: bool = True, bench: dict | None = None, **values: object) -> Bench:
        settings = {"delay_ms": 300.0, "pulse_ms": 10.0, "worst_case_verdict_ms": 50.0} | values
        kind = GpioBench if isinstance(board, GpioBoard) else Bench
        made = kind(board, RejectConfiguration(**settings), **(bench or {}))
        made.connect()
        if clear:
            made.clear()
            assert made.conversation.status().safe_reason is SafeReason.NONE
        return made

    return make
