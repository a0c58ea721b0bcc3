from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels import network_file, reference
from kernels.codes import gather
from kernels.errors import NotOurFile, ShapeError
from kernels.network import BinaryBlock, Embedding, Network, Stem, slope_limit
from tests.random_networks import random_block, random_network, random_stem

RNG = np.random.default_rng(0)
STEM = random_stem(RNG, 4, 64)
BLOCK = random_block(RNG, 64, 64, kernel=3, stride=1)
OUT = Embedding(4, np.zeros((1, 64), np.int32))
WIDE_STEM = random_stem(RNG, 4, 128)
WIDE_BLOCK = random_block(RNG, 128, 128, kernel=3, stride=1)
WIDE_OUT = Embedding(4, np.zeros((1, 128), np.int32))
TOO_STEEP = np.full(128, slope_limit(1152) + 1, np.int16)
STEEPEST = np.full(128, slope_limit(1152), np.int16)


def _with_lowest(stem: Stem, name: str) -> Stem:
    weights = getattr(stem, name).copy()
    weights.flat[0] = -128
    return replace(stem, **{name: weights})


def test_a_file_gives_the_same_network(tmp_path: Path) -> None:
    network = random_network(5)
    network_file.save(tmp_path / "n.bnn", network, {"made": "here"})
    back = network_file.load(tmp_path / "n.bnn")
    side = 2 * network.size_multiple
    image = RNG.integers(0, 256, (side, side, 3)).astype(np.uint8)
    for one, other in zip(reference.run(back, image), reference.run(network, image), strict=True):
        np.testing.assert_array_equal(one, other)
    assert back.name == network.name


def test_a_model_file_is_no_backbone_file(tmp_path: Path) -> None:
    path = tmp_path / "n.bnn"
    path.write_bytes(b"EA-MODEL" + bytes(100))
    with pytest.raises(NotOurFile, match="backbone file"):
        network_file.load(path)


def test_multiply_accumulates_of_a_known_network() -> None:
    block = random_block(RNG, 64, 128, kernel=3, stride=2)
    network = Network("n", (STEM, BLOCK, block, Embedding(8, np.zeros((1, 128), np.int32))))
    assert network.macs(256, 256) == 64 * 64 * 64 * 576 + 32 * 32 * 128 * 576


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ((BLOCK, OUT), "must begin with a stem"),
        ((), "must begin with a stem"),
        ((STEM, BLOCK), "has no embedding"),
        ((STEM, STEM, OUT), "a second stem"),
        ((_with_lowest(STEM, "fine_weights"), OUT), "fine_weights hold -128"),
        ((_with_lowest(STEM, "coarse_weights"), OUT), "coarse_weights hold -128"),
        ((STEM, random_block(RNG, 128, 128, 3, 1), OUT), "reads 128 channels of a stream of 64"),
        ((STEM, Embedding(8, OUT.levels)), "says stride 8, stands at stride 4"),
        ((STEM, replace(OUT, every=3)), "a patch every 3 positions"),
        ((STEM, replace(OUT, every=2), OUT), "become finer along it"),
        ((STEM, Embedding(4, np.zeros((1, 128), np.int32))), "for 64 channels"),
        ((STEM, Embedding(4, np.zeros((0, 64), np.int32))), "for 64 channels"),
        ((STEM, replace(BLOCK, stride=3), OUT), "strides are 1 or 2"),
        ((STEM, replace(BLOCK, slope=BLOCK.slope.astype(np.int32)), OUT), "slope is int32"),
        ((WIDE_STEM, replace(WIDE_BLOCK, slope=TOO_STEEP), WIDE_OUT), "exceeds"),
        (
            (
                WIDE_STEM,
                replace(WIDE_BLOCK, slope=STEEPEST, offset=np.full(128, 32000, np.int16)),
                WIDE_OUT,
            ),
            "may leave the range of int16",
        ),
        ((STEM, replace(BLOCK, leak=np.full(64, 256, np.int16)), OUT), "leak outside"),
        ((STEM, replace(BLOCK, weights=BLOCK.weights[:, :2]), OUT), "kernels are 1x1 or 3x3"),
        (
            (replace(STEM, coarse_bias=np.full(64, 2**24, np.int32)), OUT),
            "leave the range that float32 holds",
        ),
    ],
)
def test_layers_that_do_not_fit(
    layers: tuple[Stem | BinaryBlock | Embedding, ...], sentence: str
) -> None:
    with pytest.raises(ShapeError, match=sentence):
        Network("bad", layers)


def test_finer_embeddings_are_seen_at_the_patches() -> None:
    block = random_block(RNG, 64, 64, kernel=3, stride=2)
    coarse = Embedding(8, RNG.normal(0, 900, (2, 64)).astype(np.int32))
    every = Network("every", (STEM, OUT, block, coarse))
    apart = every.with_patches_every(8)
    image = RNG.integers(0, 256, (16, 32, 3)).astype(np.uint8)
    fine, wanted = reference.run(every, image)
    (got,) = reference.run(apart, image)
    assert every.spacings == (4, 8)
    assert apart.spacings == (8,)
    np.testing.assert_array_equal(got[..., :1], fine[1::2, 1::2])
    np.testing.assert_array_equal(got[..., 1:], wanted)
    with pytest.raises(ShapeError, match="a patch every 4 positions"):
        every.with_patches_every(16)


def test_without_surroundings_patches_are_the_first_words_of_what_they_were() -> None:
    down = random_block(RNG, 64, 64, kernel=3, stride=2)
    middle = Embedding(8, RNG.normal(0, 900, (2, 64)).astype(np.int32))
    coarse = Embedding(16, RNG.normal(0, 900, (1, 64)).astype(np.int32))
    network = Network("n", (STEM, OUT, down, middle, down, coarse)).with_patches_every(8)
    detail = network.without_surroundings()
    assert network.strides == (4, 8, 16)
    assert detail.strides == (4, 8)
    assert detail.layers == network.layers[:4]
    assert (network.words_per_patch, detail.words_per_patch) == (4, 3)
    image = RNG.integers(0, 256, (32, 48, 3)).astype(np.uint8)
    whole, cut = (gather(reference.run(one, image)) for one in (network, detail))
    np.testing.assert_array_equal(cut, whole[..., :3])
    alone = Network("alone", (STEM, OUT))
    assert alone.without_surroundings() is alone


def test_bits_of_the_stem_are_the_first_words_of_a_patch() -> None:
    down = random_block(RNG, 64, 64, kernel=3, stride=2)
    middle = Embedding(8, RNG.normal(0, 900, (2, 64)).astype(np.int32))
    network = Network("n", (STEM, OUT, down, middle)).with_patches_every(8)
    blocks_only = network.without_stem_bits()
    assert blocks_only.layers == (network.stem, *network.layers[2:])
    assert (network.stem_words, blocks_only.stem_words) == (1, 0)
    image = RNG.integers(0, 256, (32, 48, 3)).astype(np.uint8)
    whole, cut = (gather(reference.run(one, image)) for one in (network, blocks_only))
    np.testing.assert_array_equal(cut, whole[..., 1:])
    for alone in (Network("alone", (STEM, OUT)), Network("alone", (STEM, OUT, down))):
        assert alone.without_stem_bits() is alone
        assert alone.stem_words == 0


def test_pictures_are_whole_patches() -> None:
    network = Network("n", (STEM, replace(OUT, every=2)))
    assert network.size_multiple == 8
    with pytest.raises(ShapeError, match="multiples of 8"):
        network.check_image_size(8, 12)
