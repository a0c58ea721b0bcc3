"""The binary student: the network of ``kernels.network``, in PyTorch, trainable.

Every operation here has an integer twin in ``kernels.reference``; :meth:`Student.export` folds the
trained floats into those integers. What makes the folding nearly lossless is that the forward pass
already lives with the same limits: int8 stem weights, 8-bit stem activations, one bit per
activation and weight in the body, a residual stream in fixed point. The other way round, each part
can ``unfold`` integers (see :mod:`calibration.training.unfold`).

Training a sign: the forward pass takes the sign, the backward pass pretends it was a piecewise
parabola (Liu et al., Bi-Real Net, 2018, eq. 5). Per-channel thresholds before the sign and a
parametric leak after the convolution follow ReActNet (Liu et al., 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels import network as nw
from kernels.bits import pack, unpack

_STEM_ACTIVATION_STEPS = 64  # per unit, in the 8-bit activations inside the stem: range 0 .. 4
_STEM_WEIGHT_STEPS = 128  # per unit, in the int8 stem weights: range -1 .. 1
# One unit of the fine sum is 1/128 (weight) * 1/128 (pixel); of the activation, 1/64.
_FINE_SHIFT = 8
_COARSE_UNITS = _STEM_WEIGHT_STEPS * _STEM_ACTIVATION_STEPS
_COARSE_SHIFT = int(np.log2(_COARSE_UNITS // nw.STREAM_STEPS))
_UNFOLDED_WEIGHT = 0.1  # a sign does not tell how sure it was: a few dozen steps turn it over


@dataclass(frozen=True)
class Shape:
    """What distinguishes one student of the family from another.

    Attributes:
        stem_channels: channels inside the stem, at half resolution.
        blocks: binary blocks at strides 4, 8 and 16, the one that enters a stride included: a digit
            each, 3 for 3x3 and 1 for 1x1. The first at strides 8 and 16 is 3x3.
        channels: channels at strides 4, 8 and 16, each a multiple of 64, never shrinking.
        levels: bits per channel that leave the student at strides 4, 8 and 16; 0 for none.

    Raises:
        ValueError: if this is no student.
    """

    stem_channels: int = 16
    blocks: tuple[str, str, str] = ("33", "3333", "3333")
    channels: tuple[int, int, int] = (64, 128, 256)
    levels: tuple[int, int, int] = (2, 2, 1)

    def __post_init__(self) -> None:
        for stride, kernels in zip((4, 8, 16), self.blocks, strict=True):
            if set(kernels) - {"1", "3"}:
                raise ValueError(f"blocks are 1x1 or 3x3: 1 or 3 each, not {kernels!r}")
            if stride > 4 and not kernels.startswith("3"):
                raise ValueError(f"stride {stride} is entered by a 3x3 block, not by {kernels!r}")
        if not any(self.levels):
            raise ValueError("no bits leave the student")

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of a patch at strides 4, 8 and 16."""
        return tuple(c * n for c, n in zip(self.channels, self.levels, strict=True))


def _as_integers(values: Tensor, dtype: type) -> np.ndarray:
    return np.ascontiguousarray(_rounded(values).numpy().astype(dtype))


