"""The whole agent against a real mosquitto: every verdict is told, once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from calibration import Detector
from calibration.calibrate import Settings, calibrate
from calibration.errors import ImageMismatch
from calibration.model_file import save
from calibration.normal import NormalSettings
from calibration.setups import Wishes
from edge_agent.agent import Agent
from edge_agent.clock import SystemClock
from edge_agent.config.tables import Archive, Config, FolderSource, Inspection, Mqtt, Station
from edge_agent.errors import BrokerRefused, SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.record import PartRecord
from edge_agent.reporting.payload import load_schema
from edge_agent.sources.base import Source
from edge_agent.sources.reader import FrameReader
from kernels.backends import choose
from tests.good_parts import draw_part, write_dataset
from tests.mosquitto import PASSWORD, USER, Mosquitto, Subscriber
from tests.random_networks import tiny_network

PREFIX = "plant/line2/cam1"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def model(parts: Path) -> Path:
    settings = Settings(
        false_reject_rate=0.1,
        wishes=Wishes(input_pixels=96 * 128),
        normal=NormalSettings(bank_entries=300),
    )
    backend = choose("numba").backend
    result = calibrate(parts / "train" / "good", [tiny_network()], backend, settings)
    save(parts / "ring.model", result.model)
    return parts / "ring.model"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def _mqtt(broker: Mosquitto) -> Mqtt:
    password = broker.folder / "password"
    password.write_text(PASSWORD)
    return Mqtt(
        host="localhost",
        port=broker.port,
        prefix=PREFIX,
        user=USER,
        password_file=password,
        tls=True,
        ca_file=broker.ca_file,
    )


def _config(parts: Path, model: Path, **tables: object) -> Config:
    return Config(
        station=Station(name="cam1"),
        source=FolderSource(path=parts / "test", recursive=True),
        inspection=Inspection(model=model),
        **tables,  # type: ignore[arg-type]
    )


def _check_schemas(witness: Subscriber) -> None:
    with_schema = 0
    for name, _, payload in witness.messages:
        if name in ("inspection", "defect", "status"):
            jsonschema.validate(payload, load_schema(name))
            with_schema += 1
    assert with_schema


@pytest.mark.real
def test_one_inspection_an_image_and_one_defect_an_ng(
    parts: Path, model: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    config = _config(parts, model, mqtt=_mqtt(broker), archive=Archive(results=str(results)))
    with Subscriber(broker, PREFIX) as witness:
        agent = Agent(config, Detector.load(model), SystemClock())
        agent.run()
        assert agent.undelivered == 0
        witness.wait_for_status("offline")
        _check_schemas(witness)
        inspections, defects = witness.of("inspection"), witness.of("defect")
    files = sorted(p.relative_to(parts / "test").as_posix() for p in parts.glob("test/*/*.png"))
    assert sorted(m["image"] for m in inspections) == files
    verdicts = {m["id"]: m["verdict"] for m in inspections}
    assert len(verdicts) == len(files)
    assert sorted(m["id"] for m in defects) == sorted(i for i, v in verdicts.items() if v == "NG")
    # The same verdicts as somebody gets who asks the detector directly.
    detector = Detector.load(model)
    for message in inspections:
        image = detector.inspect(_read(parts / "test" / message["image"]))
        assert message["verdict"] == image.verdict.value
        assert message["score"] == pytest.approx(image.score, abs=1e-3)
    assert [json.loads(line) for line in results.read_text().splitlines()] == inspections
    assert agent.counters.inspected == len(files) == agent.counters.ok + agent.counters.ng


def _read(path: Path) -> np.ndarray:
    from calibration.images import read_image

    return read_image(path)


class GatedParts(Source):
    """Good and bad parts in turn; lets the test in between them."""

    live = False
    resumable = False

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = 0
        self.gate = threading.Semaphore(0)

    def open(self) -> None:
        self._next = 0

    def read(self) -> Frame | None:
        if self._next == self._count:
            return None
        assert self.gate.acquire(timeout=60)
        number = self._next
        self._next += 1
        return Frame(draw_part(number, bad=bool(number % 2)), number, 0, name=f"{number}.png")

    def close(self) -> None:
        pass


@pytest.mark.real
def test_a_broker_that_is_killed_and_restarted_in_the_middle(
    parts: Path, model: Path, broker: Mosquitto
) -> None:
    count = 60
    source = GatedParts(count)
    told: list[PartRecord] = []
    progress = threading.Semaphore(0)

    def note(record: PartRecord) -> None:
        told.append(record)
        progress.release()

    config = _config(parts, model, mqtt=_mqtt(broker))
    detector = Detector.load(model)
    agent = Agent(
        config,
        detector,
        SystemClock(),
        on_record=note,
        reader=FrameReader(lambda: source, SystemClock()),
    )
    thread = threading.Thread(target=agent.run)
    received: list[tuple[str, bool, dict[str, object]]] = []
    with Subscriber(broker, PREFIX) as witness:
        thread.start()
        source.gate.release(20)
        for _ in range(20):
            assert progress.acquire(timeout=60)
        witness.wait_for("inspection", 20)
        witness.wait_for("defect", sum(record.is_ng for record in told))
        received += witness.messages
    broker.kill()
    source.gate.release(20)
    for _ in range(20):
        assert progress.acquire(timeout=60)  # inspecting goes on without a broker
    broker.start()
    # The same session as before: the broker keeps for it what comes before it is there again.
    with Subscriber(broker, PREFIX) as witness:
        witness.wait_for_status("online")
        source.gate.release(20)
        witness.wait_for("inspection", 40)
        thread.join(60)
        assert not thread.is_alive()
        witness.wait_for_status("offline")
        received += witness.messages
        _check_schemas(witness)
    with Subscriber(broker, PREFIX, "later") as late:
        late.wait_for_status("offline")
        assert [(name, retained) for name, retained, _ in late.messages] == [("status", True)]
    assert agent.undelivered == 0
    assert len(told) == count
    wanted = {record.id for record in told}
    inspections = [p["id"] for name, _, p in received if name == "inspection"]
    assert set(inspections) == wanted
    ng = {record.id for record in told if record.is_ng}
    assert ng
    assert {p["id"] for name, _, p in received if name == "defect"} == ng


@pytest.mark.real
def test_a_command_is_answered_with_a_status(parts: Path, model: Path, broker: Mosquitto) -> None:
    source = GatedParts(2)
    config = _config(parts, model, mqtt=_mqtt(broker))
    agent = Agent(
        config,
        Detector.load(model),
        SystemClock(),
        reader=FrameReader(lambda: source, SystemClock()),
    )
    thread = threading.Thread(target=agent.run)
    with Subscriber(broker, PREFIX) as witness:
        thread.start()
        source.gate.release(1)
        witness.wait_for("inspection", 1)
        before = len(witness.of("status"))
        witness.publish("command", {"command": "status"})
        witness.wait_for("status", before + 1)
        witness.publish("command", "nonsense")
        source.gate.release(1)
        thread.join(60)
        status = witness.wait_for_status("offline")
    assert status["counters"]["inspected"] == 2
    assert status["about"]["model"] == Detector.load(model).model.sha256


@pytest.mark.real
def test_a_wrong_password_ends_it_at_the_start(parts: Path, model: Path, broker: Mosquitto) -> None:
    settings = _mqtt(broker)
    assert settings.password_file is not None
    settings.password_file.write_text("wrong")
    agent = Agent(_config(parts, model, mqtt=settings), Detector.load(model), SystemClock())
    with pytest.raises(BrokerRefused, match="refuses the connection"):
        agent.run()


def test_images_of_another_size_end_it_at_the_start(
    parts: Path, model: Path, tmp_path: Path
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), draw_part(0, height=64, width=64))
    config = Config(source=FolderSource(path=tmp_path), inspection=Inspection(model=model))
    with pytest.raises(ImageMismatch, match="taught on images of 128 x 96"):
        Agent(config, Detector.load(model), SystemClock()).run()


def test_an_odd_image_later_on_is_skipped_and_counted(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import cv2

    for number, height in enumerate((96, 64, 96)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), draw_part(number, height=height, width=128))
    config = Config(source=FolderSource(path=tmp_path), inspection=Inspection(model=model))
    agent = Agent(config, Detector.load(model), SystemClock())
    agent.run()
    assert agent.counters.inspected == 2
    assert agent.counters.skipped == 1
    assert "part 1 is skipped" in caplog.text


def test_pictures_that_have_drifted_are_said_once(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import cv2

    for number in range(25):
        dark = (draw_part(number) * 0.3).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), cv2.GaussianBlur(dark, (0, 0), 5))
    config = Config(source=FolderSource(path=tmp_path), inspection=Inspection(model=model))
    agent = Agent(config, Detector.load(model), SystemClock())
    agent.run()
    assert agent.counters.inspected == 25
    assert caplog.text.count("light, focus or camera settings have changed") == 1


def test_a_source_that_fails_ends_it_with_its_sentence(model: Path, tmp_path: Path) -> None:
    config = Config(source=FolderSource(path=tmp_path), inspection=Inspection(model=model))
    with pytest.raises(SourceUnavailable, match="no images in"):
        Agent(config, Detector.load(model), SystemClock()).run()


def test_stopping_ends_it_in_the_middle(parts: Path, model: Path) -> None:
    source = GatedParts(1000)
    seen = threading.Event()
    agent = Agent(
        _config(parts, model),
        Detector.load(model),
        SystemClock(),
        on_record=lambda _: seen.set(),
        reader=FrameReader(lambda: source, SystemClock()),
    )
    thread = threading.Thread(target=agent.run)
    thread.start()
    source.gate.release(3)
    assert seen.wait(60)
    agent.stop()
    source.gate.release(1000)
    thread.join(60)
    assert not thread.is_alive()
    assert 1 <= agent.counters.inspected < 1000
