"""A shorter network: some of its blocks left out, every bit set as often as before.

A block adds to a stream, so that what follows can read the stream without it; networks of such
blocks hardly mind the loss of one (Veit et al., 2016). What they do mind is that sums have moved
past the levels that made bits of them. So the levels behind the first block that is left out are
set anew: each bit is to be set on the same share of patches of many pictures as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from calibration.training.levels import clear_as_often, times_clear
from kernels import network_file
from kernels.backends import Backend
from kernels.network import BinaryBlock, Network


def export_shorter(
    whole: Path,
    without: Collection[int],
    pictures: Iterable[np.ndarray],
    backend: Backend,
    path: Path,
) -> None:
    """Write a backbone without some of its blocks as a ``.bnn`` file.

    Args:
        whole: the ``.bnn`` file of the backbone.
        without: numbers of blocks, see :func:`shorten`.
        pictures: likewise.
        backend: that runs it.
        path: of the new file.

    Raises:
        ContainerError: if the file is not a good one.
        ValueError: as :func:`shorten`.
    """
    recipe = {"recipe": "shorten", "without": sorted(without)}
    change = partial(shorten, without=without, pictures=pictures, backend=backend)
    network_file.save_derived(path, whole, change, recipe, "whole")


def shorten(
    network: Network, without: Collection[int], pictures: Iterable[np.ndarray], backend: Backend
) -> Network:
    """A network without some of its blocks.

    Args:
        network: the whole one.
        without: numbers of blocks, counted from 0; they keep size and channels.
        pictures: uint8 (height, width, 3), blue first, all of a size that the network takes; looked
            at once it is clear that the blocks can be left out.
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
    pictures = list(pictures)
    left_out = {blocks[number][0] for number in without}
    kept = tuple(layer for i, layer in enumerate(network.layers) if i not in left_out)
    shorter = Network(network.name, kept)
    first = min(left_out, default=len(network.layers))  # what lies before keeps its number
    return clear_as_often(
        shorter, first, times_clear(network, pictures, backend), pictures, backend
    )
