"""The losses: reading the teachers' maps from bits, keeping relations near and far, noticing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TOUCHED = 0.08  # of a patch's pixels: a hairline through a patch of 8 x 8 touches an eighth
_PATCHES = 24


class ReadOut(nn.Module):
    """Linear predictions of the teachers' maps from bits; used in training only.

    Args:
        bits: that leave the student, by level; 0 for none.
        channels: of the teachers, by level.
    """

    def __init__(self, bits: Sequence[int], channels: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {
                str(level): nn.Conv2d(count, sum(channels[level]), 1)
                for level, count in enumerate(bits)
                if count
            }
        )

    def forward(self, codes: list[Tensor]) -> list[Tensor]:
        """Bits, of each level that any leave at -> predicted maps."""
        return [layer(code) for layer, code in zip(self.layers.values(), codes, strict=True)]

    def begin_as(self, other: ReadOut) -> None:
        """Begin with what another has learnt, at the levels that both have."""
        for level, layer in self.layers.items():
            if level in other.layers:
                layer.load_state_dict(other.layers[level].state_dict())


def read_out_loss(predicted: Tensor, target: Tensor, channels: list[int]) -> Tensor:
    """Mean squared error, each teacher weighing the same however many channels it has."""
    parts = zip(predicted.split(channels, 1), target.split(channels, 1), strict=True)
    return torch.stack([F.mse_loss(one, other) for one, other in parts]).mean()


def relation_loss(code: Tensor, target: Tensor, channels: list[int], patches: Tensor) -> Tensor:
    """Squared difference between agreement of bits and cosine of targets, over pairs of patches.

    All pairs of a batch weigh the same, so most are of two pictures. To insist on pairs of one
    picture, or on those that the teachers find alike, found fewer faint cracks (see the README of
    ``calibration/backbones``).

    Args:
        code: (n, bits, h, w), -1 or +1.
        target: (n, c, h, w).
        channels: of each teacher.
        patches: int64 (n, k), positions in 0 .. h*w-1 to take from each picture.
    """
    bits = _taken(code, patches)
    agreement = bits @ bits.T / bits.shape[1]
    parts = (F.normalize(_taken(part, patches), dim=1) for part in target.split(channels, 1))
    cosine = torch.stack([features @ features.T for features in parts]).mean(0)
    off_diagonal = 1 - torch.eye(len(bits), device=bits.device)
    return ((agreement - cosine).square() * off_diagonal).sum() / off_diagonal.sum()


def nearness_loss(
    code: Tensor, again: Tensor, target: Tensor, target_again: Tensor, channels: list[int]
) -> Tensor:
    """:func:`relation_loss` of the same place in two views, everywhere.

    Pairs of a batch are mostly far apart, and a memory bank compares what is nearly the same: what
    a little noise and light do to a patch, and what a faint defect does. Teachers hardly mind the
    one, and bits are to flip as seldom.

    Args:
        code: (m, bits, h, w), -1 or +1, of the first view.
        again: (m, bits, h, w), of the second.
        target: (m, c, h, w), of the first.
        target_again: (m, c, h, w), of the second.
        channels: of each teacher.
    """
    agreement = (code * again).mean(1)
    parts = zip(target.split(channels, 1), target_again.split(channels, 1), strict=True)
    cosine = torch.stack([F.cosine_similarity(one, other) for one, other in parts]).mean(0)
    return (agreement - cosine).square().mean()


def noticing_loss(code: Tensor, again: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """How often a patch of the next good part looks stranger than a defect does.

    As in a memory bank, a patch is as strange as the patch of the first view that agrees with it
    best leaves it. Of each picture, patches with a defect and patches far from any are drawn; each
    pair of one and the other costs softplus of the difference in agreement, in steps of 0.1: a
    smooth 1 - AUROC, as in RankNet (Burges et al., 2005).

    Args:
        code: (m, bits, h, w), -1 or +1, of the first view.
        again: (m, bits, h, w), of the second.
        drawn: (m, side, side) floats, 1 where a defect changed a pixel.
        generator: draws the patches.
    """
    stride = drawn.shape[-1] // code.shape[-1]
    touched = F.avg_pool2d(drawn[:, None], stride).flatten(1) >= _TOUCHED
    # Bits see beyond their patch: what lies within two patches of a defect is neither.
    near = F.max_pool2d(drawn[:, None], 5 * stride, stride, 2 * stride).flatten(1) > 0
    usable = touched.any(1) & ~near.all(1)
    if not usable.any():
        return again.sum() * 0
    picked = [
        torch.multinomial(where[usable].float(), _PATCHES, replacement=True, generator=generator)
        for where in (touched, ~near)
    ]
    patches = _taken(again[usable], torch.cat(picked, 1)).unflatten(0, (-1, 2 * _PATCHES))
    agreement = (patches @ code[usable].flatten(2)).amax(2) / code.shape[1]
    defect, good = agreement.split(_PATCHES, 1)
    return 0.1 * F.softplus((defect[:, :, None] - good[:, None, :]) / 0.1).mean()


def _taken(maps: Tensor, patches: Tensor) -> Tensor:
    """(n, c, h, w) at positions (n, k) -> (n * k, c)."""
    index = patches[:, None, :].expand(-1, maps.shape[1], -1)
    return torch.gather(maps.flatten(2), 2, index).transpose(1, 2).flatten(0, 1)