class _Sign(torch.autograd.Function):
    """+1 where x > 0, else -1; the gradient is 2 - 2|x| on |x| < 1."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x > 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (2 - 2 * x.abs()).clamp_(min=0)


def _straight_through(exact: Tensor, differentiable: Tensor) -> Tensor:
    """The value of ``exact`` with the gradient of ``differentiable``."""
    return differentiable + (exact - differentiable).detach()


def _rounded(x: Tensor) -> Tensor:
    # Half goes up, as it does where a kernel adds a half and shifts; torch.round goes to even.
    return (x + 0.5).floor()


def _in_steps(stream: Tensor) -> Tensor:
    """The stream in the steps of its integer twin."""
    return _straight_through(_rounded(stream * nw.STREAM_STEPS) / nw.STREAM_STEPS, stream)


def _quantised_weight(weight: Tensor) -> Tensor:
    steps = _rounded(weight * _STEM_WEIGHT_STEPS).clamp(-127, 127) / _STEM_WEIGHT_STEPS
    return _straight_through(steps, weight.clamp(-1, 1))


def _box_sum(x: Tensor) -> Tensor:
    """Over 3x3, at positions whose 3x3 lie inside."""
    # A convolution and no pooling: torch.compile, left to fuse pooling, looks at values one by one.
    with torch.autocast(x.device.type, enabled=False):
        return F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), groups=x.shape[1])


class _MeanAround(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = torch.cat((x[:, :, :1], x, x[:, :, -1:]), dim=2)
        x = torch.cat((x[..., :1], x, x[..., -1:]), dim=3)
        return _box_sum(x) / 9

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        # Of the picture with its border; what the border is due goes to the values it repeats.
        due = _box_sum(F.pad(gradient, (2, 2, 2, 2))) / 9
        last = gradient.shape[2] - 1
        due = (
            due[:, :, 1:-1]
            + F.pad(due[:, :, :1], (0, 0, 0, last))
            + F.pad(due[:, :, -1:], (0, 0, last, 0))
        )
        last = gradient.shape[3] - 1
        return due[..., 1:-1] + F.pad(due[..., :1], (0, last)) + F.pad(due[..., -1:], (last, 0))


class _MeanOfFour(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return (
            x[:, :, ::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, ::2] + x[:, :, 1::2, 1::2]
        ) / 4

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        count, channels, rows, columns = gradient.shape
        each = (gradient / 4)[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
        return each.reshape(count, channels, 2 * rows, 2 * columns)


mean_around = _MeanAround.apply
"""Over 3x3; outside the picture the nearest value inside counts: (n, c, h, w) -> (n, c, h, w)."""

mean_of_four = _MeanOfFour.apply
"""Over 2x2, at stride 2: (n, c, h, w) -> (n, c, h / 2, w / 2)."""


class Stem(nn.Module):
    """uint8 picture to the residual stream at stride 4: 3x3/2 with an 8-bit ReLU, then 2x2/2."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, inner, 3, stride=2)
        self.coarse = nn.Conv2d(inner, outer, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """image: (n, 3, h, w), 0 .. 255 as floats -> (n, outer, h/4, w/4)."""
        # Its products have more bits than half precision holds.
        with torch.autocast(image.device.type, enabled=False):
            return self._forward(image)

    def _forward(self, image: Tensor) -> Tensor:
        x = F.pad((image - 128) / 128, (1, 0, 1, 0), mode="replicate")
        x = F.conv2d(x, _quantised_weight(self.fine.weight), self.fine.bias, stride=2)
        top = 255 / _STEM_ACTIVATION_STEPS
        stepped = _rounded(x * _STEM_ACTIVATION_STEPS).clamp(0, 255) / _STEM_ACTIVATION_STEPS
        x = _straight_through(stepped, x.clamp(0, top))
        x = F.conv2d(x, _quantised_weight(self.coarse.weight), self.coarse.bias, stride=2)
        return _in_steps(x)

    @torch.no_grad()
    def standardise(self, image: Tensor) -> None:
        """Scale both convolutions on one batch so that their outputs start at unit deviation."""
        x = F.pad((image - 128) / 128, (1, 0, 1, 0), mode="replicate")
        x = self.fine(x)
        scale = 0.7 / x.std(dim=(0, 2, 3))
        self.fine.weight.mul_(scale[:, None, None, None]).clamp_(-1, 1)
        self.fine.bias.zero_()
        r = self.forward(image)
        scale = 1.0 / r.std(dim=(0, 2, 3))
        self.coarse.weight.mul_(scale[:, None, None, None]).clamp_(-1, 1)
        self.coarse.bias.zero_()
        self.coarse.bias.copy_(-self.forward(image).mean(dim=(0, 2, 3)))

    def export(self) -> nw.Stem:
        """Fold into integers."""
        fine = _rounded(self.fine.weight.detach().double() * _STEM_WEIGHT_STEPS).clamp(-127, 127)
        coarse = _rounded(
            (self.coarse.weight.detach().double() * _STEM_WEIGHT_STEPS).clamp(-127, 127)
        )
        fine_bias = self.fine.bias.detach().double() * 128 * 128 - 128 * fine.sum(dim=(1, 2, 3))
        coarse_bias = self.coarse.bias.detach().double() * _COARSE_UNITS
        return nw.Stem(
            # Training reads red first, like the teachers; the product blue first, like OpenCV.
            fine_weights=_as_integers(fine.permute(0, 2, 3, 1).flip(3), np.int8),
            fine_bias=_as_integers(fine_bias + (1 << _FINE_SHIFT >> 1), np.int32),
            fine_shift=_FINE_SHIFT,
            coarse_weights=_as_integers(coarse.permute(0, 2, 3, 1), np.int8),
            coarse_bias=_as_integers(coarse_bias + (1 << _COARSE_SHIFT >> 1), np.int32),
            coarse_shift=_COARSE_SHIFT,
        )

    @torch.no_grad()
    def unfold(self, folded: nw.Stem) -> None:
        """Undo :meth:`export`."""
        if (folded.fine_shift, folded.coarse_shift) != (_FINE_SHIFT, _COARSE_SHIFT):
            raise ValueError(
                f"no student has a stem of other shifts than {_FINE_SHIFT} and {_COARSE_SHIFT}"
            )
        fine, coarse = (
            torch.tensor(weights.astype(np.float64)).permute(0, 3, 1, 2)
            for weights in (folded.fine_weights[..., ::-1], folded.coarse_weights)
        )
        fine_bias, coarse_bias = (
            torch.tensor(bias - (1 << shift >> 1)).double()
            for bias, shift in (
                (folded.fine_bias, _FINE_SHIFT),
                (folded.coarse_bias, _COARSE_SHIFT),
            )
        )
        self.fine.weight.copy_(fine / _STEM_WEIGHT_STEPS)
        self.fine.bias.copy_((fine_bias + 128 * fine.sum(dim=(1, 2, 3))) / 128 / 128)
        self.coarse.weight.copy_(coarse / _STEM_WEIGHT_STEPS)
        self.coarse.bias.copy_(coarse_bias / _COARSE_UNITS)


class BinaryBlock(nn.Module):
    """stream + leaky(norm(binary_conv(sign(stream - threshold)))); pools at stride 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride, self.repeat = stride, outputs // inputs
        self.border = kernel // 2
        self.threshold = nn.Parameter(torch.zeros(inputs))
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) * 0.05)
        self.norm = nn.BatchNorm2d(outputs)
        self.leak = nn.Parameter(torch.full((outputs,), 0.25))

    def forward(self, stream: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        bits = _Sign.apply(stream - self.threshold[:, None, None])
        weight = _straight_through(
            torch.where(self.weight > 0, 1.0, -1.0), self.weight.clamp(-1, 1)
        )
        # Outside the picture every bit is -1: kernels then need no case for the border.
        if self.border:
            bits = F.pad(bits, (self.border,) * 4, value=-1.0)
        # Sums of an even number of signs are even: exact up to 4,096 in float16, 512 in bfloat16.
        y = self.norm(F.conv2d(bits, weight, stride=self.stride).float())
        y = torch.maximum(y, y * self.leak.clamp(0, 1)[:, None, None])
        if self.stride == 2:
            stream = mean_of_four(stream)
        if self.repeat > 1:
            stream = stream.repeat(1, self.repeat, 1, 1)
        return _in_steps(stream + y)

    def export(self) -> nw.BinaryBlock:
        """Fold into integers."""
        count = self.weight[0].numel()
        scale = (
            (self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)).detach().double()
        )
        bias = self.norm.bias.detach().double() - self.norm.running_mean.double() * scale
        # The sum of products of signs is twice the excess.
        slope = 2 * scale * nw.STREAM_STEPS * (1 << nw.slope_shift(count))
        limit = nw.slope_limit(count)
        offset = bias * nw.STREAM_STEPS
        weight = (self.weight.detach() > 0).permute(0, 2, 3, 1).contiguous().numpy()
        return nw.BinaryBlock(
            stride=self.stride,
            # stream > threshold, in integers: strictly above the floor of the scaled threshold
            threshold=_as_integers(
                torch.floor(self.threshold.detach().double() * nw.STREAM_STEPS), np.int16
            ),
            weights=pack(weight),
            slope=_as_integers(slope.clamp(-limit, limit), np.int16),
            offset=_as_integers(offset.clamp(-32768, 32767), np.int16),
            leak=_as_integers(self.leak.detach().double().clamp(0, 255 / 256) * 256, np.int16),
        )

    @torch.no_grad()
    def unfold(self, folded: nw.BinaryBlock) -> None:
        """Undo :meth:`export`; the norm says that sums have a mean of 0 and a deviation of 1."""
        signs = torch.from_numpy(unpack(folded.weights)).permute(0, 3, 1, 2)
        steps_per_slope = 2 * nw.STREAM_STEPS * (1 << nw.slope_shift(folded.count))
        self.threshold.copy_((torch.tensor(folded.threshold) + 0.5) / nw.STREAM_STEPS)
        self.weight.copy_(torch.where(signs, _UNFOLDED_WEIGHT, -_UNFOLDED_WEIGHT))
        self.norm.weight.copy_(torch.tensor(folded.slope) / steps_per_slope)
        self.norm.bias.copy_(torch.tensor(folded.offset) / nw.STREAM_STEPS)
        self.leak.copy_(torch.tensor(folded.leak) / 256)
        self.norm.running_var.fill_(1 - self.norm.eps)

    @torch.no_grad()
    def normalise(self, mean: Tensor, variance: Tensor) -> None:
        """Give the norm other statistics; what it makes of any sum stays the same."""
        deviation = torch.sqrt(variance + self.norm.eps)
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        self.norm.bias.add_((mean - self.norm.running_mean) * scale)
        self.norm.weight.copy_(scale * deviation)
        self.norm.running_mean.copy_(mean)
        self.norm.running_var.copy_(variance)


class Embedding(nn.Module):
    """Bits of a patch: the stream averaged over 3x3, compared with learnt levels."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        spread = torch.linspace(-0.5, 0.5, levels) if levels > 1 else torch.zeros(1)
        self.level = nn.Parameter(spread[:, None].repeat(1, channels))

    def forward(self, stream: Tensor) -> Tensor:
        """(n, channels, h, w) -> -1 or +1, (n, levels * channels, h, w)."""
        mean = self.norm(mean_around(stream))
        return torch.cat([_Sign.apply(mean - level[:, None, None]) for level in self.level], 1)

    def export(self, stride: int) -> nw.Embedding:
        """Fold into integers."""
        deviation = torch.sqrt(self.norm.running_var + self.norm.eps).double()
        level = self.norm.running_mean.double() + self.level.detach().double() * deviation
        steps = torch.floor(level * nw.STREAM_STEPS * 9)
        return nw.Embedding(stride=stride, levels=steps.numpy().astype(np.int32))

    @torch.no_grad()
    def unfold(self, folded: nw.Embedding) -> None:
        """Undo :meth:`export`; the norm says that means are 0 on average, with a deviation of 1."""
        self.level.copy_((torch.tensor(folded.levels) + 0.5) / (9 * nw.STREAM_STEPS))
        self.norm.running_var.fill_(1 - self.norm.eps)

    @torch.no_grad()
    def normalise(self, mean: Tensor, variance: Tensor) -> None:
        """Give the norm other statistics; the levels stay where they are on the stream."""
        deviation = torch.sqrt(self.norm.running_var + self.norm.eps)
        level = self.norm.running_mean + self.level * deviation
        self.level.copy_((level - mean) / torch.sqrt(variance + self.norm.eps))
        self.norm.running_mean.copy_(mean)
        self.norm.running_var.copy_(variance)


def _matched(
    these: Sequence[BinaryBlock], those: Sequence[BinaryBlock]
) -> dict[BinaryBlock, BinaryBlock]:
    """Which of these blocks is which of those, in order, the first that fit."""
    if len(these) < len(those):
        return {this: that for that, this in _matched(those, these).items()}
    pairs, waiting = {}, list(those)
    for block in these:
        if waiting and block.weight.shape == waiting[0].weight.shape:
            pairs[block] = waiting.pop(0)
    return pairs


class Student(nn.Module):
    """Stem, three stages of binary blocks, an embedding after those that have levels."""

    STRIDES = (4, 8, 16)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = Stem(shape.stem_channels, shape.channels[0])
        self.stages = nn.ModuleList()
        inputs = shape.channels[0]
        for index, (kernels, outputs) in enumerate(zip(shape.blocks, shape.channels, strict=True)):
            blocks = []
            for position, kernel in enumerate(map(int, kernels)):
                stride = 2 if index > 0 and position == 0 else 1
                blocks.append(BinaryBlock(inputs, outputs, kernel, stride))
                inputs = outputs
            self.stages.append(nn.Sequential(*blocks))
        pairs = zip(shape.channels, shape.levels, strict=True)
        self.embeddings = nn.ModuleList(
            Embedding(*pair) if pair[1] else nn.Identity() for pair in pairs
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: (n, 3, h, w) floats 0 .. 255, h and w multiples of 16.

        Returns:
            For strides 4, 8, 16: bits as -1/+1 floats, (n, bits, h/stride, w/stride); without those
            that no bits leave at.
        """
        stream = self.stem(image)
        codes = []
        for stage, embedding in zip(self.stages, self.embeddings, strict=True):
            stream = stage(stream)
            if isinstance(embedding, Embedding):
                codes.append(embedding(stream))
        return codes

    @torch.no_grad()
    def begin_as(self, other: Student) -> None:
        """Begin with what another student has learnt.

        The blocks of a stage are matched in order. Blocks that the other has not add nothing to
        the stream at first, so that a student that contains the other gives the same codes for any
        picture (function-preserving growth: Chen et al., Net2Net, 2016). Blocks that this one has
        not are left out, which residual networks suffer gladly (Veit et al., 2016). Bits may leave
        at strides where none left before, and the other way round.

        Raises:
            ValueError: if channels or bits differ, or neither student's blocks of a stage are a
                part of the other's.
        """
        mine, others = self.shape, other.shape
        is_alike = (mine.stem_channels, mine.channels) == (others.stem_channels, others.channels)
        levels = zip(mine.levels, others.levels, strict=True)
        if not is_alike or any(here and there and here != there for here, there in levels):
            raise ValueError(f"{mine} cannot begin as {others}: other channels or bits")
        self.stem.load_state_dict(other.stem.state_dict())
        for stage, theirs in zip(self.stages, other.stages, strict=True):
            pairs = _matched(list(stage), list(theirs))
            if len(pairs) < min(len(stage), len(theirs)):
                raise ValueError(
                    f"{mine} cannot begin as {others}: of the blocks of a stage, one"
                    " has to be a part of the other"
                )
            for block in stage:
                if block in pairs:
                    block.load_state_dict(pairs[block].state_dict())
                else:
                    block.norm.weight.zero_()
        for embedding, learnt in zip(self.embeddings, other.embeddings, strict=True):
            if isinstance(embedding, Embedding) and isinstance(learnt, Embedding):
                embedding.load_state_dict(learnt.state_dict())

    @property
    def parts(self) -> list[Any]:
        """Stem, blocks and embeddings in the order of the layers that they are exported to."""
        parts: list[nn.Module] = [self.stem]
        for stage, embedding in zip(self.stages, self.embeddings, strict=True):
            parts += stage
            parts += [embedding] if isinstance(embedding, Embedding) else []
        return parts

    def export(self, name: str) -> nw.Network:
        """Fold into integers."""
        layers: list[nw.Layer] = [self.stem.export()]
        for stage, embedding, stride in zip(
            self.stages, self.embeddings, self.STRIDES, strict=True
        ):
            layers += [block.export() for block in stage]
            if isinstance(embedding, Embedding):
                layers.append(embedding.export(stride))
        return nw.Network(name=name, layers=tuple(layers))
