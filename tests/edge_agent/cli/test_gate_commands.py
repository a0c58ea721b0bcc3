"""check, run and reject-test with a gate: what they say when it is there, and when it is not."""

from __future__ import annotations

import json
import os
import pty
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibration.calibrate import Settings, calibrate
from calibration.model_file import save
from calibration.normal import NormalSettings
from calibration.setups import Wishes
from edge_agent.cli.main import main
from firmware_bridge import Output, SerialTransport, VirtualBoard, VirtualPty
from firmware_bridge.wire import messages
from kernels.backends import choose
from tests.good_parts import write_good
from tests.random_networks import tiny_network


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


class Shop:
    """A configuration whose gate is at some port, and the commands on it."""

    def __init__(self, folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._model, self._capsys = folder / "station.toml", model, capsys
        self.outputs: list[Output] = []
        self.board = VirtualBoard(on_output=self.outputs.append)

    def configure(self, port: str, more: str = "delay_ms = 400") -> None:
        self._path.write_text(
            '[source]\ntype = "simulator"\n[trigger]\ntype = "mcu"\n'
            f'[inspection]\nmodel = "{self._model}"\n'
            f'[reject]\ntype = "mcu"\nport = "{port}"\nclear_at_start = true\n{more}\n'
        )

    def run(self, command: str, *more: str, status: int) -> tuple[str, str]:
        assert main([command, "--config", str(self._path), *more]) == status
        said = self._capsys.readouterr()
        return said.out, said.err

    def refusal(self, command: str, status: int = 2) -> str:
        """The one sentence with which a command refuses."""
        out, err = self.run(command, status=status)
        lines = [line for line in (out + err).splitlines() if not line.startswith("ok ")]
        (sentence,) = lines
        return sentence


@pytest.fixture
def shop(
    tmp_path: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    # The commands run in this process, whose own signal handlers are to stay.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return Shop(tmp_path, model, capsys)


@pytest.fixture
def port(shop: Shop) -> Iterator[str]:
    with VirtualPty(shop.board) as terminal:
        shop.configure(terminal.path)
        yield terminal.path


def test_check_shows_the_handshake(shop: Shop, port: str) -> None:
    out, _ = shop.run("check", "--json", status=0)
    sentences = {c["what"]: c["sentence"] for c in json.loads(out)["checks"]}
    for word in ("virtual MCU", "firmware 1.0.0", "build ", "protocol 1", "configuration ", " us;"):
        assert word in sentences["gate"]
    assert "before it was 00000000" in sentences["gate"]
    out, _ = shop.run("check", status=0)
    assert "as it was before" in out
    assert "safe state: new-configuration" in out


def test_reject_test_fires_once_and_only_on_purpose(shop: Shop, port: str) -> None:
    assert "add --clear" in shop.refusal("reject-test", status=1)
    assert not [o for o in shop.outputs if o.name == "gate"]
    out, _ = shop.run("reject-test", "--clear", "--pulse-ms", "30", "--json", status=0)
    figures = json.loads(out)
    assert (figures["fired"], figures["pulse_ms"], figures["cleared"]) == (
        True,
        30,
        "new-configuration",
    )
    on, off = [o for o in shop.outputs if o.name == "gate"]
    assert (on.level, off.level) == (True, False)
    assert off.at_ns - on.at_ns == pytest.approx(30e6, abs=1e3)
    out, _ = shop.run("reject-test", "--clear", status=0)
    assert "one pulse of 20 ms" in out
    assert len([o for o in shop.outputs if o.name == "gate"]) == 4
    _, err = shop.run("reject-test", "--clear", "--pulse-ms", "900", status=1)
    assert "900 ms is outside 1 .. 500 ms" in err


def test_reject_test_without_a_gate(shop: Shop, tmp_path: Path) -> None:
    shop._path.write_text('[source]\ntype = "simulator"\n[inspection]\nmodel = "a.model"\n')
    assert "names no reject gate" in shop.refusal("reject-test")


@pytest.mark.parametrize("command", ["check", "run", "reject-test"])
def test_a_wrong_port(shop: Shop, command: str) -> None:
    shop.configure("/dev/ttyGATE")
    assert "There is no /dev/ttyGATE. Ports that are there:" in shop.refusal(command)


@pytest.mark.parametrize("command", ["check", "run", "reject-test"])
def test_a_port_in_use(shop: Shop, port: str, command: str) -> None:
    holder = SerialTransport(port)
    holder.open()
    try:
        assert f"{port} is in use by another process" in shop.refusal(command)
    finally:
        holder.close()


@pytest.mark.parametrize("command", ["check", "run"])
def test_another_protocol_version(
    shop: Shop, port: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as other:
        other.setattr(messages, "PROTOCOL_VERSION", 9)
        sentence = shop.refusal(command)
    assert "speaks protocol version 9; this software speaks version 1" in sentence
    assert "flash" in sentence.lower()


def test_a_device_that_is_not_our_firmware(shop: Shop) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def chatter() -> None:
        while not over.wait(0.02):
            os.write(master, b"$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03\r\n")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        shop.configure(os.ttyname(slave))
        assert "is not our firmware" in shop.refusal("check")
    finally:
        over.set()
        thread.join()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("command", ["check", "run", "reject-test"])
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            "delay_ms = 400\npulse_ms = 40\npart_spacing_ms = 33",
            "pulse_ms = 40 is longer than the gap of 33 ms between two parts",
        ),
        ("delay_ms = 120", "delay_ms = 120, less 0 ms lead, 5 ms gap and 2 ms to commit"),
    ],
)
def test_a_configuration_that_cannot_work(
    shop: Shop, port: str, command: str, values: str, sentence: str
) -> None:
    shop.configure(port, values)
    assert sentence in shop.refusal(command)
    assert [o.name for o in shop.outputs] == ["fault"]  # as at its start: never spoken to


