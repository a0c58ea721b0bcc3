"""Around the training loop: files of a run, the log of losses, crops made ahead, a wish to stop."""

from __future__ import annotations

import json
import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from calibration.training.crops import Batch

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """What a run has come to; raises ValueError if the folder holds none."""
    path = folder / CHECKPOINT
    if not path.exists():
        raise ValueError(f"{folder} holds no run: {path.name} is missing")
    return torch.load(path, map_location="cpu", weights_only=False)


class LossLog:
    """Appends the mean losses of every 50 steps to a file of JSON lines."""

    _EVERY = 50

    def __init__(self, path: Path, batch: int) -> None:
        self._path, self._batch = path, batch
        self._losses: list[dict[str, float]] = []
        self._since = time.monotonic()
        self._latest = math.nan

    def __enter__(self) -> LossLog:
        self._file = self._path.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, step: int, losses: dict[str, float]) -> float:
        """Take note of a step; returns the latest mean loss."""
        self._losses.append(losses)
        if step % self._EVERY == 0:
            count, now = len(self._losses), time.monotonic()
            means = {k: round(sum(x[k] for x in self._losses) / count, 4) for k in losses}
            speed = round(count * self._batch / (now - self._since), 1)
            entry = {"step": step, "crops": step * self._batch, **means, "crops_per_s": speed}
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
            self._losses, self._since, self._latest = [], now, means["loss"]
        return self._latest

    def note(self, step: int, entry: dict[str, Any]) -> None:
        """Write a line of its own."""
        line = {"step": step, "crops": step * self._batch, **entry}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


class Prefetch:
    """Makes the crops of the next steps in one thread (OpenCV releases the interpreter lock).

    Args:
        make: the crops of a step, by its number.
        steps: for which, in order.
    """

    def __init__(self, make: Callable[[int], Batch], steps: range) -> None:
        self._queue: queue.Queue[Batch | Exception] = queue.Queue(maxsize=3)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(make, steps), daemon=True)

    def _work(self, make: Callable[[int], Batch], steps: range) -> None:
        try:
            self._make(make, steps)
        except Exception as error:  # carried to whoever takes the next crops
            self._queue.put(error)

    def _make(self, make: Callable[[int], Batch], steps: range) -> None:
        for step in steps:
            made = make(step)
            while not self._stop.is_set():
                try:
                    self._queue.put(made, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set():
                return

    def __enter__(self) -> Prefetch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def next(self) -> Batch:
        """Wait for the crops of the next step."""
        made = self._queue.get()
        if isinstance(made, Exception):
            raise made
        return made


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C ask for a checkpoint and an orderly end."""
    asked = threading.Event()
    previous = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        previous[number] = signal.signal(number, lambda *_: asked.set())
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
