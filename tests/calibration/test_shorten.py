"""Leaving blocks out of a backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.training.levels import sample
from calibration.training.shorten import export_shorter, shorten
from kernels import container, network_file, reference
from kernels.backends import choose
from kernels.bits import unpack
from kernels.network import BinaryBlock, Embedding, Network
from tests.noise_crops import NoiseCrops
from tests.random_networks import random_block, random_stem

_BACKEND = choose("numba").backend


def _whole() -> Network:
    """Bits, block 0 at stride 1, bits, block 1 at stride 2, block 2 at stride 1, bits."""
    rng = np.random.default_rng(3)
    levels = [rng.normal(0, 1500, (n, 64)).astype(np.int32) for n in (1, 2)]
    wide = rng.normal(0, 1500, (1, 128)).astype(np.int32)
    return Network(
        "whole",
        (
            random_stem(rng, 8, 64),
            Embedding(4, levels[0]),
            random_block(rng, 64, 64, kernel=3, stride=1),
            Embedding(4, levels[1]),
            random_block(rng, 64, 128, kernel=3, stride=2),
            random_block(rng, 128, 128, kernel=1, stride=1),
            Embedding(8, wide),
        ),
    )


def _pictures(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(count)]


def _times_set(network: Network, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """How often each bit is set, embedding after embedding, by the reference's sums."""
    counts = []
    for picture in pictures:
        stream, counted = np.empty(0), []
        for layer in network.layers:
            if isinstance(layer, Embedding):
                counted.append(unpack(reference.embedding(stream, layer)).sum(axis=(0, 1)))
            elif isinstance(layer, BinaryBlock):
                stream = reference.binary_block(stream, layer)
            else:
                stream = reference.stem(picture, layer)
        counts.append(counted)
    return [np.sum(each, axis=0) for each in zip(*counts, strict=True)]


def _levels(network: Network) -> list[np.ndarray]:
    return [embedding.levels for embedding in network.embeddings]


@pytest.mark.parametrize("without", [[0], [2], [0, 2]])
def test_bits_are_set_as_often_as_before(without: list[int]) -> None:
    whole, pictures = _whole(), _pictures()
    shorter = shorten(whole, without, pictures, _BACKEND)
    lower = Network(
        "lower",
        tuple(
            replace(layer, levels=layer.levels - 1) if isinstance(layer, Embedding) else layer
            for layer in shorter.layers
        ),
    )
    wanted, found = _times_set(whole, pictures), _times_set(shorter, pictures)
    behind = 1 if 0 in without else 2  # the first embedding behind what was left out
    for number in range(behind, 3):
        # Sums repeat, so that no level need hit the number: this is the lowest that does not pass.
        # What was always set is now clear somewhere, just.
        patches = (
            sum(picture.size // 3 for picture in pictures) // whole.embeddings[number].stride ** 2
        )
        most = np.minimum(wanted[number], patches - 1)
        assert (found[number] <= most).all()
        assert (_times_set(lower, pictures)[number] > most).all()


def test_what_comes_before_stays_as_it_was() -> None:
    whole = _whole()
    shorter = shorten(whole, [2], _pictures(), _BACKEND)
    assert shorter.layers[:5] == whole.layers[:5]
    assert len(shorter.layers) == len(whole.layers) - 1


def test_with_nothing_left_out_it_is_the_same() -> None:
    whole = _whole()
    same = shorten(whole, [], _pictures(), _BACKEND)
    for levels, own in zip(_levels(same), _levels(whole), strict=True):
        np.testing.assert_array_equal(levels, own)


@pytest.mark.parametrize(("number", "why"), [(1, "cannot do without it"), (3, "no block 3")])
def test_a_block_that_cannot_be_left_out(number: int, why: str) -> None:
    crops = NoiseCrops()
    with pytest.raises(ValueError, match=why):
        shorten(_whole(), [number], sample(crops), _BACKEND)
    assert not crops.asked  # nobody waits for photographs to be told


def test_the_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    whole, shorter, crops = tmp_path / "whole.bnn", tmp_path / "shorter.bnn", NoiseCrops()
    network_file.save(whole, _whole(), {"recipe": "average"})
    export_shorter(whole, [2], sample(crops), _BACKEND, shorter)
    written = container.read(shorter, container.BACKBONE)
    assert written.manifest["origin"] == {
        "recipe": "shorten",
        "without": [2],
        "whole": {"sha256": container.read(whole, container.BACKBONE).sha256, "recipe": "average"},
    }
    assert network_file.load(shorter).name == "shorter"
    assert len(set(crops.asked)) > 1
