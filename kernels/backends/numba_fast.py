"""Networks and banks on the fast ways of counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kernels import convolution, search, stem
from kernels.backends.base import Executor, Index
from kernels.binary_convolution import SPARE_COLUMNS
from kernels.bits import pack, unpack, words_for
from kernels.codes import Room, gather
from kernels.compiled import bound
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import BinaryBlock, Embedding, Network, Stem, slope_shift
from kernels.processor import way_module
from kernels.vectors import LANES, aligned

_NO_SIGNS = np.zeros((0, 0, 0), np.uint64)


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
        self._stem(image)
        for step in self._steps:
            step()
        return self._room.codes

    def _add_stem(self, layer: Stem, block: BinaryBlock | None) -> tuple[np.ndarray, _Signs]:
        out = aligned(np.zeros((self.height // 4, self.width // 4, layer.channels), np.int16))
        signs = _Signs(block, out.shape)
        weights = stem.lay_out(layer, self.width)
        shifts = np.int32(layer.fine_shift), np.int32(layer.coarse_shift)
        self._stem = lambda image: stem.stem(
            image, weights, *shifts, out, signs.threshold, signs.border, signs.bits
        )
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
        self._guides: tuple[np.ndarray, ...] | None = None

    def _nearest(self, codes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        levels = self._levels(codes)
        shapes = [level.shape for level in levels]
        if shapes != self._shapes:
            self._prepare(levels)
            self._shapes = shapes
        found = self._begin, self._distances, self._indices
        if len(levels) == 1:
            search.nearest(*self._bank, *levels, *found)
        else:
            if self._guides:
                search.nearest_guides(*self._guides, levels[1], self._begin)
            search.nearest_in_blocks(*self._bank, *levels, *found)
        return self._distances, self._indices

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
        entries, panels = _in_panels(near.entries)
        words = np.cumsum([level.shape[2] for level in levels])[:-1]
        parts = np.split(self.bank[entries], words, axis=1)
        laid_out = [
            self._lay_out(np.ascontiguousarray(part), level.shape)
            for part, level in zip(parts, levels, strict=True)
        ]
        every = rows // len(levels[-1])
        cell_of_query = near.cell_of_query.reshape(rows, columns)[::every, ::every]
        self._bank = (*laid_out, entries, panels, *_runs(near, cell_of_query))
        home = np.array([c if c in cells else cells[0] for c, cells in enumerate(near.near)])
        home = home[cell_of_query].astype(np.int32)
        self._begin = panels[home]
        self._guides = None
        if len(levels) > 1 and np.diff(panels).max() > 1:
            parted = parts[1].reshape(-1, LANES, parts[1].shape[1])
            guides = pack(unpack(parted).mean(axis=1) > 0.5)
            own = [np.arange(*panels[c : c + 2]) for c in range(len(near.near))]
            panel_of_guide, first = _in_panels(own)
            laid_out_guides = self._lay_out(guides[panel_of_guide], levels[1].shape)
            self._guides = laid_out_guides, panel_of_guide, first, home
        self._distances = np.empty((rows, columns), np.int32)
        self._indices = np.empty((rows, columns), np.int32)


def _in_panels(numbers: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of each cell in whole panels, int32, and the first panel of each, int32 (cells + 1,).

    Copies of a cell's first number fill its last panel: what they stand for is never closer.
    """
    padded = [np.concatenate([own, np.repeat(own[:1], -len(own) % LANES)]) for own in numbers]
    ends = np.cumsum([0] + [len(own) // LANES for own in padded])
    return np.concatenate(padded).astype(np.int32), ends.astype(np.int32)


def _runs(near: Neighbourhoods, cell_of_query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which queries meet the entries of each cell, as ``search`` reads it.

    Args:
        near: which cells meet.
        cell_of_query: int32 (rows, columns), of queries or of their blocks.

    Returns:
        ``runs`` and ``first_run``.
    """
    columns = cell_of_query.shape[1]
    order = np.argsort(cell_of_query.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(cell_of_query.ravel(), minlength=len(near.near)))
    inside = np.split(order, ends[:-1])
    meets: list[list[np.ndarray]] = [[] for _ in near.near]  # queries, by the cell they meet
    for cell, cells in enumerate(near.near):
        for met in cells:
            meets[met].append(inside[cell])
    runs, count = [], [0]
    for queries in meets:
        row, column = np.divmod(np.sort(np.concatenate(queries or [order[:0]])), columns)
        goes_on = (np.diff(row, prepend=-1) == 0) & (np.diff(column, prepend=-1) == 1)
        begins = np.flatnonzero(~goes_on)
        after = np.append(begins[1:], len(row))[: len(begins)] - 1
        runs.append(np.stack([row[begins], column[begins], column[after] + 1], axis=1))
        count.append(count[-1] + len(begins))
    return np.concatenate(runs).astype(np.int32), np.array(count, np.int32)
