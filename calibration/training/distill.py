"""The recipe ``distill``: a binary student learns to tell patches apart as its float teachers do.

Four losses at each of the strides 4, 8 and 16, on the bits that leave the student:

- *read-out*: a linear map from the bits predicts the teachers' maps, averaged over 3x3 positions
  and standardised per channel; mean squared error, 1.0 being the variance.
- *relation*: the agreement of the bits of two patches, -1 .. 1, follows the cosine of the teachers'
  standardised maps for these patches. A memory bank compares patches with one another and nothing
  else, so this is what matters in the end (relational distillation: Park et al., 2019).
- *nearness*: the same of the same place in a crop and in the next part. Pairs of a batch are mostly
  far apart; what a bank compares is nearly the same.
- *noticing*: of the next part, patches on which a defect is drawn are farther from all patches of
  this one than patches that are merely seen a little otherwise. Teachers of objects hardly see a
  hairline; this asks for more than they know.

The run is a function of its arguments: every crop is drawn from (seed, number), and a checkpoint
holds everything that a step depends on, so a run may be stopped at any moment and goes on from its
last checkpoint. What is exported is the moving average of the weights, not the last step's.

On a GPU, and on a processor that multiplies bfloat16, teachers, read-out and binary convolutions
run in half precision. The latter are exact, on a processor but for sums beyond 512.
"""

from __future__ import annotations

import copy
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from calibration.training.bookkeeping import (
    CHECKPOINT,
    LOG,
    LossLog,
    Prefetch,
    read_checkpoint,
    stop_requests,
)
from calibration.training.crops import ARCHIVES, Batch, Crops, Photographs
from calibration.training.development import DevelopmentSets
from calibration.training.losses import (
    ReadOut,
    nearness_loss,
    noticing_loss,
    read_out_loss,
    relation_loss,
)
from calibration.training.student import Shape, Student
from calibration.training.targets import Targets
from calibration.training.teachers import TEACHERS
from calibration.training.unfold import unfolded
from kernels import network_file
from kernels.host import FEATURES
from kernels.network import Network


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
        nearness_weight: of the nearness loss against it.
        noticing_weights: of the noticing losses at strides 4, 8 and 16 against it. If all these and
            the nearness weight are 0, no crop is seen twice.
        average_decay: of the moving average of the weights, per step.
        seed: of crops and initial weights.
        began_as: settings of the run whose student this one began as, or name and SHA-256 of a
            backbone; None if it began as none.
    """

    shape: Shape = field(default_factory=Shape)
    crops: int = 300_000
    crop_px: int = 160
    batch: int = 32
    learning_rate: float = 2e-3
    relation_weight: float = 2.0
    nearness_weight: float = 0.0
    noticing_weights: tuple[float, float, float] = (2.0, 2.0, 0.5)
    average_decay: float = 0.998
    seed: int = 0
    began_as: dict[str, Any] | None = None

    @property
    def again(self) -> int:
        """Crops of a step that are seen twice."""
        seen_twice = self.nearness_weight or any(self.noticing_weights)
        return self.batch // 2 if seen_twice else 0

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


def _as_input(batch: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (n, 3, h, w) -> floats 0 .. 255."""
    tensor = torch.from_numpy(batch).to(device).float()
    return tensor.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class _Earlier:
    """What a run begins as.

    Attributes:
        settings: that tell what it was.
        checkpoint: of a run; empty if it was a backbone.
        backbone: None if it was a run.
    """

    settings: dict[str, Any]
    checkpoint: dict[str, Any]
    backbone: Network | None

    @classmethod
    def read(cls, path: Path) -> _Earlier:
        if not path.is_file():
            checkpoint = read_checkpoint(path)
            return cls(checkpoint["settings"], checkpoint, None)
        backbone, origin = network_file.load_with_origin(path)
        return cls({"backbone": backbone.name, "sha256": origin["sha256"]}, {}, backbone)


_UNFOLDING_CROPS = 256

_STATES = ("student", "read_out", "average", "targets", "optimiser")


