"""Bits of the stem, beside those of a backbone's blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.training.levels import PICTURES, sample
from calibration.training.stem_bits import export_with_stem_bits, with_stem_bits
from kernels import container, network_file, reference
from kernels.backends import choose
from kernels.network import STREAM_CLIP, Embedding, Network
from tests.noise_crops import NoiseCrops
from tests.random_networks import random_block, random_stem

_BACKEND = choose("numba").backend


def _network() -> Network:
    rng = np.random.default_rng(5)
    return Network(
        "learnt",
        (
            random_stem(rng, 8, 64),
            random_block(rng, 64, 128, kernel=3, stride=2),
            Embedding(8, rng.normal(0, 1500, (1, 128)).astype(np.int32)),
        ),
    )


def _sums(network: Network, picture: np.ndarray) -> np.ndarray:
    """Of what the stem saw around each patch: (patches, channels)."""
    stream = reference.stem(picture, network.stem)
    clipped = np.clip(stream, -STREAM_CLIP, STREAM_CLIP).astype(int)
    around = np.pad(clipped, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(0, 1))
    return np.asarray(windows.sum(axis=(3, 4)).reshape(-1, stream.shape[2]))


@pytest.mark.parametrize("clear", [0.1, 0.2, 0.7])
def test_each_bit_is_clear_on_a_share_of_the_patches(clear: float) -> None:
    rng = np.random.default_rng(6)
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(4)]
    network = _network()
    seen = with_stem_bits(network, clear, pictures, _BACKEND)
    assert seen.stem_words == 1
    assert seen.without_stem_bits().layers == network.layers
    sums = np.sort(np.concatenate([_sums(network, picture) for picture in pictures]), axis=0)
    # The lowest level by which a bit is clear as often is a sum that there is.
    np.testing.assert_array_equal(seen.embeddings[0].levels[0], sums[round(clear * len(sums)) - 1])


def test_the_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    learnt, both, crops = tmp_path / "learnt.bnn", tmp_path / "both.bnn", NoiseCrops()
    network_file.save(learnt, _network(), {"recipe": "shorten"})
    export_with_stem_bits(learnt, 0.2, sample(crops), _BACKEND, both)
    sha256 = container.read(learnt, container.BACKBONE).sha256
    assert container.read(both, container.BACKBONE).manifest["origin"] == {
        "recipe": "stem-bits",
        "clear": 0.2,
        "learnt": {"sha256": sha256, "recipe": "shorten"},
    }
    network = network_file.load(both)
    assert network.name == "both"
    assert [embedding.bits for embedding in network.embeddings] == [64, 128]
    assert crops.asked == list(range(PICTURES))
    with pytest.raises(ValueError, match="has bits of its stem already"):
        export_with_stem_bits(both, 0.2, sample(NoiseCrops()), _BACKEND, learnt)
    untouched = NoiseCrops()
    with pytest.raises(ValueError, match="between 0 and 1"):
        export_with_stem_bits(learnt, 1.0, sample(untouched), _BACKEND, both)
    assert not untouched.asked
