"""Networks and banks on the fast ways of counting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kernels import convolution, search, stem
from kernels.backends.base import Executor, Index
from kernels.binary_convolution import SPARE_COLUMNS
from kernels.bits import words_for
from kernels.codes import Room, gather
from kernels.compiled import bound
from kernels.meetings import PANELS_AT_ONCE, in_panels, meetings_of
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import BinaryBlock, Embedding, Network, Stem, slope_shift
from kernels.processor import way_module
from kernels.vectors import LANES, aligned

_Stem = Callable[[np.ndarray], object]

_NO_SIGNS = np.zeros((0, 0, 0), np.uint64)
_NO_LANES = np.zeros((0, 0), np.uint64)


class _Signs:
    """The bits that one block leaves for the next, with the border that the next one needs."""

    def __init__(self, block: BinaryBlock | None, shape: tuple[int, ...]) -> None:
        rows, columns, channels = shape
        self.border = block.kernel // 2 if block else 0
        self.threshold = block.threshold if block else np.zeros(channels, np.int16)
        self.bits = _NO_SIGNS
        if block:
            around = 2 * self.border
            shape = (rows + around, columns + around + SPARE_COLUMNS, words_for(channels))
            self.bits = np.zeros(shape, np.uint64)


class FastExecutor(Executor):
    """The layers as a list of kernel calls on buffers that are allocated once.

    Args:
        network: the backbone.
        height: of the pictures.
        width: of the pictures.
        way: of counting, see :mod:`kernels.processor`.
    """

    def __init__(self, network: Network, height: int, width: int, way: str) -> None:
        super().__init__(network, height, width)
        self._lay_out = way_module(way).lay_out
        self._room = Room(network, height, width)
        self._steps: list[Callable[[], object]] = []
        blocks = [layer for layer in network.layers if isinstance(layer, BinaryBlock)]
        following = iter([*blocks, None])
        stream, signs = self._add_stem(network.stem, next(following))
        for layer in network.layers[1:]:
            if isinstance(layer, BinaryBlock):
                stream, signs = self._add_block(layer, stream, signs, next(following))
            elif isinstance(layer, Embedding):
                self._add_embedding(layer, stream)

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        return self._run_behind(self._stem, image)

    def _run_grey(self, image: np.ndarray) -> list[np.ndarray]:
        return self._run_behind(self._grey_stem, image)

    def _run_behind(self, stem: _Stem, image: np.ndarray) -> list[np.ndarray]:
        stem(image)
        for step in self._steps:
            step()
        return self._room.codes

    def _add_stem(self, layer: Stem, block: BinaryBlock | None) -> tuple[np.ndarray, _Signs]:
        out = aligned(np.zeros((self.height // 4, self.width // 4, layer.channels), np.int16))
        signs = _Signs(block, out.shape)
        shifts = np.int32(layer.fine_shift), np.int32(layer.coarse_shift)

        def reader(*, grey: bool) -> _Stem:
            weights = stem.lay_out(layer, self.width, grey=grey)
            return lambda image: stem.stem(
                image, weights, *shifts, out, signs.threshold, signs.border, signs.bits
            )

        self._stem, self._grey_stem = reader(grey=False), reader(grey=True)
        return out, signs

    def _add_block(
        self, layer: BinaryBlock, stream: np.ndarray, read: _Signs, block: BinaryBlock | None
    ) -> tuple[np.ndarray, _Signs]:
        height, width, _ = stream.shape
        in_place = layer.stride == 1 and layer.outputs == layer.inputs
        shape = (height // layer.stride, width // layer.stride, layer.outputs)
        out = stream if in_place else aligned(np.zeros(shape, np.int16))
        signs = _Signs(block, shape)
        weights = self._lay_out(layer.weights.reshape(layer.outputs, -1), read.bits.shape)
        parameters = np.stack([layer.slope, layer.offset, layer.leak << 7]).astype(np.int16)
        shift = slope_shift(layer.count)
        self._steps.append(
            bound(
                convolution.convolve_to_stream,
                weights,
                read.bits,
                layer.kernel,
                layer.stride,
                parameters,
                shift,
                stream,
                out,
                signs.threshold,
                signs.border,
                signs.bits,
            )
        )
        return out, signs

    def _add_embedding(self, layer: Embedding, stream: np.ndarray) -> None:
        out, word = self._room.take(layer)
        sums = aligned(np.zeros((3, *stream.shape[1:]), np.int16))
        # No sum reaches the ends of int16, so that clipped levels decide the same.
        levels = aligned(np.clip(layer.levels, -32768, 32767).astype(np.int16))
        step = bound(stem.embedding, stream, levels, layer.every, sums, out, word)
        self._steps.append(step)


class FastIndex(Index):
    """The bank as filters of a 1x1 convolution, cell by cell, stride by stride.

    Args:
        bank: uint64 (m, words).
        neighbourhoods: which entries each query may meet; None for all.
        way: of counting, see :mod:`kernels.processor`.
    """

    def __init__(self, bank: np.ndarray, neighbourhoods: Neighbourhoods | None, way: str) -> None:
        super().__init__(bank, neighbourhoods)
        self._lay_out = way_module(way).lay_out
        self._shapes: list[tuple[int, ...]] = []

    def _nearest(self, codes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        levels = self._ready(codes)
        self._search(levels, self._lanes)
        fine, coarse = levels if len(levels) > 1 else (*levels, levels[0][..., :0])
        found = *self._found, self._lanes, self._indices
        search.first_of_nearest(self.bank, self._entries, self._meetings, fine, coarse, *found)
        return self._found[0], self._indices

    def _nearest_distances(self, codes: list[np.ndarray]) -> np.ndarray:
        self._search(self._ready(codes), _NO_LANES)
        return self._found[0]

    def _search(self, levels: list[np.ndarray], lanes: np.ndarray) -> None:
        found = *self._found, lanes
        if len(levels) == 1:
            search.nearest(*self._weights, self._meetings, *levels, *found)
        else:
            search.nearest_in_blocks(
                *self._weights, self._meetings, *levels, *self._scratch, *found
            )

    def _ready(self, codes: list[np.ndarray]) -> list[np.ndarray]:
        """The codes in levels, and all that is kept for such."""
        levels = self._levels(codes)
        shapes = [level.shape for level in levels]
        if shapes != self._shapes:
            self._prepare(levels)
            self._shapes = shapes
        return levels

    def _levels(self, codes: list[np.ndarray]) -> list[np.ndarray]:
        """One grid, or a fine one in blocks under a coarse one if cells are whole blocks."""
        if len(codes) == 1:
            return codes
        block = len(codes[0]) // len(codes[1])
        if self.neighbourhoods is not None and self.neighbourhoods.side % block:
            return [gather(codes)]
        return [codes[0], codes[1] if len(codes) == 2 else gather(codes[1:])]

    def _prepare(self, levels: list[np.ndarray]) -> None:
        rows, columns, _ = levels[0].shape
        near = self.neighbourhoods or Neighbourhoods.everywhere(self.entries, rows, columns)
        self._entries, panels = in_panels(near.entries)
        words = np.cumsum([level.shape[2] for level in levels])[:-1]
        parts = np.split(self.bank[self._entries], words, axis=1)
        self._weights = [
            self._lay_out(np.ascontiguousarray(part), level.shape)
            for part, level in zip(parts, levels, strict=True)
        ]
        every = rows // len(levels[-1])
        cell_of_query = near.cell_of_query.reshape(rows, columns)[::every, ::every]
        self._meetings = meetings_of(near, panels, cell_of_query)
        common = aligned(np.empty((PANELS_AT_ONCE, LANES), np.int16))
        self._scratch = common, np.empty(PANELS_AT_ONCE, np.int32)
        size = rows, columns
        self._found = np.empty(size, np.int32), np.empty(size, np.int32)
        self._lanes = np.empty(size, np.uint64)
        self._indices = np.empty(size, np.int32)
