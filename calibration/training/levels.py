"""The levels that make bits of a network's sums, set by how often bits are to be set.

What is counted is on how many patches of some pictures each bit is clear. A level that gives a
wanted count is found by halving, all bits at once: a higher level clears no fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from calibration.training.crops import Crops
from kernels.backends import Backend
from kernels.bits import unpack
from kernels.network import STREAM_CLIP, Embedding, Network

PICTURE_PX = 320
"""Side of the crops that levels are set by."""

PICTURES = 64
"""How many crops that are."""

_HIGHEST_SUM = 9 * STREAM_CLIP


def sample(crops: Crops) -> Iterator[np.ndarray]:
    """The pictures that levels are set by, blue first; of crops of :data:`PICTURE_PX`."""
    return (np.ascontiguousarray(crops.crop(n)[:, :, ::-1]) for n in range(PICTURES))


def times_clear(network: Network, pictures: Sequence[np.ndarray], backend: Backend) -> np.ndarray:
    """On how many patches each bit is clear: int64 (bits,), embedding after embedding."""
    executor = backend.executor(network, *pictures[0].shape[:2])
    found = [
        np.concatenate([(~unpack(code)).sum(axis=(0, 1)) for code in executor.run(picture)])
        for picture in pictures
    ]
    return np.asarray(np.sum(found, axis=0))


def clear_as_often(
    network: Network,
    first: int,
    wanted: np.ndarray,
    pictures: Sequence[np.ndarray],
    backend: Backend,
) -> Network:
    """The lowest levels, from layer ``first`` on, at which bits are clear that often or more.

    Args:
        network: one level or more a channel.
        first: number of a layer; embeddings before it keep their levels.
        wanted: int (bits,), on how many patches.
        pictures: uint8 (height, width, 3), blue first, all of a size that the network takes.
        backend: that runs it.
    """
    # Any low level would do for a bit that is never clear: one patch tells the highest.
    wanted = np.maximum(wanted, 1)
    low, high = np.full(len(wanted), -_HIGHEST_SUM - 1), np.full(len(wanted), _HIGHEST_SUM)
    while (low + 1 < high).any():
        middle = (low + high) // 2
        tried = _with_levels(network, first, middle)
        too_low = times_clear(tried, pictures, backend) < wanted
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
