"""The kernel's lines, against a module that stands in for gpiod.

gpio-sim, the kernel's own simulated chip, needs a kernel module that a container does not have;
what is checked here is what we ask gpiod for and what we make of its answers.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import gpiod
import pytest

from firmware_bridge.configuration import Edge, RejectConfiguration
from firmware_bridge.errors import GpioUnavailable, LineError
from firmware_bridge.gpio.lines import ChipLines, InputEdge, Pins

CONFIGURATION = RejectConfiguration(
    delay_ms=300,
    worst_case_verdict_ms=50,
    trigger_edge=Edge.FALLING,
    gate_active_low=True,
)
PINS = Pins(trigger=17, gate=27, confirmation=22, run=23, fault=24)


@dataclass
class FakeRequest:
    """What ``gpiod.request_lines`` gives, with real settings and a real file descriptor."""

    path: str
    config: dict
    consumer: str
    event_buffer_size: int
    values: list[tuple[int, object]] = field(default_factory=list)
    events: list[object] = field(default_factory=list)
    released: bool = False

    def __post_init__(self) -> None:
        self.fd, self._other_end = os.pipe()

    def arrive(self, offset: int, timestamp_ns: int, seqno: int) -> None:
        self.events.append(
            SimpleNamespace(line_offset=offset, timestamp_ns=timestamp_ns, line_seqno=seqno)
        )
        os.write(self._other_end, b"!")

    def read_edge_events(self) -> list[object]:
        os.read(self.fd, 4096)
        events, self.events = self.events, []
        return events

    def set_value(self, offset: int, value: object) -> None:
        self.values.append((offset, value))

    def release(self) -> None:
        self.released = True
        os.close(self.fd)
        os.close(self._other_end)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[FakeRequest]:
    made: list[FakeRequest] = []

    def request_lines(path: str, **arguments: object) -> FakeRequest:
        made.append(FakeRequest(path, **arguments))
        return made[-1]

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    return made


def test_what_is_asked_of_the_kernel(requests):
    lines = ChipLines("/dev/gpiochip0", PINS, CONFIGURATION)
    lines.open()
    (request,) = requests
    lines.close()
    assert request.path == "/dev/gpiochip0"
    trigger, gate = request.config[17], request.config[27]
    assert trigger.direction is gpiod.line.Direction.INPUT
    assert trigger.edge_detection is gpiod.line.Edge.FALLING
    assert trigger.event_clock is gpiod.line.Clock.MONOTONIC
    assert request.config[22].edge_detection is gpiod.line.Edge.RISING
    assert gate.direction is gpiod.line.Direction.OUTPUT
    assert gate.output_value is gpiod.line.Value.INACTIVE
    assert gate.active_low
    assert not request.config[23].active_low
    assert sorted(request.config) == [17, 22, 23, 24, 27]


def test_edges_and_levels_and_the_end(requests):
    lines = ChipLines("/dev/gpiochip0", PINS, CONFIGURATION)
    lines.open()
    (request,) = requests
    assert lines.edges(0) == []
    lines.wake()
    assert lines.edges(60) == []
    request.arrive(17, 1234, 1)
    request.arrive(22, 1300, 1)
    assert lines.edges(60) == [InputEdge("trigger", 1234, 1), InputEdge("confirmation", 1300, 1)]
    lines.put("gate", True)
    lines.put("strobe", True)
    assert request.values == [(27, gpiod.line.Value.ACTIVE)]
    lines.close()
    lines.close()
    assert request.released
    assert request.values[1:] == [(n, gpiod.line.Value.INACTIVE) for n in (27, 23, 24)]
    with pytest.raises(LineError, match="closed"):
        lines.edges(0)
    lines.put("gate", True)
    lines.wake()


def test_a_chip_that_is_not_there():
    with pytest.raises(LineError, match=r"/dev/gpiochip99 \(trigger 17, gate 27"):
        ChipLines("/dev/gpiochip99", PINS, CONFIGURATION).open()


def test_without_the_extra_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(GpioUnavailable, match=r"needs the extra gpio: pip install"):
        ChipLines("/dev/gpiochip0", PINS, CONFIGURATION)
