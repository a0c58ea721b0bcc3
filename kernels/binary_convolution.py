"""A binary convolution on its own, bits to bits: to measure, and to build on."""

from __future__ import annotations

import numpy as np

from kernels import convolution, portable
from kernels.bits import WORD_BITS, words_for
from kernels.errors import ShapeError
from kernels.processor import choose_way, way_module

COUNT_LIMIT = 32767
"""Most bits in a window or a bank entry that the fast ways can count, in signed 16-bit lanes."""

SPARE_COLUMNS = 2
"""To the right of a bordered map, so that windows come in pairs, at stride 1 and 2."""


class BinaryConvolution:
    """XNOR-popcount convolution with an integer threshold per channel, for maps of one size.

    Owns its buffers: one thread at a time.

    Args:
        weights: uint64 (outputs, k, k, words), k = 1 or 3, outputs a multiple of 64.
        limit: int (outputs,): a bit is set where at most so many bits of the window differ.
        stride: 1 or 2.
        height: of the maps.
        width: of the maps.
        way: of counting, see :mod:`kernels.processor`; None for the fastest here.

    Raises:
        ShapeError: if these do not fit together.
        BackendUnavailable: if the processor cannot run that way.
    """

    def __init__(
        self,
        weights: np.ndarray,
        limit: np.ndarray,
        stride: int,
        height: int,
        width: int,
        way: str | None = None,
    ) -> None:
        self._check(weights, limit, stride, height, width)
        self.way = choose_way(way)
        outputs, self.kernel, _, words = weights.shape
        if self.kernel**2 * words * WORD_BITS > COUNT_LIMIT:
            self.way = "portable"
        self.stride = stride
        border = self.kernel // 2
        self._inside = slice(border, border + height), slice(border, border + width)
        rows, columns = height + 2 * border, width + 2 * border + SPARE_COLUMNS
        self._bits = np.zeros((rows, columns, words), np.uint64)
        self._out = np.zeros((-(-height // stride), -(-width // stride), outputs // 64), np.uint64)
        lines = weights.reshape(outputs, -1)
        if self.way == "portable":
            self._limit = np.asarray(limit, np.int32)
            self._lanes = np.ascontiguousarray(lines.T)
        else:
            self._limit = np.clip(limit, -1, COUNT_LIMIT).astype(np.int16)
            self._weights = way_module(self.way).lay_out(lines, self._bits.shape)

    def run(self, bits: np.ndarray) -> np.ndarray:
        """Convolve.

        Args:
            bits: uint64 (height, width, words).

        Returns:
            uint64 (ceil(height / stride), ceil(width / stride), outputs / 64); overwritten by the
            next call.

        Raises:
            ShapeError: if the map is not of the size this was made for.
        """
        room = self._bits[self._inside]
        if bits.shape != room.shape or bits.dtype != np.uint64:
            raise ShapeError(f"expected uint64 {room.shape}, got {bits.dtype} {bits.shape}")
        room[...] = bits
        if self.way == "portable":
            portable.convolve_to_bits(
                self._bits, self._lanes, self.kernel, self.stride, self._limit, self._out
            )
            return self._out
        convolution.convolve_to_bits(
            self._weights,
            self._bits,
            self.kernel,
            self.stride,
            self._limit,
            *self._out.shape[:2],
            self._out,
            0,
        )
        return self._out

    @staticmethod
    def _check(
        weights: np.ndarray, limit: np.ndarray, stride: int, height: int, width: int
    ) -> None:
        if weights.ndim != 4 or weights.dtype != np.uint64 or not weights.shape[3]:
            raise ShapeError(
                f"weights are uint64 (outputs, k, k, words), not {weights.dtype} {weights.shape}"
            )
        words_for(weights.shape[0])
        if weights.shape[1] not in (1, 3) or weights.shape[1] != weights.shape[2]:
            raise ShapeError(f"kernels are 1x1 or 3x3, not {weights.shape[1]}x{weights.shape[2]}")
        if np.shape(limit) != (weights.shape[0],):
            raise ShapeError(f"{np.shape(limit)} limits for {weights.shape[0]} outputs")
        if stride not in (1, 2):
            raise ShapeError(f"stride {stride}; strides are 1 or 2")
        if height < 1 or width < 1:
            raise ShapeError(f"a map of {height} x {width} has no positions")
