"""The reference against formulas written another way: float products, OpenCV's filters."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kernels import reference
from kernels.bits import pack, unpack
from kernels.errors import ShapeError
from kernels.network import BinaryBlock, Embedding, slope_limit, slope_shift
from tests.random_networks import random_block, random_network, random_stem


def _signs(words: np.ndarray) -> np.ndarray:
    return np.where(unpack(words), 1.0, -1.0)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 3)])
def test_mismatches_are_the_correlation_of_signs(
    kernel: int, stride: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(kernel * 10 + stride)
    bits = pack(rng.integers(0, 2, (*size, 64)))
    weights = pack(rng.integers(0, 2, (64, kernel, kernel, 64)))
    got = reference.mismatches(bits, weights, stride)
    signs, wanted = _signs(bits), _signs(weights)
    for output in (0, 17, 63):
        # OpenCV correlates each plane on its own; outside the picture every sign is -1.
        planes = [
            cv2.filter2D(
                cv2.copyMakeBorder(signs[..., c], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-1),
                cv2.CV_64F,
                np.ascontiguousarray(wanted[output, :, :, c]),
            )[1:-1, 1:-1]
            for c in range(64)
        ]
        products = np.sum(planes, axis=0)[::stride, ::stride]
        np.testing.assert_array_equal(kernel * kernel * 64 - 2 * got[..., output], products)


def test_embedding_is_a_box_filter_with_repeated_edges() -> None:
    rng = np.random.default_rng(3)
    stream = rng.integers(-3000, 3000, (6, 9, 64)).astype(np.int16)
    levels = rng.integers(-5000, 5000, (2, 64)).astype(np.int32)
    total = cv2.boxFilter(
        stream.astype(np.float64), -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE
    )
    got = unpack(reference.embedding(stream, Embedding(4, levels)))
    np.testing.assert_array_equal(got[..., :64], np.round(total) > levels[0])
    np.testing.assert_array_equal(got[..., 64:], np.round(total) > levels[1])


def test_stem_is_two_convolutions() -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    layer = random_stem(rng, 4, 64)
    padded = np.pad(image, ((1, 0), (1, 0), (0, 0)), mode="edge").astype(np.int64)
    fine = np.empty((6, 8, 4), np.int64)
    for y in range(6):
        for x in range(8):
            window = padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            sums = [(window * w.astype(np.int64)).sum() for w in layer.fine_weights]
            fine[y, x] = np.array(sums) + layer.fine_bias
    fine = np.minimum(np.maximum(fine // 2**layer.fine_shift, 0), 255)
    got = reference.stem(image, layer)
    for y in range(3):
        for x in range(4):
            window = fine[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            sums = [(window * w.astype(np.int64)).sum() for w in layer.coarse_weights]
            wanted = (np.array(sums) + layer.coarse_bias) // 2**layer.coarse_shift
            np.testing.assert_array_equal(got[y, x], np.clip(wanted, -32768, 32767))


def test_block_adds_a_scaled_and_leaked_convolution_to_its_shortcut() -> None:
    rng = np.random.default_rng(7)
    block = random_block(rng, 64, 128, kernel=3, stride=2)
    stream = rng.integers(-400, 400, (4, 4, 64)).astype(np.int16)
    got = reference.binary_block(stream, block)
    bits = np.pad(stream > block.threshold, ((1, 1), (1, 1), (0, 0)))
    weights = unpack(block.weights)
    for y, x, output in [(0, 0, 0), (1, 1, 100), (0, 1, 64), (1, 0, 127)]:
        window = bits[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        count = int((window != weights[output]).sum())
        shift = slope_shift(576)
        scaled = ((288 - count) * int(block.slope[output]) + 2 ** (shift - 1)) // 2**shift
        value = int(block.offset[output]) + scaled
        value = max(value, (value * int(block.leak[output]) + 128) // 256)
        mean = (int(stream[2 * y : 2 * y + 2, 2 * x : 2 * x + 2, output % 64].sum()) + 2) // 4
        assert got[y, x, output] == mean + value


def test_the_stream_saturates() -> None:
    block = BinaryBlock(
        stride=1,
        threshold=np.zeros(64, np.int16),
        weights=pack(np.ones((64, 1, 1, 64))),
        slope=np.zeros(64, np.int16),
        offset=np.full(64, 20000, np.int16),
        leak=np.zeros(64, np.int16),
    )
    stream = np.full((1, 1, 64), 20000, np.int16)
    assert (reference.binary_block(stream, block) == 32767).all()


def test_nearest_by_hand() -> None:
    bank = pack(np.array([[0] * 64, [1] * 64, [0] * 64, [1] * 32 + [0] * 32]))
    queries = pack(np.array([[0] * 63 + [1], [1] * 40 + [0] * 24, [1] * 64]))
    distances, indices = reference.nearest(queries, bank)
    assert distances.tolist() == [1, 8, 0]
    assert indices.tolist() == [0, 3, 1]  # entry 2 is as near as entry 0, and comes later


def test_nearest_in_an_empty_bank_is_refused() -> None:
    with pytest.raises(ShapeError, match="empty"):
        reference.nearest(np.zeros((1, 1), np.uint64), np.zeros((0, 1), np.uint64))


def test_a_picture_of_the_wrong_size_is_refused() -> None:
    network = random_network(0)
    odd = network.size_multiple + 1
    with pytest.raises(ShapeError, match=f"multiples of {network.size_multiple}"):
        reference.run(network, np.zeros((odd, odd, 3), np.uint8))


@pytest.mark.parametrize("count", [64, 576, 1152, 2304, 4608])
def test_slope_arithmetic_stays_exact_in_float32_and_fits_one_instruction(count: int) -> None:
    shift, limit = slope_shift(count), slope_limit(count)
    assert (count // 2) << (15 - shift) <= 32767 < (count // 2) << (16 - shift)
    assert (count // 2) * limit + 2 ** (shift - 1) < 2**24
    assert (count // 2) * (limit + 1) + 2 ** (shift - 1) >= 2**24 or limit == 32767
