"""The agent: one frame's way from the source to the verdict, and everybody's life cycle.

::

    reader thread ──slot──► inspection thread ──queue──► reporter thread ──► MQTT, JSON lines
                             trigger, judges                 ▲
                                   └──────► reject gate ─────┘ if there is one: with the outcome

The main thread waits for the end: the source's, a signal's, or an error's; meanwhile it does what
may take a moment, such as clearing the gate.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from calibration.detector import Detector, Inspection
from calibration.errors import ImageMismatch
from calibration.watch import Usual, Watch
from edge_agent.clock import Clock
from edge_agent.config.tables import Config, Mqtt
from edge_agent.errors import BrokerUnreachable
from edge_agent.gate.gate import Gate, reason_of
from edge_agent.gate.make import make_gate
from edge_agent.judges import Judgement, Judges
from edge_agent.record import PartRecord, Result
from edge_agent.reporting.json_lines import JsonLines
from edge_agent.reporting.mqtt import MqttPublisher
from edge_agent.reporting.payload import Payload, defect_payload, inspection_payload, status_payload
from edge_agent.reporting.reporter import Reporter
from edge_agent.sources.make import make_reader
from edge_agent.sources.reader import FrameReader
from edge_agent.triggers.base import Part
from edge_agent.triggers.make import make_trigger
from edge_agent.version import VERSION
from firmware_bridge import BridgeError

_BROKER_PATIENCE_S = 6.0
_LOOK_S = 1.0
_DELIVERY_AT_END_S = 60.0
_DELIVERY_WHEN_STOPPED_S = 0.5
_log = logging.getLogger(__name__)


@dataclass
class Counters:
    """What happened to parts since the start; written by one thread at a time."""

    inspected: int = 0
    ok: int = 0
    ng: int = 0
    skipped: int = 0


class Agent:
    """A configured station.

    Args:
        config: what to do.
        detector: that judges, made from the model that the configuration names.
        clock: time.
        on_record: also told about every part, in the reporter's thread.
        reader: of the source; by default the configured one.

    Attributes:
        counters: what happened so far.
        gate: the reject gate; None if there is none.
        undelivered: at the end, messages that the broker had not acknowledged.
    """

    def __init__(
        self,
        config: Config,
        detector: Detector,
        clock: Clock,
        on_record: Callable[[Result], None] = lambda _: None,
        reader: FrameReader | None = None,
    ) -> None:
        self._config, self._detector, self._clock = config, detector, clock
        self._detectors = [
            detector,
            *(detector.another() for _ in range(config.inspection.threads - 1)),
        ]
        self._watch = Watch(Usual.of(detector.model))
        self._on_record = on_record
        self._reporter = Reporter(self._tell, self._look_after)
        self.gate = make_gate(config, clock, partial(self._reporter.put, wait=False))
        simulated = self.gate.simulated if self.gate else None
        on_photo_eye = simulated.photo_eye if simulated else None
        self._reader = reader or make_reader(config.source, clock, on_photo_eye)
        self._trigger = make_trigger(config.trigger, self.gate)
        if self.gate is not None:
            self.gate.on_part(self._reader.slot.wake)
        self._results = JsonLines(config.archive.results) if config.archive.results else None
        self._publisher: MqttPublisher | None = None
        # SimpleQueue.put may be called from a signal handler; nearly nothing else may.
        self._end: queue.SimpleQueue[Exception | Callable[[], None] | None] = queue.SimpleQueue()
        self._stopped = False
        self._said_problems: list[str] = []
        self._said_at_ns = 0
        self.counters = Counters()
        self.undelivered = 0

    def stop(self) -> None:
        """Ask for a clean end; may be called from a signal handler."""
        self._stopped = True
        self._end.put(None)

    def run(self) -> None:
        """Work until the source ends or :meth:`stop` is called.

        Raises:
            AgentError: the source or the broker cannot be used as configured.
            BridgeError: the reject gate cannot.
            ImageMismatch: the images are not of the size that the model was taught on.
        """
        with ExitStack() as stack:
            if self._results is not None:
                stack.enter_context(self._results)
            if self._config.mqtt is not None:
                self._publisher = stack.enter_context(self._make_publisher(self._config.mqtt))
                _await_broker(self._publisher)
                stack.callback(self._deliver, self._publisher)
            stack.enter_context(self._reporter)
            if self.gate is not None:
                stack.enter_context(self.gate)
            stack.enter_context(self._reader)
            stack.enter_context(self._inspecting())
            if self.gate is not None:
                self.gate.start()
            _log.info("station %s is running", self._config.station.name)
            while callable(end := self._end.get()):
                end()
            if end is not None:
                raise end
            if self.gate is not None and not self._stopped:
                self.gate.wait_for_last_parts()
        if self._reader.failure is not None:
            raise self._reader.failure

    @contextmanager
    def _inspecting(self) -> Iterator[None]:
        thread = threading.Thread(target=self._inspect_all, name="inspection", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._reader.slot.close()
            thread.join()

    def _inspect_all(self) -> None:
        error: Exception | None = None
        try:
            with Judges(self._detectors, self._judged) as judges:
                self._feed(judges)
        except Exception as caught:
            error = caught
        self._end.put(error)

    def _feed(self, judges: Judges) -> None:
        slot = self._reader.slot
        while not (slot.finished or self._stopped):
            frame = slot.take(_LOOK_S)
            if frame is None:
                self._reader.replace_if_stuck()
                part = self._trigger.another()
            else:
                part = self._trigger.feed(frame)
            while part is not None:
                judges.feed(part)
                part = self._trigger.another()

    def _judged(self, part: Part, inspection: Judgement) -> None:
        if isinstance(inspection, ImageMismatch):
            if not self.counters.inspected:
                raise inspection
            self.counters.skipped += 1
            _log.warning("part %d is skipped: %s", part.number, inspection)
            if self.gate is not None:
                self.gate.skip(part.number)
            return
        total_ms = (self._clock.monotonic_ns() - part.frame.captured_at_ns) / 1e6
        captured_at = self._clock.wall() - timedelta(milliseconds=total_ms)
        record = PartRecord(part, inspection, captured_at, total_ms)
        if self.gate is not None:
            self.gate.decide(record)
        self._watch_over(inspection)
        self.counters.inspected += 1
        if record.is_ng:
            self.counters.ng += 1
        else:
            self.counters.ok += 1
        if self.gate is None:
            self._reporter.put(record, wait=not self._reader.live)

    def _watch_over(self, inspection: Inspection) -> None:
        before = self._watch.problems
        self._watch.see(inspection)
        # The figures in a problem change with every part: once is enough for the log.
        if self._watch.problems and not before:
            _log.warning("%s", "; ".join(self._watch.problems))

    def _tell(self, record: Result) -> None:
        station, model = self._config.station.name, self._detector.model.sha256
        payload = inspection_payload(record, station, model)
        if self._publisher is not None:
            self._publisher.publish("inspection", payload)
            if isinstance(record, PartRecord) and record.is_ng:
                self._publisher.publish("defect", defect_payload(record, station, model))
        self._on_record(record)
        if self._results is not None:
            self._results.write(payload)

    def _make_publisher(self, settings: Mqtt) -> MqttPublisher:
        return MqttPublisher(
            settings,
            settings.client_id or f"edge-agent-{self._config.station.name}",
            offline=lambda: self._status("offline"),
            on_online=self._say_status,
            on_command=self._obey,
        )

    def _deliver(self, publisher: MqttPublisher) -> None:
        waiting = publisher.drain(_DELIVERY_WHEN_STOPPED_S)
        if waiting and not self._stopped:
            _log.info("%d messages wait for the broker: a minute, or until stopped", waiting)
            waiting = publisher.drain(_DELIVERY_AT_END_S, lambda: self._stopped)
        self.undelivered = waiting + publisher.lost

    def _obey(self, message: bytes) -> None:
        try:
            wanted = json.loads(message)
            command = wanted.get("command")
        except (ValueError, AttributeError):
            wanted, command = {}, None
        if command == "status":
            self._say_status()
        elif command == "clear" and self.gate is not None:
            self._end.put(partial(self._clear, self.gate, wanted.get("reason")))
        else:
            _log.warning("command not understood: %r; see docs/mqtt.md", message[:80])

    def _clear(self, gate: Gate, word: object) -> None:
        try:
            gate.clear(reason_of(word))
        except BridgeError as error:
            _log.warning("the command clear is refused: %s", error)
        self._say_status()

    def _problems(self) -> list[str]:
        problems = [self._reader.problem] if self._reader.problem else []
        lost = self._reporter.lost + (self._publisher.lost if self._publisher else 0)
        if lost:
            problems.append(f"{lost} messages were lost while the broker was away")
        problems += self._watch.problems
        return problems + (self.gate.problems() if self.gate else [])

    def _status(self, state: str) -> Payload:
        counters = {
            **vars(self.counters),
            "frames": self._reader.frames,
            "dropped": self._reader.slot.dropped,
            "unusable": self._reader.unusable,
            "reconnects": self._reader.reconnects,
        }
        model = self._detector.model
        about = {
            "version": VERSION,
            "model": model.sha256,
            "backbone": model.network.name,
            "backend": self._detector.backend.reason,
        }
        problems = self._problems()
        name = self._config.station.name
        gate = self.gate.status() if self.gate else None
        return status_payload(
            name,
            state,
            self._clock.wall(),
            problems=problems,
            counters=counters,
            about=about,
            gate=gate,
        )

    def _say_status(self) -> None:
        if self._publisher is not None:
            self._said_problems, self._said_at_ns = self._problems(), self._clock.monotonic_ns()
            self._publisher.publish("status", self._status("online"), retain=True)

    def _look_after(self) -> None:
        """What is due from time to time, in the reporter's thread."""
        if self.gate is not None:
            self.gate.give_up_if_silent()
        if self._config.mqtt is None:
            return
        silent_s = (self._clock.monotonic_ns() - self._said_at_ns) / 1e9
        if silent_s > self._config.mqtt.status_every_s or self._problems() != self._said_problems:
            self._say_status()


def _await_broker(publisher: MqttPublisher) -> None:
    # A broker that says no is a mistake to be mended; one that is away will come back.
    try:
        publisher.wait_for_answer(_BROKER_PATIENCE_S)
    except BrokerUnreachable as error:
        _log.warning("%sinspecting meanwhile", "" if publisher.problem else f"{error}; ")
