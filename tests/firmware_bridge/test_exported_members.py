"""The public surface: it grows on purpose, and drags in nothing that may be missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import firmware_bridge
from firmware_bridge import errors

REPOSITORY = Path(__file__).resolve().parents[2]


def test_all_names_are_there_and_sorted():
    assert firmware_bridge.__all__ == sorted(firmware_bridge.__all__)
    for name in firmware_bridge.__all__:
        assert hasattr(firmware_bridge, name)


def test_every_error_is_public_and_has_its_place_in_the_tree():
    tree = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert name in firmware_bridge.__all__
            assert name in tree
            assert issubclass(kind, errors.BridgeError)


def test_importing_it_needs_nothing_optional_and_nothing_of_ours():
    script = (
        "import sys; sys.modules['gpiod'] = None; import firmware_bridge;"
        "ours = {'edge_agent', 'calibration', 'kernels'} & set(sys.modules);"
        "sys.exit(str(ours) if ours else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_firmware_can_be_built_from_what_is_shipped():
    sources = Path(firmware_bridge.__file__).parent / "firmware"
    for name in ("Makefile", "main.c", "messages.h", "board_uno.h", "simavr/board.c"):
        assert (sources / name).is_file()
