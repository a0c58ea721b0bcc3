"""The recipe ``distill``: a binary student learns to tell patches apart as its float teachers do.

Two losses at each of the strides 4, 8 and 16, on the bits that leave the student:

- *read-out*: a linear map from the bits predicts the teachers' maps, averaged over 3x3 positions
  and standardised per channel; mean squared error, 1.0 being the variance.
- *relation*: the agreement of the bits of two patches, -1 .. 1, follows the cosine of the teachers'
  standardised maps for these patches. A memory bank compares patches with one another and nothing
  else, so this is what matters in the end (relational distillation: Park et al., 2019).

The run is a function of its arguments: every crop is drawn from (seed, number), and a checkpoint
holds everything that a step depends on, so a run may be stopped at any moment and goes on from its
last checkpoint. What is exported is the moving average of the weights, not the last step's.
"""

from __future__ import annotations

import json
import math
import queue
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from calibration.training.crops import ARCHIVES, Crops, Photographs
from calibration.training.student import Shape, Student
from calibration.training.teachers import TEACHERS, Teacher
from kernels import network_file


@dataclass(frozen=True)
class Settings:
    """What defines a run; two runs with equal settings give the same backbone.

    Attributes:
        shape: of the student.
        crops: how many training crops in all.
        crop_px: side of a crop.
        batch: crops per step.
        learning_rate: Adam's, at its highest; it warms up over 2 % and follows a cosine to zero.
        relation_weight: of the relation loss against the read-out loss.
        average_decay: of the moving average of the weights, per step.
        seed: of crops and initial weights.
    """

    shape: Shape = field(default_factory=Shape)
    crops: int = 300_000
    crop_px: int = 160
    batch: int = 32
    learning_rate: float = 2e-3
    relation_weight: float = 4.0
    average_decay: float = 0.998
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.crops // self.batch

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        warm_up = max(1, self.steps // 50)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        progress = (step - warm_up) / max(1, self.steps - warm_up)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Targets(nn.Module):
    """What the teachers say of a batch, per stride: averaged over 3x3 and standardised."""

    STATISTICS_CROPS = 512

    def __init__(self, teachers: list[Teacher], shape_of_maps: list[list[int]]) -> None:
        super().__init__()
        self.teachers = nn.ModuleList(teachers)
        self.channels = shape_of_maps
        for level, channels in enumerate(shape_of_maps):
            total = sum(channels)
            self.register_buffer(f"mean{level}", torch.zeros(1, total, 1, 1))
            self.register_buffer(f"scale{level}", torch.ones(1, total, 1, 1))

    @classmethod
    def load(cls, folder: Path) -> Targets:
        """With the teachers of a folder."""
        teachers = [spec.load(folder) for spec in TEACHERS]
        probe = torch.zeros(1, 3, 32, 32)
        maps = [list(teacher(probe).values()) for teacher in teachers]
        return cls(teachers, [[m[level].shape[1] for m in maps] for level in range(3)])

    @torch.no_grad()
    def raw(self, image: Tensor) -> list[Tensor]:
        """Averaged over 3x3, not yet standardised."""
        taken = [list(teacher(image).values()) for teacher in self.teachers]
        return [
            F.avg_pool2d(
                torch.cat([maps[level] for maps in taken], 1), 3, 1, 1, count_include_pad=False
            )
            for level in range(3)
        ]

    @torch.no_grad()
    def measure(self, batches: Iterator[Tensor]) -> None:
        """Learn each channel's mean and deviation."""
        sums: list[list[Any]] = [[0.0, 0.0, 0] for _ in range(3)]
        for batch in batches:
            for level, maps in enumerate(self.raw(batch)):
                flat = maps.double().transpose(0, 1).flatten(1)
                sums[level][0] += flat.sum(1)
                sums[level][1] += flat.square().sum(1)
                sums[level][2] += flat.shape[1]
        for level, (total, squares, count) in enumerate(sums):
            mean = total / count
            deviation = (squares / count - mean**2).clamp(min=0).sqrt()
            # A channel that hardly moves must not be blown up to unit deviation.
            start = 0
            for channels in self.channels[level]:
                part = deviation[start : start + channels]
                part.clamp_(min=0.25 * float(part.mean()))
                start += channels
            getattr(self, f"mean{level}").copy_(mean.float()[None, :, None, None])
            getattr(self, f"scale{level}").copy_((1 / deviation).float()[None, :, None, None])

    def forward(self, image: Tensor) -> list[Tensor]:
        """image (n, 3, h, w) 0 .. 255 -> per stride (n, channels of all teachers, h/s, w/s)."""
        return [
            (maps - getattr(self, f"mean{level}")) * getattr(self, f"scale{level}")
            for level, maps in enumerate(self.raw(image))
        ]


class ReadOut(nn.Module):
    """Linear predictions of the teachers' maps from bits; used in training only."""

    def __init__(self, bits: tuple[int, ...], channels: list[list[int]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(count, sum(parts), 1) for count, parts in zip(bits, channels, strict=True)
        )

    def forward(self, codes: list[Tensor]) -> list[Tensor]:
        """Bits per stride -> predicted maps per stride."""
        return [layer(code) for layer, code in zip(self.layers, codes, strict=True)]


def read_out_loss(predicted: Tensor, target: Tensor, channels: list[int]) -> Tensor:
    """Mean squared error, each teacher weighing the same however many channels it has."""
    parts = zip(predicted.split(channels, 1), target.split(channels, 1), strict=True)
    return torch.stack([F.mse_loss(one, other) for one, other in parts]).mean()


def relation_loss(code: Tensor, target: Tensor, channels: list[int], patches: Tensor) -> Tensor:
    """Squared difference between agreement of bits and cosine of targets, over pairs of patches.

    Pairs within a picture weigh as much as pairs across pictures, which are far more, and pairs
    that the teachers find alike weigh more: nearest neighbours are among them.

    Args:
        code: (n, bits, h, w), -1 or +1.
        target: (n, c, h, w).
        channels: of each teacher.
        patches: int64 (n, k), positions in 0 .. h*w-1 to take from each picture.
    """
    bits = _taken(code, patches) / code.shape[1] ** 0.5
    features = [F.normalize(_taken(part, patches), dim=2) for part in target.split(channels, 1)]
    within = _relation(bits, features)
    few = max(1, patches.shape[1] // 4)
    across = _relation(
        bits[:, :few].flatten(0, 1)[None], [f[:, :few].flatten(0, 1)[None] for f in features]
    )
    return (within + across) / 2


def _taken(maps: Tensor, patches: Tensor) -> Tensor:
    """(n, c, h, w) at positions (n, k) -> (n, k, c)."""
    index = patches[:, None, :].expand(-1, maps.shape[1], -1)
    return torch.gather(maps.flatten(2), 2, index).transpose(1, 2)


def _relation(bits: Tensor, features: list[Tensor]) -> Tensor:
    agreement = bits @ bits.transpose(1, 2)
    cosine = torch.stack([f @ f.transpose(1, 2) for f in features]).mean(0)
    weight = 1 + 4 * cosine.clamp(min=0)
    weight = weight * (1 - torch.eye(bits.shape[1], device=bits.device))
    return (weight * (agreement - cosine).square()).sum() / weight.sum()


class _Prefetch:
    """Makes the crops of the next steps in one thread (OpenCV releases the interpreter lock)."""

    def __init__(self, crops: Crops, first_step: int, last_step: int, batch: int) -> None:
        self._queue: queue.Queue[np.ndarray] = queue.Queue(maxsize=3)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(crops, first_step, last_step, batch), daemon=True
        )

    def _work(self, crops: Crops, first: int, last: int, batch: int) -> None:
        for step in range(first, last):
            made = crops.batch(step, batch)
            while not self._stop.is_set():
                try:
                    self._queue.put(made, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set():
                return

    def __enter__(self) -> _Prefetch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def next(self) -> np.ndarray:
        return self._queue.get()


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
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


def _as_input(batch: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (n, 3, h, w) -> floats 0 .. 255."""
    tensor = torch.from_numpy(batch).to(device).float()
    return tensor.contiguous(memory_format=torch.channels_last)


class Distillation:
    """One run in one folder: ``checkpoint.pt``, ``log.jsonl`` and, at the end, the student.

    Args:
        settings: of the run. A folder that holds a run with other settings is refused.
        photographs: folder with the natural images.
        teachers: folder with the teachers.
        folder: of the run; made if absent, resumed if it holds a checkpoint.

    Raises:
        ValueError: if the folder belongs to a run with other settings.
    """

    CHECKPOINT_EVERY_S = 300

    def __init__(self, settings: Settings, photographs: Path, teachers: Path, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(settings.seed)
        self._crops = Crops(
            Photographs(photographs, folder / "cache"), settings.crop_px, settings.seed
        )
        self.targets = Targets.load(teachers).to(self.device)
        self.student = Student(settings.shape)
        self.read_out = ReadOut(settings.shape.bits, self.targets.channels)
        self.step = 0
        self._checkpoint = folder / "checkpoint.pt"
        saved = (
            torch.load(self._checkpoint, weights_only=False) if self._checkpoint.exists() else None
        )
        if saved and saved["settings"] != asdict(settings):
            raise ValueError(
                f"{folder} holds a run with other settings; use another folder: {saved['settings']}"
            )
        if saved is None:
            self._begin()
        self.student.to(self.device, memory_format=torch.channels_last)
        self.read_out.to(self.device, memory_format=torch.channels_last)
        self.average = Student(settings.shape).to(self.device, memory_format=torch.channels_last)
        self.average.load_state_dict(self.student.state_dict())
        parameters = [*self.student.parameters(), *self.read_out.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate)
        if saved:
            self._restore(saved)

    def _begin(self) -> None:
        # Statistics use crops beyond those of the last step.
        batch, offset = self.settings.batch, self.settings.steps
        steps = range(offset, offset + self.targets.STATISTICS_CROPS // batch)
        made = (self._crops.batch(step, batch)[0] for step in steps)
        self.targets.measure(_as_input(crops, self.device) for crops in made)
        first = _as_input(self._crops.batch(offset, batch)[1], torch.device("cpu"))
        self.student.stem.standardise(first)

    def _restore(self, saved: dict[str, Any]) -> None:
        for name in ("student", "read_out", "average", "targets", "optimiser"):
            getattr(self, name).load_state_dict(saved[name])
        self.step = saved["step"]

    def save(self) -> None:
        """Write the checkpoint; a crash in the middle leaves the previous one."""
        state = {
            name: getattr(self, name).state_dict()
            for name in ("student", "read_out", "average", "targets", "optimiser")
        }
        state |= {"settings": asdict(self.settings), "step": self.step}
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)

    def run(self, compile_with: str | None = None) -> bool:
        """Train to the end or until asked to stop.

        Args:
            compile_with: a ``torch.compile`` backend, e.g. "inductor" (1.6 times as fast on a CPU;
                needs a C++ compiler); default: inductor where g++ is found.

        Returns:
            Whether the last step was reached.
        """
        settings = self.settings
        if compile_with is None and shutil.which("g++"):
            compile_with = "inductor"
        student, targets = self.student, self.targets
        if compile_with:
            student = torch.compile(student, backend=compile_with)
            targets = torch.compile(targets, backend=compile_with)
        self.student.train()
        sums: dict[str, float] = {}
        since = time.monotonic()
        with (
            _stop_requests() as stop,
            (self.folder / "log.jsonl").open("a") as log,
            _Prefetch(self._crops, self.step, settings.steps, settings.batch) as prefetch,
            tqdm(total=settings.steps, initial=self.step, unit="step", smoothing=0.02) as bar,
        ):
            saved_at = time.monotonic()
            while self.step < settings.steps and not stop.is_set():
                losses = self._train_step(student, targets, prefetch.next())
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value
                bar.update()
                if self.step % 50 == 0:
                    now = time.monotonic()
                    means = {name: round(value / 50, 4) for name, value in sums.items()}
                    entry = {"step": self.step, "crops": self.step * settings.batch, **means}
                    entry["crops_per_s"] = round(50 * settings.batch / (now - since), 1)
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    bar.set_postfix(loss=means["loss"])
                    sums, since = {}, now
                if time.monotonic() - saved_at > self.CHECKPOINT_EVERY_S:
                    self.save()
                    saved_at = time.monotonic()
        self.save()
        return self.step >= settings.steps

    def export(self, path: Path) -> None:
        """Write the averaged student as a ``.bnn`` file, and the log beside it."""
        network = self.average.cpu().eval().export(path.stem)
        origin = {
            "recipe": "distill",
            "settings": asdict(self.settings),
            "teachers": [spec.file for spec in TEACHERS],
            "photographs": list(ARCHIVES),
            "step": self.step,
        }
        network_file.save(path, network, origin)
        shutil.copyfile(self.folder / "log.jsonl", path.with_suffix(".log.jsonl"))

    def _train_step(
        self, student: nn.Module, targets: nn.Module, batch: np.ndarray
    ) -> dict[str, float]:
        settings = self.settings
        original, relit = (_as_input(crops, self.device) for crops in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate_at(self.step)
        with torch.no_grad():
            wanted = targets(original)
        codes = student(relit)
        predicted = self.read_out(codes)
        rng = np.random.default_rng([settings.seed, self.step])
        losses: dict[str, Tensor] = {}
        for level, stride in enumerate(Student.STRIDES):
            channels = self.targets.channels[level]
            losses[f"read{stride}"] = read_out_loss(predicted[level], wanted[level], channels)
            positions = codes[level].shape[-1] * codes[level].shape[-2]
            picked = torch.from_numpy(rng.integers(0, positions, (settings.batch, 64))).to(
                self.device
            )
            losses[f"relation{stride}"] = relation_loss(
                codes[level], wanted[level], channels, picked
            )
        reading = sum(losses[f"read{s}"] for s in Student.STRIDES)
        relating = sum(losses[f"relation{s}"] for s in Student.STRIDES)
        total = (reading + settings.relation_weight * relating) / len(Student.STRIDES)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return {"loss": float(total.detach())} | {k: float(v.detach()) for k, v in losses.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, so that the average does not start from noise.
        decay = min(self.settings.average_decay, self.step / (self.step + 10))
        current = self.student.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])
