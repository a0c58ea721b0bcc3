"""One suite for every backend: the same bits and the same neighbours as the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import reference
from kernels.backends import BACKEND_NAMES, Backend, choose
from kernels.backends.numba import NumbaBackend
from kernels.errors import BackendUnavailable, ShapeError
from kernels.neighbourhoods import Neighbourhoods, cell_count
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
    network = random_network(seed, blocks=1 + seed % 6)
    rng = np.random.default_rng(seed)
    height, width = (network.size_multiple * int(n) for n in rng.integers(1, 5, 2))
    executor = backend.executor(network, height, width)
    for number in range(2):  # the second image finds what the first one left in the buffers
        image = _random_image(seed + number, height, width)
        wanted = reference.run(network, image)
        got = executor.run(image)
        assert len(got) == len(wanted) == len(network.embeddings)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == np.uint64
            np.testing.assert_array_equal(one, other)


def test_images_that_are_not_contiguous(backend: Backend) -> None:
    network = random_network(1)
    side = 2 * network.size_multiple
    image = _random_image(4, 2 * side, side)[::2, ::-1]
    wanted = reference.run(network, image.copy())
    got = backend.executor(network, side, side).run(image)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=15, deadline=None)
@given(
    queries=st.integers(1, 70),
    entries=st.integers(1, 300),
    words=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_same_neighbours(
    backend: Backend, queries: int, entries: int, words: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few different words make many ties.
    pool = rng.integers(0, 2**64, 4, dtype=np.uint64)
    asked, bank = rng.choice(pool, (queries, words)), rng.choice(pool, (entries, words))
    distances, indices = backend.index(bank).nearest(asked)
    wanted_distances, wanted_indices = reference.nearest(asked, bank)
    np.testing.assert_array_equal(distances, wanted_distances)
    np.testing.assert_array_equal(indices, wanted_indices)


def _misaligned(array: np.ndarray) -> np.ndarray:
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    assert not shifted.flags.aligned
    return shifted


def test_neighbours_of_arrays_that_lie_anyhow_in_memory(backend: Backend) -> None:
    rng = np.random.default_rng(8)
    asked = rng.integers(0, 2**64, (9, 3), dtype=np.uint64)
    bank = rng.integers(0, 2**64, (70, 3), dtype=np.uint64)
    wanted = reference.nearest(asked, bank)
    backwards = asked[::-1].copy()[::-1], np.asfortranarray(bank)
    for queries, entries in (backwards, (_misaligned(asked), _misaligned(bank))):
        got = backend.index(entries).nearest(queries)
        np.testing.assert_array_equal(got, wanted)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    side=st.integers(1, 4),
    entries=st.integers(1, 300),
    words=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_same_neighbours_in_a_window(
    backend: Backend, rows: int, columns: int, side: int, entries: int, words: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 2**64, 4, dtype=np.uint64)
    asked, bank = rng.choice(pool, (rows * columns, words)), rng.choice(pool, (entries, words))
    _, cells = cell_count(rows, columns, side)
    # Entries from few cells leave some neighbourhoods without any.
    cell_of_entry = np.sort(rng.choice(rng.integers(0, cells, 3), entries))
    near = Neighbourhoods.around(cell_of_entry, rows, columns, side)
    distances, indices = backend.index(bank, near).nearest(asked)
    wanted_distances, wanted_indices = reference.nearest(asked, bank, near)
    np.testing.assert_array_equal(distances, wanted_distances)
    np.testing.assert_array_equal(indices, wanted_indices)


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
    near = Neighbourhoods.everywhere(4, 5)
    with pytest.raises(ShapeError, match="beyond the bank"):
        backend.index(np.zeros((3, 2), np.uint64), near)
    with pytest.raises(ShapeError, match="4 queries, but"):
        backend.index(np.zeros((4, 2), np.uint64), near).nearest(np.zeros((4, 2), np.uint64))
    index = backend.index(np.zeros((3, 2), np.uint64))
    with pytest.raises(ShapeError, match="queries for this bank"):
        index.nearest(np.zeros((3, 1), np.uint64))
