"""Real parts that tests talk to: brokers, firmware, data. Absent ones are skipped, or not.

With ``REQUIRE_REAL_PARTS=1`` in the environment, as in CI, a missing part is a failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

DATA = Path(os.environ.get("DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()


def require(command: str, why: str) -> str:
    """The full path of a program; skips or fails the test where it is absent."""
    found = shutil.which(command) or shutil.which(command, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        _missing(f"{command} is not installed: {why}")
    return found


def require_module(name: str, why: str) -> None:
    """Skips or fails the test where an optional Python module is absent."""
    from importlib.util import find_spec

    if find_spec(name) is None:
        _missing(f"the module {name} is not installed: {why}")


def _missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_REAL_PARTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def require_data(name: str) -> Path:
    """A folder of the inspection data, which nobody may ship: skipped where it is absent."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"the inspection images {name} are not at {folder}; set DATA to their folder")
    return folder
