"""The unit file as systemd's own checker reads it; needs no running systemd."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_parts import require

UNIT = Path(__file__).parents[2] / "systemd" / "edge-agent@.service"
pytestmark = pytest.mark.real


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    # The checker wants the program to exist; everything else stays as it ships.
    path = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/edge-agent/bin/edge-agent", sys.executable)
    path.write_text(text)
    return path


def test_systemd_understands_every_line(unit: Path) -> None:
    tool = require("systemd-analyze", "checks the unit file")
    instance = unit.with_name("edge-agent@cam1.service")
    unit.rename(instance)
    result = subprocess.run(
        [tool, "verify", "--man=no", str(instance)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in result.stderr.splitlines() if str(instance.name) in line]
    assert complaints == []


def test_the_unit_is_confined(unit: Path) -> None:
    tool = require("systemd-analyze", "checks the unit file")
    result = subprocess.run(
        [tool, "security", "--offline=true", "--threshold=30", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr


def test_numba_may_compile() -> None:
    settings = [line for line in UNIT.read_text().splitlines() if not line.startswith("#")]
    assert not any(line.startswith("MemoryDenyWriteExecute=yes") for line in settings)
    assert "Environment=NUMBA_CACHE_DIR=%C/edge-agent" in settings


def test_the_reject_gate_can_be_reached() -> None:
    settings = UNIT.read_text().splitlines()
    groups = next(line for line in settings if line.startswith("SupplementaryGroups="))
    assert "dialout" in groups
    for device in ("ttyACM", "ttyUSB", "gpiochip"):
        assert f"DeviceAllow=char-{device} rw" in settings
    assert "LimitRTPRIO=50" in settings
    assert not any(line.startswith("RestrictRealtime=yes") for line in settings)
