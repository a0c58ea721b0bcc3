"""Bits of the stem, beside those of a backbone's blocks.

What the blocks learnt passes over much that differs between good parts, and with it over a little
more or less light, a faint line, a trace of colour. The stem saw these, as 64 small patterns of
brightness and colour. A bit for each, which asks for more than a fifth of all patches have, tells a
memory bank of them; on parts that come in one pose, whose places know how much that varies.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from calibration.training.levels import clear_as_often
from kernels import network_file
from kernels.backends import Backend
from kernels.network import Embedding, Network

_STRIDE = 4  # of every stem


def export_with_stem_bits(
    learnt: Path, clear: float, pictures: Iterable[np.ndarray], backend: Backend, path: Path
) -> None:
    """Write a backbone with bits of its stem as a ``.bnn`` file.

    Args:
        learnt: the ``.bnn`` file of one that has none.
        clear: see :func:`with_stem_bits`.
        pictures: likewise.
        backend: that runs it.
        path: of the new file.

    Raises:
        ContainerError: if the file is not a good one.
        ValueError: as :func:`with_stem_bits`.
    """
    recipe = {"recipe": "stem-bits", "clear": clear}
    change = partial(with_stem_bits, clear=clear, pictures=pictures, backend=backend)
    network_file.save_derived(path, learnt, change, recipe, "learnt")


def with_stem_bits(
    network: Network, clear: float, pictures: Iterable[np.ndarray], backend: Backend
) -> Network:
    """A network with a bit for each channel of its stem.

    Args:
        network: without.
        clear: the share of patches of the pictures on which each of them is clear, 0 to 1.
        pictures: uint8 (height, width, 3), blue first, all of a size that the network takes; looked
            at once it is clear that the others are good.
        backend: that runs it.

    Raises:
        ValueError: if the network has them already, or there is no such share.
    """
    if network.stem_words:
        raise ValueError(f"{network.name} has bits of its stem already")
    if not 0 < clear < 1:
        raise ValueError(f"a share lies between 0 and 1, not {clear}")
    pictures = list(pictures)
    stem, channels = network.stem, network.stem.channels
    unset = Embedding(_STRIDE, np.zeros((1, channels), np.int32))
    patches = sum(picture.shape[0] * picture.shape[1] for picture in pictures) // _STRIDE**2
    wanted = np.full(channels, round(clear * patches))
    seen = clear_as_often(Network(network.name, (stem, unset)), 0, wanted, pictures, backend)
    return Network(network.name, (stem, *seen.embeddings, *network.layers[1:]))
