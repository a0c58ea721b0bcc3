"""Backend ``reference``: the definition, executed. For tests and for doubts."""

from __future__ import annotations

import numpy as np

from kernels import reference
from kernels.backends.base import Backend, Executor, FlatIndex
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import Network


class ReferenceExecutor(Executor):
    """Runs ``kernels.reference``."""

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        return reference.run(self.network, image)


class ReferenceBackend(Backend):
    """NumPy, slowly."""

    name = "reference"

    def executor(self, network: Network, height: int, width: int) -> ReferenceExecutor:
        """See :meth:`Backend.executor`."""
        return ReferenceExecutor(network, height, width)

    def index(
        self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None
    ) -> ReferenceIndex:
        """See :meth:`Backend.index`."""
        return ReferenceIndex(bank, neighbourhoods)


class ReferenceIndex(FlatIndex):
    """Searches with ``kernels.reference``."""

    def _nearest_patches(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return reference.nearest(queries, self.bank, self.neighbourhoods)
