"""What commands share on the terminal: bars, arguments, JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")


def progress_bar(items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
    """A tqdm bar on standard error; silent where that is no terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=label, total=total, leave=False, disable=None, unit="")


def print_json(figures: Any) -> None:
    """A dataclass or dictionary as indented JSON on standard output."""
    if dataclasses.is_dataclass(figures) and not isinstance(figures, type):
        figures = dataclasses.asdict(figures)
    print(json.dumps(figures, indent=2, ensure_ascii=False))


def add_json(parser: argparse.ArgumentParser) -> None:
    """The flag --json."""
    parser.add_argument("--json", action="store_true", help="figures as JSON on standard output")


def add_backend(parser: argparse.ArgumentParser) -> None:
    """The option --backend."""
    parser.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "numba", "tflite", "onnx", "reference"),
        help="what runs the network; all give the same result (default: auto)",
    )


def positive_count(text: str) -> int:
    """An argument that counts something, at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return value


def positive_number(text: str) -> float:
    """An argument that is an amount of something."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"more than 0, not {text}")
    return value


def log_to_stderr() -> None:
    """Log lines for people at a terminal and for the journal, which adds the time itself."""
    time = "%(asctime)s " if sys.stderr.isatty() else ""
    logging.basicConfig(format=f"{time}%(levelname)s %(message)s", level=logging.INFO)


def share(value: float | None) -> str:
    """A share as a percentage, for people."""
    return "-" if value is None else f"{value:.2%}"


def figure(value: float | None) -> str:
    """A figure 0 .. 1, for people."""
    return "-" if value is None else f"{value:.4f}"


def is_expected(error: Exception) -> bool:
    """Whether an exception is one whose message was written for the user."""
    from calibration.errors import CalibrationError
    from edge_agent.errors import AgentError
    from firmware_bridge import BridgeError
    from kernels.errors import KernelError

    return isinstance(error, AgentError | BridgeError | CalibrationError | KernelError | OSError)


def sentence_of(error: Exception) -> str:
    """What to tell the user of it."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