class Distillation:
    """One run in one folder: ``checkpoint.pt``, ``log.jsonl`` and, at the end, the student.

    Args:
        settings: of the run. A folder that holds a run with other settings is refused.
        photographs: folder with the natural images.
        teachers: folder with the teachers.
        folder: of the run; made if absent, resumed if it holds a checkpoint.
        begin_as: folder of a run whose average this one begins with, as far as both have blocks; or
            a ``.bnn`` file, if that run is lost.
        half_precision: whether to train in mixed precision; None for where it is faster.

    Raises:
        ValueError: if the folder belongs to a run with other settings, or there is nothing to begin
            as.
    """

    CHECKPOINT_EVERY_S = 300

    def __init__(
        self,
        settings: Settings,
        photographs: Path,
        teachers: Path,
        folder: Path,
        begin_as: Path | None = None,
        half_precision: bool | None = None,
    ) -> None:
        earlier = begin_as and _Earlier.read(begin_as)
        if earlier:
            settings = replace(settings, began_as=earlier.settings)
        self.settings, self.folder = settings, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        on_gpu = self.device.type == "cuda"
        if half_precision is None:
            half_precision = on_gpu or "avx512bf16" in FEATURES
        numbers = torch.float16 if on_gpu else torch.bfloat16
        self._half = numbers if half_precision else None
        # Gradients of a mean over many patches would vanish in float16, which has few exponents.
        scaled = self._half == torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        torch.manual_seed(settings.seed)
        self._crops = Crops(
            Photographs(photographs, folder / "cache"), settings.crop_px, settings.seed
        )
        self.targets = Targets.load(teachers).to(self.device)
        self.student = Student(settings.shape)
        # The targets at strides that no bits leave at are not looked at.
        self._levels = [level for level, bits in enumerate(settings.shape.bits) if bits]
        self.read_out = ReadOut(settings.shape.bits, self.targets.channels)
        self.step = 0
        self._checkpoint = folder / CHECKPOINT
        saved = read_checkpoint(folder) if self._checkpoint.exists() else None
        if saved and saved["settings"] != asdict(settings):
            raise ValueError(
                f"{folder} holds a run with other settings; use another folder: {saved['settings']}"
            )
        if saved is None and earlier:
            self._begin_as(earlier)
        elif saved is None:
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
        self._measure_targets()
        (first,) = self._other_crops(self.settings.batch)
        self.student.stem.standardise(first)

    def _measure_targets(self) -> None:
        crops = self._other_crops(self.targets.STATISTICS_CROPS)
        self.targets.measure(batch.to(self.device) for batch in crops)

    def _other_crops(self, count: int) -> Iterator[Tensor]:
        """In batches, for statistics: beyond those of the last step."""
        batch, offset = self.settings.batch, self.settings.steps
        for step in range(offset, offset + count // batch):
            yield _as_input(self._crops.batch(step, batch).crops, torch.device("cpu"))

    def _begin_as(self, earlier: _Earlier) -> None:
        if earlier.backbone:
            self._measure_targets()
            pictures = self._other_crops(_UNFOLDING_CROPS)
            self.student.begin_as(unfolded(earlier.backbone, pictures))
            return
        student = Student(Shape(**earlier.settings["shape"]))
        student.load_state_dict(earlier.checkpoint["average"])
        self.student.begin_as(student)
        self.targets.load_state_dict(earlier.checkpoint["targets"])
        read_out = ReadOut(student.shape.bits, self.targets.channels)
        read_out.load_state_dict(earlier.checkpoint["read_out"])
        self.read_out.begin_as(read_out)

    def _restore(self, saved: dict[str, Any]) -> None:
        for name in _STATES:
            getattr(self, name).load_state_dict(saved[name])
        if saved.get("scaler"):  # older runs, and those in full precision, scale nothing
            self.scaler.load_state_dict(saved["scaler"])
        self.step = saved["step"]

    def save(self) -> None:
        """Write the checkpoint; a crash in the middle leaves the previous one."""
        state = {name: getattr(self, name).state_dict() for name in _STATES}
        state |= {"scaler": self.scaler.state_dict()}
        state |= {"settings": asdict(self.settings), "step": self.step}
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)

    def run(
        self, development: DevelopmentSets | None = None, compile_with: str | None = None
    ) -> bool:
        """Train to the end or until asked to stop.

        Args:
            development: sets that the average is evaluated on every so often; the log tells.
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
        made = partial(self._crops.batch, count=settings.batch, again=settings.again)
        with (
            stop_requests() as stop,
            LossLog(self.folder / LOG, settings.batch) as log,
            Prefetch(made, range(self.step, settings.steps)) as prefetch,
            tqdm(total=settings.steps, initial=self.step, unit="step", smoothing=0.02) as bar,
        ):
            saved_at = time.monotonic()
            while self.step < settings.steps and not stop.is_set():
                losses = self._train_step(student, targets, prefetch.next())
                bar.update()
                bar.set_postfix(loss=f"{log.add(self.step, losses):.3f}", refresh=False)
                if time.monotonic() - saved_at > self.CHECKPOINT_EVERY_S:
                    self.save()
                    saved_at = time.monotonic()
                if development and development.due(self.step * settings.batch, settings.batch):
                    self.save()  # it takes minutes, in which nobody waits for an orderly end
                    told = development.tell(self.network("student"))
                    log.note(self.step, told)
                    bar.write(f"step {self.step}: {told}")
        self.save()
        return self.step >= settings.steps

    def network(self, name: str) -> Network:
        """The averaged student in integers."""
        return copy.deepcopy(self.average).cpu().eval().export(name)

    def export(self, path: Path) -> None:
        """Write the averaged student as a ``.bnn`` file, and the log beside it."""
        network = self.network(path.stem)
        origin = {
            "recipe": "distill",
            "settings": asdict(self.settings),
            "teachers": [spec.file for spec in TEACHERS],
            "photographs": list(ARCHIVES),
            "step": self.step,
        }
        network_file.save(path, network, origin)
        shutil.copyfile(self.folder / LOG, path.with_suffix(f".{LOG}"))

    def _train_step(self, student: nn.Module, targets: nn.Module, batch: Batch) -> dict[str, float]:
        settings = self.settings
        crops, again = (_as_input(part, self.device) for part in (batch.crops, batch.again))
        drawn = torch.from_numpy(batch.drawn).to(self.device).float()
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate_at(self.step)
        with torch.autocast(self.device.type, self._half, enabled=self._half is not None):
            with torch.no_grad():
                both = torch.cat((crops, again))
                said = targets(both if settings.nearness_weight else crops)
            views = [code.split((len(crops), len(again))) for code in student(both)]
            predicted = [maps.float() for maps in self.read_out([code for code, _ in views])]
        wanted = [said[level].float().split(len(crops)) for level in self._levels]
        rng = np.random.default_rng([settings.seed, self.step])
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(1 << 62)))
        total = torch.zeros((), device=self.device)
        losses: dict[str, float] = {}
        strides = [Student.STRIDES[level] for level in self._levels]
        for place, (level, stride) in enumerate(zip(self._levels, strides, strict=True)):
            channels, (code, second) = self.targets.channels[level], views[place]
            target, *target_again = wanted[place]
            parts = {"read": read_out_loss(predicted[place], target, channels)}
            positions = code.shape[-1] * code.shape[-2]
            picked = torch.from_numpy(rng.integers(0, positions, (settings.batch, 24)))
            parts["relation"] = relation_loss(code, target, channels, picked.to(self.device))
            total = total + parts["read"] + settings.relation_weight * parts["relation"]
            if weight := settings.nearness_weight:
                first = slice(len(again))
                parts["nearness"] = nearness_loss(
                    code[first], second, target[first], target_again[0], channels
                )
                total = total + weight * parts["nearness"]
            if weight := settings.noticing_weights[level]:
                parts["noticing"] = noticing_loss(code[: len(again)], second, drawn, generator)
                total = total + weight * parts["noticing"]
            losses |= {f"{name}{stride}": float(loss.detach()) for name, loss in parts.items()}
        total = total / len(strides)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        self._update_average()
        return {"loss": float(total.detach())} | losses

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
