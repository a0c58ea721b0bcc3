from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import portable, reference
from kernels.bits import pack


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([1, 3]),
    stride=st.sampled_from([1, 2]),
    inputs=st.sampled_from([64, 128, 192]),
    outputs=st.sampled_from([64, 128]),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolve_to_bits_is_the_reference(
    kernel: int, stride: int, inputs: int, outputs: int, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bits = pack(rng.integers(0, 2, (height, width, inputs)))
    weights = pack(rng.integers(0, 2, (outputs, kernel, kernel, inputs)))
    middle = kernel * kernel * inputs // 2
    limit = rng.integers(middle - 20, middle + 20, outputs).astype(np.int32)
    wanted = reference.convolve_to_bits(bits, weights, stride, limit)
    border = kernel // 2
    bordered = np.pad(bits, ((border, border), (border, border), (0, 0)))
    lanes = np.ascontiguousarray(weights.reshape(outputs, -1).T)
    got = np.full(wanted.shape, 0xDEADBEEF, np.uint64)
    portable.convolve_to_bits(bordered, lanes, kernel, stride, limit, got)
    np.testing.assert_array_equal(got, wanted)


def test_greedy_step_finds_the_farthest_point() -> None:
    rng = np.random.default_rng(1)
    points = pack(rng.integers(0, 2, (3000, 128)))
    distances = np.full(3000, 2**32 - 1, np.uint32)
    wanted = np.full(3000, 2**32 - 1, np.int64)
    at = 5
    for _ in range(20):
        apart = np.bitwise_count(points ^ points[at]).sum(1).astype(np.int64)
        wanted = np.minimum(wanted, apart)
        turned = np.ascontiguousarray(points.T)
        at = portable.keep_smaller_distances(points[at], turned, distances)
        np.testing.assert_array_equal(distances, wanted)
        assert at == int(wanted.argmax())


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 3)])
def test_threshold_leaves_the_border_alone(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    stream = rng.integers(-5, 5, (*size, 128)).astype(np.int16)
    levels = rng.integers(-5, 5, 128).astype(np.int16)
    out = np.full((size[0] + 2, size[1] + 2, 2), 7, np.uint64)
    portable.threshold(stream, levels, 1, out)
    np.testing.assert_array_equal(out[1:-1, 1:-1], reference.threshold(stream, levels))
    out[1:-1, 1:-1] = 7
    assert (out == 7).all()
