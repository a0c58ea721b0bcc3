"""What commands share on the terminal: bars, arguments, JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Number = TypeVar("Number", int, float)


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


def number(
    kind: Callable[[str], Number], fits: Callable[[Number], bool], wanted: str
) -> Callable[[str], Number]:
    """What reads an argument that is a number, and answers all others with what is wanted.

    Args:
        kind: int or float.
        fits: whether a number will do.
        wanted: which ones do, for people.
    """

    def read(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not fits(value):
            raise argparse.ArgumentTypeError(f"{wanted}, not {text}")
        return value

    return read


positive_count = number(int, lambda count: count >= 1, "at least 1")
"""An argument that counts something."""

positive_number = number(float, lambda amount: 0 < amount < float("inf"), "more than 0")
"""An argument that is an amount of something."""


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