def test_gpio_lines_that_are_not_there(shop: Shop, model: Path) -> None:
    pytest.importorskip("gpiod")
    shop._path.write_text(
        '[source]\ntype = "simulator"\n[trigger]\ntype = "gpio"\n'
        f'[inspection]\nmodel = "{model}"\n[reject]\ntype = "gpio"\nchip = "/dev/gpiochip99"\n'
        "trigger_line = 17\ngate_line = 27\ndelay_ms = 400\nclear_at_start = true\n"
    )
    assert "/dev/gpiochip99 (trigger 17, gate 27" in shop.refusal("check")


def test_run_with_the_virtual_microcontroller(shop: Shop, model: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    shop._path.write_text(
        '[source]\ntype = "simulator"\nparts = 6\nbelt_speed_px_per_s = 960.0\n'
        '[trigger]\ntype = "mcu"\ncrop_width_px = 128\ncrop_height_px = 96\n'
        f'[inspection]\nmodel = "{model}"\n[archive]\nresults = "{results}"\n'
        '[reject]\ntype = "mcu"\nport = "virtual"\ndelay_ms = 500\nclear_at_start = true\n'
        "worst_case_verdict_ms = 400\n"
    )
    _, err = shop.run("run", status=0)
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert sorted(line["part"] for line in lines) == [1, 2, 3, 4, 5, 6]
    endings = [line["outcome"] for line in lines]
    passed, rejected = endings.count("passed"), endings.count("rejected")
    # A model of other parts calls these what it likes; what it says is what is done.
    assert passed + rejected == 6
    for line in lines:
        assert (line["outcome"] == "rejected") == (line["verdict"] == "NG") == line["gate"]["fired"]
    assert f"6 parts at the photo-eye: {passed} passed, {rejected} rejected, 0 late" in err
    assert "kicked off the simulated belt: " in err


def test_collecting_past_a_gate(shop: Shop, model: Path, tmp_path: Path) -> None:
    shop._path.write_text(
        '[source]\ntype = "simulator"\nparts = 4\nbelt_speed_px_per_s = 960.0\n'
        '[trigger]\ntype = "mcu"\ncrop_width_px = 128\ncrop_height_px = 96\n'
        f'[inspection]\nmodel = "{model}"\n'
        '[reject]\ntype = "mcu"\nport = "virtual"\ndelay_ms = 500\nclear_at_start = true\n'
    )
    out, _ = shop.run("collect", "-o", str(tmp_path / "good"), "--count", "3", status=0)
    assert "3 parts in" in out
    names = sorted(path.name for path in (tmp_path / "good").iterdir())
    assert names == ["part00001.png", "part00002.png", "part00003.png"]
