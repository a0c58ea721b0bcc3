"""The agent with a gate: every part at the photo-eye ends in one message with its outcome."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from calibration import Detector
from calibration.calibrate import Settings, calibrate
from calibration.model_file import save
from calibration.normal import NormalSettings
from calibration.setups import Wishes
from edge_agent.agent import Agent
from edge_agent.clock import SystemClock
from edge_agent.config.tables import (
    Config,
    GpioReject,
    GpioTrigger,
    Inspection,
    McuReject,
    McuTrigger,
    Mqtt,
    SimulatorSource,
    Station,
)
from edge_agent.frame import Frame
from edge_agent.record import PartRecord, Result, UninspectedPart
from edge_agent.reporting.payload import inspection_payload, load_schema
from edge_agent.simulator.gate import SimulatedGate
from edge_agent.sources.base import Source
from edge_agent.sources.reader import FrameReader
from firmware_bridge import PortLost, SafeReason, SimulatedLines, VirtualBoard
from firmware_bridge.wire.codes import ResetCause
from kernels.backends import choose
from tests.good_parts import draw_part, write_good
from tests.mosquitto import PASSWORD, USER, Mosquitto, Subscriber
from tests.random_networks import tiny_network

DELAY_MS = 300.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_good(folder / "good", 40)
    settings = Settings(
        false_reject_rate=0.1,
        wishes=Wishes(input_pixels=96 * 128),
        normal=NormalSettings(bank_entries=300),
    )
    result = calibrate(folder / "good", [tiny_network()], choose("numba").backend, settings)
    save(folder / "ring.model", result.model)
    return folder / "ring.model"


class Belt(Source):
    """Parts that come when the test says so, each past the photo-eye and then the camera."""

    live = True
    resumable = False

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[np.ndarray | None] = queue.SimpleQueue()
        self._frames = 0
        self._parts = 0
        self._next_ns = 0
        self.gate: SimulatedGate | SimulatedLines | None = None
        self.on_open: Callable[[], None] = lambda: None

    def bring(self, image: np.ndarray) -> None:
        """A part, and its picture."""
        self.pass_unseen()
        self._orders.put(image)

    def pass_unseen(self) -> None:
        """A part without a picture."""
        assert self.gate is not None
        # Within the dead time it would be a bounce of the photo-eye.
        threading.Event().wait(max(0.0, self._next_ns - time.monotonic_ns()) / 1e9)
        self._next_ns = time.monotonic_ns() + 5_000_000
        if isinstance(self.gate, SimulatedLines):
            self.gate.trigger()
        else:
            self.gate.photo_eye(self._parts, time.monotonic_ns())
        self._parts += 1

    def end(self) -> None:
        self._orders.put(None)

    def open(self) -> None:
        self.on_open()

    def close(self) -> None:
        pass

    def interrupt(self) -> None:
        self.end()

    def read(self) -> Frame | None:
        image = self._orders.get()
        self._frames += 1
        if image is None:
            return None
        return Frame(image, self._frames, time.monotonic_ns())


class CamStation:
    """A running agent, and what it tells."""

    def __init__(
        self,
        model: Path,
        mqtt: Mqtt | None = None,
        clock: SystemClock | None = None,
        lines: SimulatedLines | None = None,
        **reject: Any,
    ) -> None:
        where = {"port": "virtual", "heartbeat_ms": 5000}
        if lines:
            where = {"chip": Path("/dev/gpiochip0"), "trigger_line": 17, "gate_line": 27}
        table = (GpioReject if lines else McuReject)(
            **{
                **where,
                "delay_ms": DELAY_MS,
                "worst_case_verdict_ms": 250.0,
                "late_policy": "pass",
                "clear_at_start": True,
                **reject,
            }
        )
        config = Config(
            station=Station(name="cam1"),
            source=SimulatorSource(),
            trigger=(GpioTrigger if lines else McuTrigger)(frame_window_ms=200),
            reject=table,
            inspection=Inspection(model=model),
            mqtt=mqtt,
        )
        self.belt = Belt()
        self.detector = Detector.load(model)
        self.detector.warm_up()
        self.results: list[Result] = []
        self.decided = 0
        self._opened = False
        self._clears = table.clear_at_start
        self._changed = threading.Condition()
        clock = clock or SystemClock()
        reader = FrameReader(lambda: self.belt, clock)
        self.agent = Agent(config, self.detector, clock, self._note, reader)
        assert self.agent.gate is not None
        self.gate = self.agent.gate
        self.belt.gate = lines or self.agent.gate.simulated

        self._announce(self.gate, "decide")
        self._announce(self.gate.rejector, "_on_event")
        self._announce(self.gate, "give_up_if_silent")
        self.belt.on_open = self._open

    @property
    def board(self) -> VirtualBoard:
        """The microcontroller behind the gate."""
        assert self.gate.simulated is not None
        return self.gate.simulated.board

    def _announce(self, thing: object, name: str) -> None:
        """Let the station notice whenever this is called."""
        original = getattr(thing, name)

        def call(*arguments: object) -> None:
            original(*arguments)
            with self._changed:
                self.decided += name == "decide"
                self._changed.notify_all()

        setattr(thing, name, call)

    def _open(self) -> None:
        with self._changed:
            self._opened = True
            self._changed.notify_all()

    def _note(self, result: Result) -> None:
        with self._changed:
            self.results.append(result)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many parts have been told of."""
        self.wait_until(lambda: len(self.results) >= count)

    def wait_until(self, what: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(what, 20)

    @contextmanager
    def running(self) -> Iterator[None]:
        errors: list[Exception] = []

        def work() -> None:
            try:
                self.agent.run()
            except Exception as error:
                errors.append(error)
                self._open()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            self.wait_until(lambda: self._opened and (bool(errors) or self._ready()))
            yield
        finally:
            self.belt.end()
            thread.join(30)
        assert not thread.is_alive()
        assert errors == []

    def _ready(self) -> bool:
        running = self.gate.status()["state"] == "running"
        return running or not self._clears

    def check_books(self) -> dict[str, int]:
        """Messages, counters and the schema agree; returns how many ended how."""
        counts = vars(self.gate.counts)
        numbers = [_number(result) for result in self.results]
        assert len(set(numbers)) == len(numbers)
        assert len({result.id for result in self.results}) == len(numbers)
        endings: dict[str, int] = {}
        for result in self.results:
            payload = inspection_payload(result, "cam1", "0" * 64)
            jsonschema.validate(payload, load_schema("inspection"))
            endings[payload["outcome"]] = endings.get(payload["outcome"], 0) + 1
        assert counts["in_flight"] == 0
        for kind in ("passed", "rejected", "late", "lost", "skipped"):
            assert counts[kind] == endings.get(kind, 0)
        assert counts["triggers"] == len(numbers)
        return endings


def _number(result: Result) -> int:
    assert result.outcome is not None
    return result.outcome.part


@pytest.mark.parametrize("encoder", [False, True])
def test_every_part_ends_as_it_was_judged(model: Path, encoder: bool) -> None:
    by_distance = {
        "delay_ms": None, "distance_counts": 1440, "encoder": "single",
        "maximum_counts_per_s": 4800.0,
    }  # fmt: skip
    station = CamStation(model, **(by_distance if encoder else {}))
    with station.running():
        for number in range(6):
            station.belt.bring(draw_part(number, bad=number % 2 == 1))
            station.wait_until(lambda n=number + 1: station.decided == n)  # type: ignore[misc]
    endings = station.check_books()
    assert endings == {"passed": 3, "rejected": 3}
    for result in station.results:
        assert isinstance(result, PartRecord)
        assert result.outcome is not None
        assert result.outcome.fired == result.is_ng == (_number(result) % 2 == 0)
    assert station.gate.rejector.status().safe_reason is SafeReason.HOST_LEFT


def test_the_same_on_gpio_lines_and_lost_edges_are_counted(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = SimulatedLines()
    monkeypatch.setattr("edge_agent.gate.make.ChipLines", lambda *_: lines)
    station = CamStation(model, lines=lines)
    with station.running():
        for number in range(4):
            station.belt.bring(draw_part(number, bad=number % 2 == 1))
            station.wait_until(lambda n=number + 1: station.decided == n)  # type: ignore[misc]
        station.wait_for(4)
        # A machine that is busy may make an edge too late: named, not promised.
        endings = station.check_books()
        assert endings["passed"] == 2
        assert endings.get("rejected", 0) + endings.get("late", 0) == 2
        assert station.gate.status()["link"] is None
        lines.lose_triggers(3)
        station.belt.bring(draw_part(4))
        station.wait_for(5)
    counts = station.gate.counts
    assert (counts.triggers, counts.lost, counts.passed) == (8, 3, 3)
    assert len(station.results) == 5


def test_a_part_without_a_picture_is_late_and_told_without_a_verdict(model: Path) -> None:
    station = CamStation(model)
    with station.running():
        station.belt.pass_unseen()
        station.wait_for(1)
        station.belt.bring(draw_part(1))
        station.wait_for(2)
    assert station.check_books() == {"late": 1, "passed": 1}
    assert isinstance(station.results[0], UninspectedPart)


def test_an_image_of_another_size_is_skipped_at_the_gate(model: Path) -> None:
    station = CamStation(model)
    with station.running():
        station.belt.bring(draw_part(1))
        station.wait_for(1)
        station.belt.bring(draw_part(2, height=64, width=64))
        station.wait_for(2)
    assert station.check_books() == {"passed": 1, "skipped": 1}
    assert station.agent.counters.skipped == 1


def test_stopping_ends_parts_on_their_way_exactly_once(model: Path) -> None:
    station = CamStation(model, delay_ms=5000.0, worst_case_verdict_ms=250.0)
    with station.running():
        for number in range(3):
            station.belt.bring(draw_part(number))
            station.wait_until(lambda n=number + 1: station.decided == n)  # type: ignore[misc]
        assert station.results == []
        status = station.gate.status()
        assert (status["state"], status["counters"]["in_flight"]) == ("running", 3)
        station.agent.stop()
    endings = station.check_books()
    assert sum(endings.values()) == 3
    assert set(endings) <= {"lost", "skipped"}


def test_a_board_that_is_reset_loses_parts_and_stays_safe(model: Path) -> None:
    station = CamStation(model)
    with station.running():
        station.belt.bring(draw_part(1, bad=True))
        station.wait_until(lambda: station.decided == 1)
        station.board.reset(ResetCause.WATCHDOG)
        station.wait_for(1)
        station.wait_until(lambda: station.gate.status()["reason"] == "watchdog")
        assert any("watchdog" in problem for problem in station.gate.problems())
        station.belt.bring(draw_part(2, bad=True))
        station.wait_for(2)
    assert station.check_books() == {"lost": 1, "skipped": 1}


class ShiftedClock(SystemClock):
    """The system's clock, with hands that a test may move on."""

    shift_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.shift_ns


def test_parts_behind_a_pulled_cable_are_given_up_in_the_end(model: Path) -> None:
    clock = ShiftedClock()
    station = CamStation(model, clock=clock)
    with station.running():
        station.belt.bring(draw_part(1, bad=True))
        station.wait_until(lambda: station.decided == 1)
        station.board.unplug()
        station.wait_until(lambda: bool(station.gate.problems()))
        assert "not connected" in station.gate.problems()[0]
        assert station.results == []
        clock.shift_ns = 11_000_000_000
        station.wait_for(1)
        # What really became of it is known as soon as the cable is back, and told no more.
        station.board.plug()
        station.wait_until(lambda: not station.gate.problems())
        station.belt.bring(draw_part(2))
        station.wait_for(2)
    assert station.check_books() == {"lost": 1, "passed": 1}


def test_without_clear_at_start_it_stays_safe(model: Path) -> None:
    station = CamStation(model, clear_at_start=False)
    with station.running():
        station.belt.bring(draw_part(1, bad=True))
        station.wait_for(1)
        assert station.gate.status()["state"] == "safe"
    assert station.check_books() == {"skipped": 1}


def test_a_gate_that_is_not_there_ends_it_at_the_start(model: Path) -> None:
    station = CamStation(model)
    station.board.unplug()
    with pytest.raises(OSError, match="unplugged") as caught:
        station.agent.run()
    assert not isinstance(caught.value, PortLost)


@pytest.mark.real
def test_the_safe_state_is_cleared_over_mqtt_by_its_reason(model: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        (tmp_path / "password").write_text(PASSWORD)
        mqtt = Mqtt(
            host="localhost", port=broker.port, prefix="line/cam1", user=USER, tls=True,
            password_file=tmp_path / "password", ca_file=broker.ca_file,
        )  # fmt: skip
        station = CamStation(model, mqtt, clear_at_start=False)
        with Subscriber(broker, "line/cam1") as witness:
            with station.running():
                reason = station.gate.status()["reason"]
                before = len(witness.of("status"))
                witness.publish("command", {"command": "clear", "reason": "watchdog"})
                witness.wait_for("status", before + 1)
                assert station.gate.status()["state"] == "safe"
                witness.publish("command", {"command": "clear", "reason": reason})
                station.wait_until(lambda: station.gate.status()["state"] == "running")
                station.belt.bring(draw_part(1, bad=True))
                station.wait_for(1)
            witness.wait_for_status("offline")
            inspections, statuses = witness.of("inspection"), witness.of("status")
    assert [m["outcome"] for m in inspections] == ["rejected"]
    for message in inspections:
        jsonschema.validate(message, load_schema("inspection"))
    for message in statuses:
        jsonschema.validate(message, load_schema("status"))
    assert statuses[-1]["gate"]["counters"]["rejected"] == 1
