"""The definition of every operation, in plain NumPy: slow, obvious, and what all others must equal.

Maps are NHWC without the N: (height, width, channels); bits are packed as in ``kernels.bits``.
"""

from __future__ import annotations

import numpy as np

from kernels.bits import pack, unpack
from kernels.codes import by_grid
from kernels.errors import ShapeError
from kernels.neighbourhoods import Neighbourhoods
from kernels.network import (
    STREAM_CLIP,
    BinaryBlock,
    Embedding,
    Network,
    Stem,
    slope_shift,
)


def mismatches(bits: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """Count the bits that differ from each output channel's weights, window by window.

    The window is centred on every ``stride``-th position; positions outside the map have all bits
    clear. A sum of +1/-1 products over the same window is ``count - 2 * mismatches``.

    Args:
        bits: uint64 (h, w, words).
        weights: uint64 (outputs, k, k, words), k = 1 or 3.
        stride: 1 or 2.

    Returns:
        int32 (ceil(h / stride), ceil(w / stride), outputs).
    """
    if bits.shape[2] != weights.shape[3]:
        raise ShapeError(f"{bits.shape[2]} words per position, {weights.shape[3]} in the weights")
    kernel = weights.shape[1]
    border = kernel // 2
    padded = np.pad(unpack(bits), ((border, border), (border, border), (0, 0)))
    wanted = unpack(weights)
    height, width = -(-bits.shape[0] // stride), -(-bits.shape[1] // stride)
    result = np.zeros((height, width, weights.shape[0]), np.int32)
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            window = padded[top : top + kernel, left : left + kernel]
            result[row, column] = (window != wanted).sum(axis=(1, 2, 3))
    return result


def convolve_to_bits(
    bits: np.ndarray, weights: np.ndarray, stride: int, limit: np.ndarray
) -> np.ndarray:
    """Binary convolution whose output is bits again: ``mismatches <= limit``.

    A batch norm followed by a sign is such a comparison; where its scale is negative, complement
    the weights of that channel.

    Args:
        bits: uint64 (h, w, words).
        weights: uint64 (outputs, k, k, words).
        stride: 1 or 2.
        limit: int32 (outputs,).

    Returns:
        uint64 (ceil(h / stride), ceil(w / stride), outputs / 64).
    """
    return pack(mismatches(bits, weights, stride) <= limit)


def threshold(stream: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Bits of a stream: int16 (h, w, c) > int16 (c,) -> uint64 (h, w, c / 64)."""
    return pack(stream > levels)


def halve(stream: np.ndarray) -> np.ndarray:
    """Mean of 2x2 positions, rounded: ``(sum + 2) >> 2``; int16 (h, w, c) -> (h/2, w/2, c)."""
    height, width, channels = stream.shape
    blocks = stream.astype(np.int32).reshape(height // 2, 2, width // 2, 2, channels)
    return ((blocks.sum(axis=(1, 3)) + 2) >> 2).astype(np.int16)


def binary_block(stream: np.ndarray, block: BinaryBlock) -> np.ndarray:
    """One residual block, see :class:`kernels.network.BinaryBlock`.

    Args:
        stream: int16 (h, w, inputs); h and w even if the stride is 2.
        block: parameters.

    Returns:
        int16 (h / stride, w / stride, outputs).
    """
    bits = threshold(stream, block.threshold)
    count = mismatches(bits, block.weights, block.stride)
    return add_to_stream(count, stream, block)


def add_to_stream(count: np.ndarray, stream: np.ndarray, block: BinaryBlock) -> np.ndarray:
    """The epilogue of a block: scale, bias, leak, shortcut.

    Args:
        count: int32 (h / stride, w / stride, outputs), mismatches.
        stream: int16 (h, w, inputs), what the block read.
        block: parameters.

    Returns:
        int16 (h / stride, w / stride, outputs).
    """
    shift = slope_shift(block.count)
    half = 1 << shift >> 1
    excess = block.count // 2 - count
    y = block.offset + ((excess * block.slope.astype(np.int32) + half) >> shift)
    y = np.maximum(y, (y * block.leak.astype(np.int32) + 128) >> 8)
    shortcut = halve(stream) if block.stride == 2 else stream
    shortcut = np.tile(shortcut, block.outputs // block.inputs).astype(np.int32)
    return np.clip(shortcut + y, -32768, 32767).astype(np.int16)


def stem(image: np.ndarray, layer: Stem) -> np.ndarray:
    """Picture to stream, see :class:`kernels.network.Stem`.

    Args:
        image: uint8 (h, w, 3), h and w multiples of 4.
        layer: parameters.

    Returns:
        int16 (h / 4, w / 4, channels).
    """
    padded = np.pad(image, ((1, 0), (1, 0), (0, 0)), mode="edge")
    fine = _integer_convolution(padded, layer.fine_weights, layer.fine_bias)
    fine = np.clip(fine >> layer.fine_shift, 0, 255)
    coarse = _integer_convolution(fine, layer.coarse_weights, layer.coarse_bias)
    return np.clip(coarse >> layer.coarse_shift, -32768, 32767).astype(np.int16)


def _integer_convolution(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Stride 2, no padding: (h, w, inputs) and (outputs, k, k, inputs) -> int32."""
    kernel = weights.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(0, 1))[::2, ::2]
    total = np.einsum("hwcij,oijc->hwo", windows.astype(np.int32), weights.astype(np.int32))
    return total + bias


def embedding(stream: np.ndarray, layer: Embedding) -> np.ndarray:
    """Bits of each patch, see :class:`kernels.network.Embedding`.

    Args:
        stream: int16 (h, w, channels).
        layer: parameters.

    Returns:
        uint64 (h / every, w / every, bits / 64).
    """
    height, width, _ = stream.shape
    every = layer.every
    clipped = np.clip(stream, -STREAM_CLIP, STREAM_CLIP).astype(np.int32)
    padded = np.pad(clipped, ((1, 1), (1, 1), (0, 0)), mode="edge")
    total = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    bits = np.concatenate([total > level for level in layer.levels], axis=2)
    return pack(bits[every - 1 :: every, every - 1 :: every])


def run(network: Network, image: np.ndarray) -> list[np.ndarray]:
    """A whole network.

    Args:
        network: the backbone.
        image: uint8 (h, w, 3), blue first.

    Returns:
        Per grid of patches, finest first, uint64 (h / spacing, w / spacing, words of all its
        embeddings).

    Raises:
        ShapeError: if the network does not take pictures of this size.
    """
    network.check_image_size(*image.shape[:2])
    stream, codes = np.empty(0, np.int16), []
    for layer in network.layers:
        if isinstance(layer, Stem):
            stream = stem(image, layer)
        elif isinstance(layer, BinaryBlock):
            stream = binary_block(stream, layer)
        else:
            codes.append(embedding(stream, layer))
    return by_grid(codes)


def nearest(
    queries: np.ndarray, bank: np.ndarray, neighbourhoods: Neighbourhoods | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For each query, the bank entry that differs in the fewest bits; the first of equals.

    Args:
        queries: uint64 (q, words).
        bank: uint64 (m, words), m at least 1.
        neighbourhoods: which entries each query may meet; None for all.

    Returns:
        Distances in bits, int32 (q,), and indices into the bank, int32 (q,).
    """
    if not len(bank):
        raise ShapeError("the memory bank is empty: there is nothing to compare with")
    distances = np.empty(len(queries), np.int32)
    indices = np.empty(len(queries), np.int32)
    for number, query in enumerate(queries):
        apart = unpack(query ^ bank).sum(axis=1)
        if neighbourhoods is not None:
            met = neighbourhoods.met(neighbourhoods.cell_of_query[number])
            apart[np.setdiff1d(np.arange(len(bank)), met)] = 64 * bank.shape[1] + 1
        indices[number] = apart.argmin()
        distances[number] = apart[indices[number]]
    return distances, indices
