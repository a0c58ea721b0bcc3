"""What a backbone is: a short list of layers with integer parameters.

The network is a *residual stream* (int16, one value per position and channel) that binary blocks
read one bit at a time and add to::

    image uint8 ──Stem──► stream ──BinaryBlock──► stream ──BinaryBlock──► ...
                                         │
                                     Embedding ──► bits of each patch at this stride

Everything is defined in integers, with right shifts that round downwards, and every intermediate
value stays below 2**24. Hence each operation is exact in float32 as well, in any order of
summation, with or without fused multiply-add, and a network gives the same bits from integer
SIMD, from ONNX Runtime and from TFLite, on any processor. ``kernels.reference`` spells each layer
out in NumPy and is the definition.

Layers are plain data. Who executes them is a matter of ``kernels.backends``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from kernels.bits import WORD_BITS, words_for
from kernels.errors import ShapeError

STREAM_STEPS = 64
"""Steps of the stream per unit of the float network that it was trained as."""

STREAM_CLIP = 3640
"""An embedding sums nine stream values; clipped to this, the sum stays within int16."""

_FLOAT32_EXACT = 1 << 24


def slope_shift(count: int) -> int:
    """Right shift after ``excess * slope``, for a convolution over ``count`` bits.

    The smallest shift for which ``excess << (15 - shift)`` fits an int16, so that the product,
    the rounding and the shift are one instruction where a processor has it (``pmulhrsw``,
    ``sqrdmulh``).
    """
    return 16 - (32767 // (count // 2)).bit_length()


def slope_limit(count: int) -> int:
    """Largest absolute slope for which ``excess * slope`` plus rounding is exact in float32."""
    half = 1 << slope_shift(count) >> 1
    return min(32767, (_FLOAT32_EXACT - 1 - half) // (count // 2))


@dataclass(frozen=True, eq=False)
class Stem:
    """Picture to stream at stride 4, in two small int8 convolutions.

    ``fine``: 3x3, stride 2, over the picture extended by one replicated row above and column to
    the left; ``clip((sum + bias) >> shift, 0, 255)``. ``coarse``: 2x2, stride 2;
    ``clip((sum + bias) >> shift, -32768, 32767)`` is the stream. Rounding is part of the biases.

    Attributes:
        fine_weights: int8 (inner, 3, 3, 3), the last axis blue, green, red; none is -128, so that
            two products of bytes with signs fit 16 bits.
        fine_bias: int32 (inner,).
        fine_shift: bits to the right.
        coarse_weights: int8 (channels, 2, 2, inner), likewise.
        coarse_bias: int32 (channels,).
        coarse_shift: bits to the right.
    """

    fine_weights: np.ndarray
    fine_bias: np.ndarray
    fine_shift: int
    coarse_weights: np.ndarray
    coarse_bias: np.ndarray
    coarse_shift: int

    @property
    def channels(self) -> int:
        """Of the stream."""
        return int(self.coarse_weights.shape[0])


@dataclass(frozen=True, eq=False)
class BinaryBlock:
    """A 3x3 or 1x1 XNOR-popcount convolution, added to the stream.

    With bits ``b = stream > threshold`` (outside the picture: clear), the ``excess`` of a window is
    half the sum of products of signs: ``count / 2`` less the bits of ``b`` that differ from the
    weights::

        y       = offset + ((excess * slope + half) >> slope_shift(count))
        y       = max(y, (y * leak + 128) >> 8)
        stream' = clip(shortcut(stream) + y, -32768, 32767)

    The shortcut at stride 2 is ``(sum of 2x2 + 2) >> 2``; where the block widens the stream, its
    channels are repeated as a whole (0..C-1, 0..C-1).

    Attributes:
        stride: 1 or 2.
        threshold: int16 (inputs,).
        weights: uint64 (outputs, k, k, inputs / 64), k = 1 or 3.
        slope: int16 (outputs,), at most ``slope_limit(count)`` in magnitude.
        offset: int16 (outputs,).
        leak: int16 (outputs,), 0 .. 255.
    """

    stride: int
    threshold: np.ndarray
    weights: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    leak: np.ndarray

    @property
    def inputs(self) -> int:
        """Channels read."""
        return int(self.weights.shape[3]) * WORD_BITS

    @property
    def outputs(self) -> int:
        """Channels written."""
        return int(self.weights.shape[0])

    @property
    def kernel(self) -> int:
        """Side of the window, 1 or 3."""
        return int(self.weights.shape[1])

    @property
    def count(self) -> int:
        """Bits in one window, the largest possible number of mismatches."""
        return self.kernel * self.kernel * self.inputs


@dataclass(frozen=True, eq=False)
class Embedding:
    """Bits of each patch: ``sum over 3x3 of clip(stream, -3640, 3640) > level``.

    With several levels a channel gives several bits, and the Hamming distance between two patches
    counts the levels that lie between them. Positions outside the picture repeat the nearest one
    inside. The stream goes on unchanged.

    Where patches lie farther apart than positions, each takes the bits of the last position (the
    lowest, rightmost) of its ``every x every``: a block at stride 2 is centred on the first, so
    that its bits tell of what those of the coarser stride see least of.

    Attributes:
        stride: of this point of the network, in input pixels per position.
        levels: int32 (n, channels); bit ``i * channels + c`` compares channel c with level i.
        every: positions per patch down and across, 1 or 2.
    """

    stride: int
    levels: np.ndarray
    every: int = 1

    @property
    def spacing(self) -> int:
        """Of its patches, in input pixels."""
        return self.stride * self.every

    @property
    def channels(self) -> int:
        """Channels of the stream here."""
        return int(self.levels.shape[1])

    @property
    def bits(self) -> int:
        """Bits of a patch at this stride."""
        return int(self.levels.size)


Layer = Stem | BinaryBlock | Embedding

_DTYPES = {
    "fine_weights": np.int8,
    "fine_bias": np.int32,
    "coarse_weights": np.int8,
    "coarse_bias": np.int32,
    "threshold": np.int16,
    "weights": np.uint64,
    "levels": np.int32,
    "slope": np.int16,
    "offset": np.int16,
    "leak": np.int16,
}


@dataclass(frozen=True, eq=False)
class Network:
    """A backbone: one stem, then blocks and embeddings in order.

    Attributes:
        name: how people call it.
        layers: Stem first; at least one Embedding.

    Raises:
        ShapeError: if the layers do not fit together or break an exactness bound.
    """

    name: str
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        _check(self)

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """What leaves the network, finest first."""
        return tuple(layer for layer in self.layers if isinstance(layer, Embedding))

    @property
    def spacings(self) -> tuple[int, ...]:
        """Of the grids of patches that leave the network, finest first, in input pixels."""
        return tuple(dict.fromkeys(embedding.spacing for embedding in self.embeddings))

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the embeddings, finest first, in input pixels."""
        return tuple(dict.fromkeys(embedding.stride for embedding in self.embeddings))

    @property
    def size_multiple(self) -> int:
        """Height and width of a picture must be multiples of this."""
        stride = 4
        for layer in self.layers:
            if isinstance(layer, BinaryBlock):
                stride *= layer.stride
        return math.lcm(stride, *self.spacings)

    def with_patches_every(self, pixels: int) -> Network:
        """The same network, its finer embeddings at patches so many input pixels apart.

        Raises:
            ShapeError: if an embedding's stride is finer than half of that.
        """
        layers = (
            replace(layer, every=max(1, pixels // layer.stride))
            if isinstance(layer, Embedding)
            else layer
            for layer in self.layers
        )
        return Network(self.name, tuple(layers))

    def without_surroundings(self) -> Network:
        """The same network as far as it tells of a patch itself: without its coarsest embeddings.

        Blocks that only these need go as well. Where all embeddings are of one stride, nothing
        goes.
        """
        finer = [
            position
            for position, layer in enumerate(self.layers)
            if isinstance(layer, Embedding) and layer.stride < self.embeddings[-1].stride
        ]
        return Network(self.name, self.layers[: finer[-1] + 1]) if finer else self

    @property
    def stem(self) -> Stem:
        """The first layer."""
        first = self.layers[0]
        assert isinstance(first, Stem)
        return first

    @property
    def stem_words(self) -> int:
        """Words of a patch, its first ones, that tell what the stem saw; 0 if that is all."""
        without = self.without_stem_bits()
        return self.words_per_patch - without.words_per_patch

    def without_stem_bits(self) -> Network:
        """The same network as far as its blocks tell of a patch: without embeddings before them.

        Where there are no others, nothing goes.
        """
        blocks = [i for i, layer in enumerate(self.layers) if isinstance(layer, BinaryBlock)]
        behind = self.layers[blocks[0] :] if blocks else ()
        if not any(isinstance(layer, Embedding) for layer in behind):
            return self
        return Network(self.name, (self.stem, *behind))

    @property
    def is_fine(self) -> bool:
        """Whether its blocks tell of patches at the stem's stride, the finest there is."""
        return 4 in self.without_stem_bits().strides

    @property
    def words_per_patch(self) -> int:
        """Of 64 bits, in a patch."""
        return sum(words_for(embedding.bits) for embedding in self.embeddings)

    def check_image_size(self, height: int, width: int) -> None:
        """Raises ShapeError unless a picture of this size can be run."""
        multiple = self.size_multiple
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise ShapeError(
                f"{self.name} takes pictures whose height and width are multiples of {multiple},"
                f" not {height} x {width}"
            )

    def macs(self, height: int, width: int) -> int:
        """Binary multiply-accumulates for one picture (the stem's int8 ones are not counted)."""
        h, w, total = height // 4, width // 4, 0
        for layer in self.layers:
            if isinstance(layer, BinaryBlock):
                h, w = h // layer.stride, w // layer.stride
                total += h * w * layer.outputs * layer.count
        return total


def arrays_of(layer: Layer) -> Iterator[tuple[str, np.ndarray]]:
    """The array fields of a layer, by name, in the order of declaration."""
    for field in fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value


def _check(network: Network) -> None:
    layers = network.layers
    if not layers or not isinstance(layers[0], Stem):
        raise ShapeError(f"network {network.name!r} must begin with a stem")
    if not any(isinstance(layer, Embedding) for layer in layers):
        raise ShapeError(f"network {network.name!r} has no embedding, so nothing leaves it")
    channels, stride = 0, 4
    for position, layer in enumerate(layers):
        where = f"layer {position} of network {network.name!r}"
        for name, array in arrays_of(layer):
            if array.dtype != _DTYPES[name]:
                wanted = np.dtype(_DTYPES[name])
                raise ShapeError(f"{where}: {name} is {array.dtype}, not {wanted}")
        if isinstance(layer, Stem):
            if position:
                raise ShapeError(f"{where}: a second stem")
            channels = _check_stem(layer, where)
        elif isinstance(layer, BinaryBlock):
            channels = _check_block(layer, channels, where)
            stride *= layer.stride
        else:
            _check_embedding(layer, channels, stride, where)
    if list(network.spacings) != sorted(network.spacings):
        raise ShapeError(f"the patches of network {network.name!r} become finer along it")


def _check_stem(stem: Stem, where: str) -> int:
    inner = stem.fine_weights.shape[0]
    channels = stem.coarse_weights.shape[0]
    words_for(channels)
    shapes = {
        "fine_weights": (inner, 3, 3, 3),
        "fine_bias": (inner,),
        "coarse_weights": (channels, 2, 2, inner),
        "coarse_bias": (channels,),
    }
    for name, shape in shapes.items():
        if getattr(stem, name).shape != shape:
            raise ShapeError(f"{where}: {name} is {getattr(stem, name).shape}, not {shape}")
    for name in ("fine", "coarse"):
        weights, bias = getattr(stem, f"{name}_weights"), getattr(stem, f"{name}_bias")
        if weights.size and weights.min() == -128:
            raise ShapeError(f"{where}: {name}_weights hold -128; they are -127 .. 127")
        reach = 255 * np.abs(weights.astype(np.int64)).reshape(len(bias), -1).sum(1)
        if (reach + np.abs(bias.astype(np.int64))).max() >= _FLOAT32_EXACT:
            raise ShapeError(f"{where}: the {name} sums may leave the range that float32 holds")
        if not 0 <= getattr(stem, f"{name}_shift") < 24:
            raise ShapeError(f"{where}: {name}_shift is {getattr(stem, f'{name}_shift')}")
    return int(channels)


def _check_embedding(layer: Embedding, channels: int, stride: int, where: str) -> None:
    if layer.levels.ndim != 2 or not len(layer.levels) or layer.channels != channels:
        raise ShapeError(f"{where}: levels of shape {layer.levels.shape} for {channels} channels")
    if layer.stride != stride:
        raise ShapeError(f"{where}: says stride {layer.stride}, stands at stride {stride}")
    if layer.every not in (1, 2):
        raise ShapeError(f"{where}: a patch every {layer.every} positions; it is 1 or 2")


def _check_block(block: BinaryBlock, channels: int, where: str) -> int:
    if (
        block.weights.ndim != 4
        or block.kernel not in (1, 3)
        or block.weights.shape[2] != block.kernel
    ):
        raise ShapeError(f"{where}: weights of shape {block.weights.shape}; kernels are 1x1 or 3x3")
    if block.stride not in (1, 2):
        raise ShapeError(f"{where}: stride {block.stride}; strides are 1 or 2")
    if block.inputs != channels or block.threshold.shape != (channels,):
        raise ShapeError(f"{where}: reads {block.inputs} channels of a stream of {channels}")
    words_for(block.outputs)
    if block.outputs % block.inputs:
        raise ShapeError(
            f"{where}: {block.outputs} outputs are no multiple of {block.inputs} inputs"
        )
    for name in ("slope", "offset", "leak"):
        if getattr(block, name).shape != (block.outputs,):
            raise ShapeError(f"{where}: {name} has shape {getattr(block, name).shape}")
    if block.leak.min() < 0 or block.leak.max() > 255:
        raise ShapeError(f"{where}: leak outside 0 .. 255")
    slope = np.abs(block.slope.astype(np.int64))
    if slope.max() > slope_limit(block.count):
        raise ShapeError(f"{where}: a slope of {slope.max()} exceeds {slope_limit(block.count)}")
    reach = (slope * (block.count // 2) >> slope_shift(block.count)) + 1
    if (np.abs(block.offset.astype(np.int64)) + reach).max() > 32767:
        raise ShapeError(f"{where}: offset and slope may leave the range of int16")
    return block.outputs
