"""What the teachers say of a picture, made comparable: the targets of distillation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calibration.training.channel_sums import ChannelSums
from calibration.training.teachers import TEACHERS, Teacher


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
        sums = [ChannelSums() for _ in range(3)]
        for batch in batches:
            for level, maps in enumerate(self.raw(batch)):
                sums[level].add(maps)
        for level, seen in enumerate(sums):
            mean, deviation = seen.mean, seen.variance.sqrt()
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
