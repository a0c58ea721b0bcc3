"""A shorter network: some of its blocks left out, every bit set as often as before.

A block adds to a stream, so that what follows can read the stream without it; networks of such
blocks hardly mind the loss of one (Veit et al., 2016). What they do mind is that sums have moved
past the levels that made bits of them. So the levels behind the first block that is left out are
set anew: each bit is to be set on the same share of patches of many pictures as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.training.crops import Crops
from kernels import container, network_file
from kernels.backends import Backend
from kernels.bits import unpack
from kernels.network import STREAM_CLIP, BinaryBlock, Embedding, Network

_HIGHEST_SUM = 9 * STREAM_CLIP
_PICTURES = 64
PICTURE_PX = 320
"""Side of the pictures that levels are set by."""


def export_shorter(
    whole: Path, without: Collection[int], crops: Crops, backend: Backend, path: Path
) -> None:
    """Write a backbone without some of its blocks as a ``.bnn`` file.

    Args:
        whole: the ``.bnn`` file of the backbone.
        without: numbers of blocks, see :func:`shorten`.
        crops: of :data:`PICTURE_PX`; the first of them decide about the levels.
        backend: that runs it.
        path: of the new file.

    Raises:
        ContainerError: if the file is not a good one.
        ValueError: as :func:`shorten`.
    """
    contents = container.read(whole, container.BACKBONE)
    network = network_file.assemble(contents.manifest["network"], contents.arrays)
    pictures = [np.ascontiguousarray(crops.crop(n)[:, :, ::-1]) for n in range(_PICTURES)]
    shorter = replace(shorten(network, without, pictures, backend), name=path.stem)
    origin = {
        "recipe": "shorten",
        "without": sorted(without),
        "whole": {"sha256": contents.sha256, **contents.manifest["origin"]},
    }
    network_file.save(path, shorter, origin)


def shorten(
    network: Network, without: Collection[int], pictures: Sequence[np.ndarray], backend: Backend
) -> Network:
    """A network without some of its blocks.

    Args:
        network: the whole one.
        without: numbers of blocks, counted from 0; they keep size and channels.
        pictures: uint8 (height, width, 3), blue first, all of a size that the network takes.
        backend: that runs both.

    Raises:
        ValueError: if there is no such block, or what follows cannot do without it.
    """
    blocks = [
        (place, layer)
        for place, layer in enumerate(network.layers)
        if isinstance(layer, BinaryBlock)
    ]
    for number in without:
        if not 0 <= number < len(blocks):
            raise ValueError(
                f"{network.name} has no block {number}: its {len(blocks)} are counted from 0"
            )
        _, block = blocks[number]
        if block.stride != 1 or block.inputs != block.outputs:
            raise ValueError(
                f"block {number} of {network.name} changes the stream's size or channels: what"
                " follows cannot do without it"
            )
    left_out = {blocks[number][0] for number in without}
    kept = tuple(layer for i, layer in enumerate(network.layers) if i not in left_out)
    shorter = Network(network.name, kept)
    first = min(left_out, default=len(network.layers))  # what lies before keeps its number
    return _as_often_set(
        shorter, first, _times_clear(network, pictures, backend), pictures, backend
    )


def _as_often_set(
    network: Network,
    first: int,
    wanted: np.ndarray,
    pictures: Sequence[np.ndarray],
    backend: Backend,
) -> Network:
    """The lowest levels, from layer ``first`` on, at which bits are clear that often or more."""
    # Any low level would do for a bit that is never clear: one patch tells the highest.
    wanted = np.maximum(wanted, 1)
    low, high = np.full(len(wanted), -_HIGHEST_SUM - 1), np.full(len(wanted), _HIGHEST_SUM)
    while (low + 1 < high).any():
        middle = (low + high) // 2
        tried = _with_levels(network, first, middle)
        too_low = _times_clear(tried, pictures, backend) < wanted
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return _with_levels(network, first, high)


def _with_levels(network: Network, first: int, levels: np.ndarray) -> Network:
    """With other levels, int (bits,), in embeddings from layer ``first`` on."""
    layers, start = list(network.layers), 0
    for place, layer in enumerate(layers):
        if not isinstance(layer, Embedding):
            continue
        end = start + layer.bits
        if place >= first:
            own = levels[start:end].reshape(layer.levels.shape).astype(np.int32)
            layers[place] = replace(layer, levels=own)
        start = end
    return Network(network.name, tuple(layers))


def _times_clear(network: Network, pictures: Sequence[np.ndarray], backend: Backend) -> np.ndarray:
    """On how many patches each bit is clear: int64 (bits,), embedding after embedding."""
    executor = backend.executor(network, *pictures[0].shape[:2])
    found = [
        np.concatenate([(~unpack(code)).sum(axis=(0, 1)) for code in executor.run(picture)])
        for picture in pictures
    ]
    return np.asarray(np.sum(found, axis=0))
