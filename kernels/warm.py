"""Compile every kernel that an inspection or a calibration runs, so that the first part need not.

Numba keeps what it compiled in the directory that ``NUMBA_CACHE_DIR`` names, else beside the
source; from there a later process loads it in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kernels import portable
from kernels.anomaly_map import anomaly_map, gaussian
from kernels.area import shrink
from kernels.backends.numba import NumbaBackend
from kernels.grey import grey_of
from kernels.light import brightened, light_of
from kernels.network import BinaryBlock, Embedding, Network, Stem

_CHANNELS, _SIDE = 64, 8


def steps(way: str | None = None) -> Iterator[tuple[str, Callable[[], object]]]:
    """What there is to do, in a word each, to be called one after the other.

    Args:
        way: of counting, see :mod:`kernels.processor`; None for the fastest here.
    """
    backend = NumbaBackend(way)
    image = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    words = np.zeros((_CHANNELS, 2), np.uint64)
    distances = np.ones((_SIDE, _SIDE), np.int32)
    executor = backend.executor(_every_layer(), _SIDE, _SIDE)
    yield "network", lambda: executor.run(image)
    yield "network, grey", lambda: executor.run(image[..., 0])
    yield "picture", _every_picture
    yield "search", lambda: backend.index(words).distances([words[None]])
    blocks = [np.zeros((2, 2, 1), np.uint64), np.zeros((1, 1, 1), np.uint64)]
    yield "search in blocks", lambda: backend.index(words).distances(blocks)
    yield "anomaly map", lambda: anomaly_map(distances, gaussian(1.0), distances.astype(np.float32))
    yield (
        "memory bank",
        lambda: portable.keep_smaller_distances(
            words[0], np.ascontiguousarray(words.T), np.zeros(_CHANNELS, np.uint32)
        ),
    )


def _every_picture() -> None:
    coloured = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    for picture in (coloured, np.zeros((_SIDE, _SIDE), np.uint8)):
        # A part of a picture lies otherwise in memory, and is another case to Numba.
        for image in (picture, picture[:, 1:]):
            for side in (5, 2):  # a little and a lot: done in two ways
                shrink(image, side, side)
            brightened(image, 1.25, np.empty(image.shape, np.uint8))
            light_of(image)
            if image.ndim == 3:
                grey_of(image)


def _every_layer() -> Network:
    vector = np.zeros(_CHANNELS, np.int16)
    block = BinaryBlock(
        stride=2,
        threshold=vector,
        weights=np.zeros((_CHANNELS, 3, 3, 1), np.uint64),
        slope=vector,
        offset=vector,
        leak=vector,
    )
    stem = Stem(
        fine_weights=np.zeros((8, 3, 3, 3), np.int8),
        fine_bias=np.zeros(8, np.int32),
        fine_shift=1,
        coarse_weights=np.zeros((_CHANNELS, 2, 2, 8), np.int8),
        coarse_bias=np.zeros(_CHANNELS, np.int32),
        coarse_shift=1,
    )
    return Network("every layer", (stem, block, Embedding(8, np.zeros((1, _CHANNELS), np.int32))))
