"""Random backbones: every layer type, every shape that the family allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kernels import reference
from kernels.bits import pack
from kernels.network import BinaryBlock, Embedding, Layer, Network, Stem, slope_limit, slope_shift
from tests.good_parts import draw_part


def random_stem(rng: np.random.Generator, inner: int, channels: int, most: int = 40) -> Stem:
    fine = rng.integers(-most, most + 1, (inner, 3, 3, 3)).astype(np.int8)
    coarse = rng.integers(-30, 31, (channels, 2, 2, inner)).astype(np.int8)
    return Stem(
        fine_weights=fine,
        fine_bias=(rng.integers(-3000, 3000, inner) - 128 * fine.sum((1, 2, 3))).astype(np.int32),
        fine_shift=6,
        coarse_weights=coarse,
        coarse_bias=rng.integers(-9000, 9000, channels).astype(np.int32),
        coarse_shift=6,
    )


def random_block(
    rng: np.random.Generator, inputs: int, outputs: int, kernel: int, stride: int
) -> BinaryBlock:
    count = kernel * kernel * inputs
    # Contributions of a few hundred steps around zero, of either sign.
    scale = rng.uniform(-1, 1, outputs) * 100 / np.sqrt(count)
    slope = scale * (1 << slope_shift(count))
    return BinaryBlock(
        stride=stride,
        threshold=rng.integers(-200, 200, inputs).astype(np.int16),
        weights=pack(rng.integers(0, 2, (outputs, kernel, kernel, inputs))),
        slope=np.clip(slope, -slope_limit(count), slope_limit(count)).astype(np.int16),
        offset=rng.normal(0, 50, outputs).astype(np.int16),
        leak=rng.integers(0, 256, outputs).astype(np.int16),
    )


def random_network(seed: int, blocks: int = 4) -> Network:
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([64, 128]))
    most = int(rng.choice([40, 127]))  # three colours come to what a byte holds, or to more
    layers: list[Layer] = [random_stem(rng, int(rng.choice([4, 16, 20])), channels, most)]
    stride = finest = 4
    for number in range(blocks):
        step = int(rng.choice([1, 1, 2])) if stride < 16 else 1
        outputs = channels * int(rng.choice([1, 2])) if channels < 256 else channels
        layers.append(random_block(rng, channels, outputs, int(rng.choice([1, 3, 3])), step))
        channels, stride = outputs, stride * step
        if number == blocks - 1 or rng.random() < 0.4:
            levels = rng.normal(0, 1500, (int(rng.integers(1, 4)), channels)).astype(np.int32)
            every = 2 if stride < finest else int(rng.choice([1, 1, 2]))
            layers.append(Embedding(stride, levels, every))
            finest = stride * every
    return Network(name=f"random{seed}", layers=tuple(layers))


def tiny_network() -> Network:
    """A small backbone of the shape that detectors expect, always the same.

    Its weights are random; the levels of its bits are medians over a drawn part, so that every bit
    tells something.
    """
    rng = np.random.default_rng(20)
    image = draw_part(0)
    layers: list[Layer] = [random_stem(rng, 8, 64)]
    stream = reference.stem(image, layers[0])
    for stride in (8, 16):
        block = random_block(rng, 64, 64, kernel=3, stride=2)
        levels = np.median(stream, axis=(0, 1)).astype(np.int16)
        layers.append(replace(block, threshold=levels))
        stream = reference.binary_block(stream, layers[-1])
        quantiles = 9 * np.quantile(stream, (0.3, 0.7), axis=(0, 1))
        layers.append(Embedding(stride, quantiles.astype(np.int32)))
    return Network("tiny", tuple(layers))
