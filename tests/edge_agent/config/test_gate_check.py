"""A reject gate that cannot work is refused when the file is read, by values and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import load_config
from edge_agent.config.gate_check import reject_configuration
from edge_agent.config.tables import GpioReject, McuReject, NoReject
from edge_agent.errors import ConfigError
from firmware_bridge import Edge, EncoderKind, LatePolicy, SafeAction

CAMERA = 'type = "camera"\ndevice = "/dev/v4l/by-id/x"'
SIMULATOR = 'type = "simulator"'
MCU = 'type = "mcu"\nport = "/dev/serial/by-id/x"\ndelay_ms = 400\nclear_at_start = true'
GPIO = (
    'type = "gpio"\nchip = "/dev/gpiochip0"\ntrigger_line = 17\ngate_line = 27\n'
    "delay_ms = 400\nclear_at_start = true"
)
VIRTUAL = MCU.replace("/dev/serial/by-id/x", "virtual")


def _load(folder: Path, source: str, trigger: str, reject: str, more: str = "") -> object:
    path = folder / "station.toml"
    path.write_text(
        f'[source]\n{source}\n[trigger]\ntype = "{trigger}"\n[reject]\n{reject}\n'
        f'[inspection]\nmodel = "a.model"\n{more}'
    )
    return load_config(path)


def test_every_key_reaches_the_gate(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        CAMERA,
        "mcu",
        'type = "mcu"\nport = "/dev/ttyACM0"\ndistance_counts = 5000\nencoder = "quadrature"\n'
        'maximum_counts_per_s = 9000\nlate_policy = "stop"\nsafe_action = "pass-all"\n'
        'trigger_edge = "falling"\nreject_limit = 7\nheartbeat_ms = 300\nlead_ms = 12.5\n',
        '[mqtt]\nhost = "h"\nprefix = "p"\n',
    )
    configuration = reject_configuration(config.reject)  # type: ignore[attr-defined]
    assert configuration.distance_counts == 5000
    assert configuration.encoder is EncoderKind.QUADRATURE
    assert configuration.late_policy is LatePolicy.STOP
    assert configuration.safe_action is SafeAction.PASS_ALL
    assert configuration.trigger_edge is Edge.FALLING
    assert (configuration.reject_limit, configuration.heartbeat_ms) == (7, 300)
    assert configuration.lead_ms == 12.5
    configuration.check()


def test_defaults_are_those_of_the_gate() -> None:
    assert reject_configuration(
        McuReject(port="x", delay_ms=400, clear_at_start=True)
    ) == type(reject_configuration(McuReject(port="x")))(delay_ms=400)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "trigger", "reject", "kind"),
    [
        (CAMERA, "mcu", MCU, McuReject),
        (SIMULATOR, "mcu", VIRTUAL, McuReject),
        (SIMULATOR, "mcu", MCU, McuReject),
        (CAMERA, "gpio", GPIO, GpioReject),
        (CAMERA, "free-run", 'type = "none"', NoReject),
    ],
)
def test_what_fits_together(
    tmp_path: Path, source: str, trigger: str, reject: str, kind: type
) -> None:
    config = _load(tmp_path, source, trigger, reject)
    assert isinstance(config.reject, kind)  # type: ignore[attr-defined]


FOLDER = 'type = "folder"\npath = "a"'


@pytest.mark.parametrize(
    ("source", "trigger", "reject", "sentence"),
    [
        (CAMERA, "mcu", 'type = "none"', r'type = "mcu" needs \[reject\] type = "mcu"'),
        (CAMERA, "free-run", MCU, r'needs \[trigger\] type = "mcu", not "free-run"'),
        (CAMERA, "gpio", MCU, r'needs \[trigger\] type = "mcu", not "gpio"'),
        (FOLDER, "mcu", MCU, 'type = "folder" cannot feed a reject gate'),
        (SIMULATOR + "\npaced = false", "mcu", VIRTUAL, "paced = false"),
        (CAMERA, "mcu", VIRTUAL, 'port = "virtual" needs'),
        (CAMERA, "mcu", MCU.replace("true", "false"), "nobody could end the safe state"),
        (CAMERA, "mcu", MCU + "\nlate_policy = 'rejct'", "did you mean reject?"),
        (CAMERA, "mcu", MCU + "\npuls_ms = 3", "did you mean pulse_ms?"),
        (CAMERA, "mcu", 'type = "mcu"\ndelay_ms = 400', "needs a key port: Serial port"),
        (
            CAMERA, "mcu", MCU + "\npulse_ms = 40\npart_spacing_ms = 33\n",
            "pulse_ms = 40 is longer than the gap of 33 ms",
        ),
        (
            CAMERA, "mcu", MCU.replace("400", "120"),
            r"delay_ms = 120.* leaves 113 ms.* may take 100 ms",
        ),
        (
            CAMERA, "mcu",
            MCU.replace("delay_ms = 400", "distance_counts = 900\nencoder = 'single'")
            + "\nmaximum_counts_per_s = 10000",
            "distance_counts = 900 at 10000 counts/s, 90 ms",
        ),
        (CAMERA, "mcu", MCU + "\nheartbeat_ms = 1", "heartbeat_ms = 1 is outside"),
        (CAMERA, "mcu", MCU + "\ndistance_counts = 5", "delay_ms"),
        (CAMERA, "mcu", MCU + "\nworst_case_verdict_ms = 50", "frame_window_ms = 50"),
        (CAMERA, "mcu", MCU + "\npart_spacing_ms = 30", "frame_window_ms = 50 is longer than"),
        (CAMERA, "gpio", GPIO.replace("delay_ms", "distance_counts"), "no key"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(
    tmp_path: Path, source: str, trigger: str, reject: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        _load(tmp_path, source, trigger, reject)
    assert "station.toml" in str(caught.value)


def test_half_a_cut_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="belong together"):
        _load(tmp_path, CAMERA, 'mcu"\ncrop_width_px = 9\n#"', MCU)
