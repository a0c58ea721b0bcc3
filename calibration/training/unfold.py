"""A student out of a backbone: what :meth:`Student.export` folded into integers, unfolded.

So a backbone can be trained further whose run is lost, on another machine or by another recipe.
What integers do not know is how sure the binary weights were, and what their sums and the stream
come to, which the norms have to: all weights are taken to be equally sure, and pictures tell the
rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from calibration.training.channel_sums import ChannelSums
from calibration.training.student import BinaryBlock, Embedding, Shape, Stem, Student
from kernels import network as nw

_FOLDED = {Stem: nw.Stem, BinaryBlock: nw.BinaryBlock, Embedding: nw.Embedding}


def _shape_of(name: str, layers: Sequence[nw.Layer]) -> Shape:
    """Of the student that was exported to these."""
    stem = layers[0]
    assert isinstance(stem, nw.Stem)
    stage, width = 0, stem.channels
    blocks, channels, levels = ["", "", ""], [width, 0, 0], [0, 0, 0]
    for layer in layers[1:]:
        if isinstance(layer, nw.BinaryBlock):
            stage += layer.stride - 1
            if stage == len(blocks):
                raise ValueError(f"{name} is no student: it goes beyond stride 16")
            blocks[stage] += str(layer.kernel)
            width = layer.outputs
        elif isinstance(layer, nw.Embedding):
            levels[stage] = len(layer.levels)
        channels[stage] = width
    for later in (1, 2):
        channels[later] = channels[later] or channels[later - 1]
    return Shape(len(stem.fine_bias), tuple(blocks), tuple(channels), tuple(levels))


def unfolded(network: nw.Network, pictures: Iterable[Tensor]) -> Student:
    """A student that gives the same bits as a backbone, but for those of the stem.

    Args:
        network: as a student is exported, with bits of its stem or not.
        pictures: (n, 3, h, w) floats 0 .. 255 each, red first, of one size.

    Raises:
        ValueError: if no student is exported like this.
    """
    layers = network.without_stem_bits().layers
    student = Student(_shape_of(network.name, layers)).eval()
    if [_FOLDED[type(part)] for part in student.parts] != [type(layer) for layer in layers]:
        raise ValueError(f"{network.name} is no student: blocks or embeddings elsewhere")
    for part, layer in zip(student.parts, layers, strict=True):
        part.unfold(layer)
    _normalise(student, pictures)
    return student


@torch.no_grad()
def _normalise(student: Student, pictures: Iterable[Tensor]) -> None:
    """Let the norms know what they see; what comes of it stays the same."""
    parts = [part for part in student.parts if not isinstance(part, Stem)]
    sums = {part.norm: ChannelSums() for part in parts}
    hooks = [
        norm.register_forward_pre_hook(lambda norm, seen: sums[norm].add(seen[0])) for norm in sums
    ]
    for picture in pictures:
        student(picture)
    for hook in hooks:
        hook.remove()
    for part in parts:
        seen = sums[part.norm]
        part.normalise(seen.mean.float(), seen.variance.float())
