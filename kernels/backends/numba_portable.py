"""Networks and banks on :mod:`kernels.portable`: for any processor that LLVM knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kernels import portable
from kernels.backends.base import Executor, FlatIndex
from kernels.bits import words_for
from kernels.codes import Room
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import BinaryBlock, Embedding, Network, Stem, slope_shift

_Step = Callable[[], object]


class PortableExecutor(Executor):
    """The layers as a list of kernel calls on buffers that are allocated once."""

    def __init__(self, network: Network, height: int, width: int) -> None:
        super().__init__(network, height, width)
        self._room = Room(network, height, width)
        self._steps: list[_Step] = []
        stream = np.empty(0, np.int16)
        for layer in network.layers:
            if isinstance(layer, Stem):
                stream = self._add_stem(layer)
            elif isinstance(layer, BinaryBlock):
                stream = self._add_block(layer, stream)
            else:
                self._add_embedding(layer, stream)

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        self._stem(image)
        for step in self._steps:
            step()
        return self._room.codes

    def _add_stem(self, layer: Stem) -> np.ndarray:
        out = np.empty((self.height // 4, self.width // 4, layer.channels), np.int16)
        fine = _lane_is_output(layer.fine_weights).astype(np.int32)
        coarse = _lane_is_output(layer.coarse_weights).astype(np.int32)
        self._stem = lambda image: portable.stem(
            image,
            fine,
            layer.fine_bias,
            layer.fine_shift,
            coarse,
            layer.coarse_bias,
            layer.coarse_shift,
            out,
        )
        return out

    def _add_block(self, layer: BinaryBlock, stream: np.ndarray) -> np.ndarray:
        height, width, _ = stream.shape
        border = layer.kernel // 2
        bits = np.zeros(
            (height + 2 * border, width + 2 * border, words_for(layer.inputs)), np.uint64
        )
        in_place = layer.stride == 1 and layer.outputs == layer.inputs
        shape = (height // layer.stride, width // layer.stride, layer.outputs)
        out = stream if in_place else np.empty(shape, np.int16)
        weights = _lane_is_output(layer.weights)
        slope, offset, leak = (a.astype(np.int32) for a in (layer.slope, layer.offset, layer.leak))
        shift = slope_shift(layer.count)
        self._steps.append(lambda: portable.threshold(stream, layer.threshold, border, bits))
        self._steps.append(
            lambda: portable.convolve_to_stream(
                bits, weights, layer.kernel, layer.stride, slope, offset, leak, shift, stream, out
            )
        )
        return out

    def _add_embedding(self, layer: Embedding, stream: np.ndarray) -> None:
        out, word = self._room.take(layer)
        self._steps.append(lambda: portable.embedding(stream, layer.levels, layer.every, out, word))


class PortableIndex(FlatIndex):
    """The bank transposed, so that a lane is an entry; one such bank for every neighbourhood."""

    def __init__(self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None) -> None:
        super().__init__(bank, neighbourhoods)
        near = neighbourhoods or Neighbourhoods.everywhere(self.entries, 0, 0)
        everything_met = [near.met(cell) for cell in range(len(near.near))]
        self._cells = [(met, np.ascontiguousarray(self.bank[met].T)) for met in everything_met]

    def _nearest_patches(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distances = np.empty(len(queries), np.int32)
        indices = np.empty(len(queries), np.int32)
        near = self.neighbourhoods
        if near is None:
            portable.nearest(queries, self._cells[0][1], distances, indices)
            return distances, indices
        for cell, (met, turned) in enumerate(self._cells):
            asking = np.flatnonzero(near.cell_of_query == cell)
            apart = np.empty(len(asking), np.int32)
            which = np.empty(len(asking), np.int32)
            portable.nearest(queries[asking], turned, apart, which)
            distances[asking], indices[asking] = apart, met[which]
        return distances, indices


def _lane_is_output(weights: np.ndarray) -> np.ndarray:
    """(outputs, ...) -> contiguous (product of the rest, outputs)."""
    return np.ascontiguousarray(weights.reshape(len(weights), -1).T)
