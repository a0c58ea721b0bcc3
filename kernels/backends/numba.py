"""Backend ``numba``: our own kernels."""

from __future__ import annotations

import numpy as np

from kernels.backends.base import Backend, Executor, Index
from kernels.backends.numba_fast import FastExecutor, FastIndex
from kernels.backends.numba_portable import PortableExecutor, PortableIndex
from kernels.binary_convolution import COUNT_LIMIT
from kernels.bits import WORD_BITS
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import BinaryBlock, Network
from kernels.processor import choose_way


class NumbaBackend(Backend):
    """Runs networks and searches on the kernels that suit the processor.

    Args:
        way: of counting, see :mod:`kernels.processor`; None for the fastest here.

    Raises:
        BackendUnavailable: if the processor cannot run it.
    """

    name = "numba"

    def __init__(self, way: str | None = None) -> None:
        self.way = choose_way(way)

    def executor(self, network: Network, height: int, width: int) -> Executor:
        """See :meth:`Backend.executor`; the first call on a machine compiles for some seconds."""
        counts = [layer.count for layer in network.layers if isinstance(layer, BinaryBlock)]
        if self.way == "portable" or max(counts, default=0) > COUNT_LIMIT:
            return PortableExecutor(network, height, width)
        return FastExecutor(network, height, width, self.way)

    def index(self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None) -> Index:
        """See :meth:`Backend.index`."""
        if self.way == "portable" or bank.ndim != 2 or bank.shape[1] * WORD_BITS > COUNT_LIMIT:
            return PortableIndex(bank, neighbourhoods)
        return FastIndex(bank, neighbourhoods, self.way)
