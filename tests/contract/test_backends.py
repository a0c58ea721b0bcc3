"""One suite for every backend: the same bits and the same neighbours as the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import reference
from kernels.backends import BACKEND_NAMES, Backend, Executor, choose
from kernels.backends.base import Index
from kernels.backends.numba import NumbaBackend
from kernels.errors import BackendUnavailable, ShapeError
from kernels.neighbourhoods import Cells, Neighbourhoods
from kernels.network import Network
from kernels.processor import WAYS
from tests.random_networks import random_network


@pytest.fixture(params=(*BACKEND_NAMES, *(f"numba {way}" for way in WAYS)), scope="module")
def backend(request: pytest.FixtureRequest) -> Backend:
    name, _, way = request.param.partition(" ")
    try:
        return NumbaBackend(way) if way else choose(name).backend
    except BackendUnavailable as error:
        pytest.skip(str(error))


def _random_image(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if seed % 3 == 0:  # flat areas and extremes reach the clips that noise does not
        image[: height // 2] = rng.choice([0, 255])
    return image


@pytest.mark.parametrize("seed", range(12))
def test_same_bits_for_the_same_image(backend: Backend, seed: int) -> None:
    executor = _of_random_size(backend, random_network(seed, blocks=1 + seed % 6), seed)
    for number in range(2):  # the second image finds what the first one left in the buffers
        image = _random_image(seed + number, executor.height, executor.width)
        _assert_bits(executor, image, image)


def _of_random_size(backend: Backend, network: Network, seed: int) -> Executor:
    rng = np.random.default_rng(seed)
    height, width = (network.size_multiple * int(n) for n in rng.integers(1, 5, 2))
    return backend.executor(network, height, width)


def _assert_bits(executor: Executor, image: np.ndarray, coloured: np.ndarray) -> None:
    """Those of an image are what the definition says of one in three channels."""
    wanted = reference.run(executor.network, coloured)
    got = executor.run(image)
    assert len(got) == len(wanted) == len(executor.network.spacings)
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == np.uint64
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(6))
def test_one_channel_is_as_three_equal_ones(backend: Backend, seed: int) -> None:
    executor = _of_random_size(backend, random_network(seed, blocks=1 + seed % 3), seed)
    for number in range(3):  # colour between the two finds nothing of them
        image = _random_image(seed + number, executor.height, executor.width)
        if number != 1:
            image[...] = image[..., :1]
        _assert_bits(executor, image if number == 1 else image[..., 0], image)


def test_images_that_are_not_contiguous(backend: Backend) -> None:
    network = random_network(1)
    side = 2 * network.size_multiple
    image = _random_image(4, 2 * side, side)[::2, ::-1]
    _assert_bits(backend.executor(network, side, side), image, image.copy())


@st.composite
def _coded_pictures(draw: st.DrawFn) -> tuple[list[np.ndarray], np.ndarray, Cells | None]:
    """Codes at one to three strides, a bank for them, and cells if there is a window."""
    steps = draw(st.lists(st.sampled_from([2, 2, 3]), max_size=2))
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few different words make many ties.
    pool = rng.integers(0, 2**64, 4, dtype=np.uint64)
    codes = []
    for step in [1, *reversed(steps)]:
        rows, columns = rows * step, columns * step
        codes.insert(0, rng.choice(pool, (rows, columns, draw(st.integers(1, 4)))))
    words = sum(code.shape[2] for code in codes)
    bank = rng.choice(pool, (draw(st.integers(1, 300)), words))
    side = draw(st.integers(0, 4))
    return codes, bank, Cells(side, draw(st.booleans())) if side else None


@settings(max_examples=40, deadline=None)
@given(picture=_coded_pictures(), seed=st.integers(0, 2**32 - 1))
def test_same_neighbours(
    backend: Backend, picture: tuple[list[np.ndarray], np.ndarray, Cells | None], seed: int
) -> None:
    codes, bank, cells = picture
    rows, columns, _ = codes[0].shape
    near = None
    if cells:
        # Entries from few cells leave some neighbourhoods without any.
        rng = np.random.default_rng(seed)
        count = len(cells.places(rows, columns))
        cell_of_entry = np.sort(rng.choice(rng.integers(0, count, 3), len(bank)))
        near = Neighbourhoods.around(cell_of_entry, rows, columns, cells)
    _assert_neighbours(backend.index(bank, near), codes, near)


def _assert_neighbours(index: Index, codes: list[np.ndarray], near: Neighbourhoods | None) -> None:
    rows, columns, _ = codes[0].shape
    distances, indices = (
        of_all.reshape(rows, columns)
        for of_all in reference.nearest(_strings(codes), index.bank, near)
    )
    np.testing.assert_array_equal(index.distances(codes), distances)
    for got, want in zip(index.nearest(codes), (distances, indices), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("cells", [None, Cells(2), Cells(2, rings=True)])
def test_same_neighbours_of_many(backend: Backend, cells: Cells | None, strides: int) -> None:
    rng = np.random.default_rng(strides)
    # So few different words that most of the closest entries have equals far away in the bank.
    pool = rng.integers(0, 2**64, 3, dtype=np.uint64)
    codes = [rng.choice(pool, (8 >> stride, 6 >> stride, 2)) for stride in range(strides)]
    bank = rng.choice(pool, (3000, 2 * strides))
    near = None
    if cells:
        places = len(cells.places(8, 6))
        near = Neighbourhoods.around(np.sort(rng.integers(0, places, 3000)), 8, 6, cells)
    index = backend.index(bank, near)
    _assert_neighbours(index, codes, near)
    other = [code[::-1].copy() for code in codes]
    _assert_neighbours(index, other, near)


def _strings(codes: list[np.ndarray]) -> np.ndarray:
    """(patches, words), position by position."""
    rows, columns, _ = codes[0].shape
    strings = [
        np.concatenate(
            [code[y * len(code) // rows, x * code.shape[1] // columns] for code in codes]
        )
        for y in range(rows)
        for x in range(columns)
    ]
    return np.array(strings)


def _misaligned(array: np.ndarray) -> np.ndarray:
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    assert not shifted.flags.aligned
    return shifted


def test_neighbours_of_arrays_that_lie_anyhow_in_memory(backend: Backend) -> None:
    rng = np.random.default_rng(8)
    asked = rng.integers(0, 2**64, (1, 9, 3), dtype=np.uint64)
    bank = rng.integers(0, 2**64, (70, 3), dtype=np.uint64)
    wanted = reference.nearest(asked[0], bank)
    backwards = asked[:, ::-1].copy()[:, ::-1], np.asfortranarray(bank)
    for codes, entries in (backwards, (_misaligned(asked), _misaligned(bank))):
        got = backend.index(entries).nearest([codes])
        np.testing.assert_array_equal([one[0] for one in got], wanted)


def test_wrong_shapes_are_refused(backend: Backend) -> None:
    network = random_network(2)
    multiple = network.size_multiple
    with pytest.raises(ShapeError, match="multiples of"):
        backend.executor(network, multiple + 1, multiple)
    with pytest.raises(ShapeError, match="multiples of"):
        backend.executor(network, 0, multiple)
    executor = backend.executor(network, multiple, multiple)
    with pytest.raises(ShapeError, match="expected a uint8 picture"):
        executor.run(np.zeros((multiple, 2 * multiple, 3), np.uint8))
    with pytest.raises(ShapeError, match="expected a uint8 picture"):
        executor.run(np.zeros((multiple, multiple, 3), np.float32))
    with pytest.raises(ShapeError, match="empty"):
        backend.index(np.zeros((0, 2), np.uint64))
    with pytest.raises(ShapeError, match="bank is uint64"):
        backend.index(np.zeros((3, 2), np.int64))
    near = Neighbourhoods.everywhere(4, 1, 5)
    with pytest.raises(ShapeError, match="beyond the bank"):
        backend.index(np.zeros((3, 2), np.uint64), near)
    with pytest.raises(ShapeError, match="1 x 4 patches, but"):
        backend.index(np.zeros((4, 2), np.uint64), near).nearest([np.zeros((1, 4, 2), np.uint64)])
    index = backend.index(np.zeros((3, 2), np.uint64))
    with pytest.raises(ShapeError, match="codes of 1 words for a bank of 2"):
        index.nearest([np.zeros((1, 3, 1), np.uint64)])
    with pytest.raises(ShapeError, match="one per grid"):
        index.nearest([np.zeros((3, 2), np.uint64)])
    with pytest.raises(ShapeError, match="does not lie evenly"):
        index.nearest([np.zeros((3, 4, 1), np.uint64), np.zeros((2, 2, 1), np.uint64)])
