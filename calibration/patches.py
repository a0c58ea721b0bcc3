"""From the network's embeddings to one string of bits per patch.

A patch is a position of the grid at the finest stride in use. Embeddings at coarser strides are
repeated onto that grid and appended: local detail and surroundings in one string.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.network import Network


@dataclass(frozen=True)
class PatchLayout:
    """Which embeddings make up a patch.

    Attributes:
        strides: of the embeddings used, finest first; the first is the stride of the grid.
    """

    strides: tuple[int, ...] = (8, 16)

    @property
    def stride(self) -> int:
        """Input pixels per patch."""
        return self.strides[0]

    def bits(self, network: Network) -> int:
        """Length of a patch's string."""
        return sum(e.bits for e in network.embeddings if e.stride in self.strides)

    def gather(
        self, network: Network, codes: list[np.ndarray], out: np.ndarray | None = None
    ) -> np.ndarray:
        """Assemble the strings.

        Args:
            network: that gave the codes.
            codes: per embedding, uint64 (h / stride, w / stride, words).
            out: what an earlier call returned, to be written again.

        Returns:
            uint64 (rows, columns, words), C-contiguous.
        """
        by_stride = {e.stride: c for e, c in zip(network.embeddings, codes, strict=True)}
        rows, columns, _ = by_stride[self.stride].shape
        words = [by_stride[s].shape[2] for s in self.strides]
        if out is None:
            out = np.empty((rows, columns, sum(words)), np.uint64)
        start = 0
        for stride, count in zip(self.strides, words, strict=True):
            times = stride // self.stride
            part = out[:, :, start : start + count]
            for i in range(times):
                for j in range(times):
                    part[i::times, j::times] = by_stride[stride]
            start += count
        return out
