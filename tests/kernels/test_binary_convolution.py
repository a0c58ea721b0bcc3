"""Every way of counting against the reference, over every shape the kernels accept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import KERNELS_VARIABLE, reference
from kernels.binary_convolution import BinaryConvolution
from kernels.bits import pack
from kernels.errors import BackendUnavailable, ShapeError
from kernels.processor import WAYS, available_ways, choose_way


@pytest.mark.parametrize("way", available_ways())
@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([1, 3]),
    stride=st.sampled_from([1, 2]),
    inputs=st.sampled_from([64, 128, 192, 256, 512]),
    outputs=st.sampled_from([64, 128]),
    height=st.integers(1, 6),
    width=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
    extreme=st.booleans(),
)
def test_every_way_is_the_reference(
    way: str,
    kernel: int,
    stride: int,
    inputs: int,
    outputs: int,
    height: int,
    width: int,
    seed: int,
    extreme: bool,
) -> None:
    rng = np.random.default_rng(seed)
    bits = pack(rng.integers(0, 2, (height, width, inputs)))
    weights = pack(rng.integers(0, 2, (outputs, kernel, kernel, inputs)))
    middle = kernel * kernel * inputs // 2
    limit = rng.integers(middle - 20, middle + 20, outputs)
    if extreme:  # every bit differs, or none: sums reach the ends of their lanes
        bits[...] = rng.choice(np.array([0, 2**64 - 1], np.uint64))
        weights[...] = rng.choice(np.array([0, 2**64 - 1], np.uint64), (outputs, 1, 1, 1))
        limit = rng.choice([-1, 0, 2 * middle - 1, 2 * middle, 2**31 - 1], outputs)
    layer = BinaryConvolution(weights, limit, stride, height, width, way)
    for _ in range(2):
        got = layer.run(bits)
        np.testing.assert_array_equal(got, reference.convolve_to_bits(bits, weights, stride, limit))
        bits = bits[::-1, ::-1]  # the second map is not contiguous


def test_more_bits_than_16_can_count_are_left_to_the_portable_kernel() -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**64, (2, 2, 58), dtype=np.uint64)
    weights = rng.integers(0, 2**64, (64, 3, 3, 58), dtype=np.uint64)
    limit = np.full(64, 7400)
    layer = BinaryConvolution(weights, limit, 1, 2, 2)
    assert layer.way == "portable"
    np.testing.assert_array_equal(
        layer.run(bits), reference.convolve_to_bits(bits, weights, 1, limit)
    )


def test_wrong_shapes_are_refused() -> None:
    weights, limit = np.zeros((64, 3, 3, 1), np.uint64), np.zeros(64)
    for bad, sentence in [
        ((weights[:63], limit, 1, 4, 4), "63 channels"),
        ((weights.astype(np.int64), limit, 1, 4, 4), "weights are uint64"),
        ((weights[:, :2, :2], limit, 1, 4, 4), "1x1 or 3x3"),
        ((weights, limit[:3], 1, 4, 4), "limits"),
        ((weights, limit, 3, 4, 4), "strides are 1 or 2"),
        ((weights, limit, 1, 0, 4), "no positions"),
    ]:
        with pytest.raises(ShapeError, match=sentence):
            BinaryConvolution(*bad)
    layer = BinaryConvolution(weights, limit, 1, 4, 4)
    for wrong in (np.zeros((4, 5, 1), np.uint64), np.zeros((4, 4, 1), np.int64)):
        with pytest.raises(ShapeError, match="expected uint64"):
            layer.run(wrong)


def test_a_way_can_be_forced_and_an_impossible_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(KERNELS_VARIABLE, raising=False)
    assert choose_way() == available_ways()[0]
    monkeypatch.setenv(KERNELS_VARIABLE, "portable")
    assert choose_way() == "portable"
    with pytest.raises(BackendUnavailable, match="no kernels 'fastest'"):
        choose_way("fastest")
    for way in set(WAYS) - set(available_ways()):
        with pytest.raises(BackendUnavailable, match="cannot run"):
            choose_way(way)
