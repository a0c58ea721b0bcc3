from __future__ import annotations

import numpy as np

from calibration.memory_bank import choose_bank
from kernels.bits import pack
from kernels.neighbourhoods import Cells


def _slow_greedy(points: np.ndarray, first: int, count: int) -> list[int]:
    apart = np.bitwise_count(points[:, None] ^ points[None]).sum(2).astype(int)
    chosen = [first]
    while len(chosen) < count:
        chosen.append(int(apart[chosen].min(0).argmax()))
    return chosen


def test_the_bank_is_the_greedy_choice() -> None:
    rng = np.random.default_rng(3)
    patches = np.unique(pack(rng.integers(0, 2, (200, 64))), axis=0)
    assert len(patches) == 200
    grids = list(patches.reshape(10, 4, 5, 1))
    bank = choose_bank(grids, 30, np.random.default_rng(9)).patches
    first = int(np.random.default_rng(9).integers(len(patches)))
    np.testing.assert_array_equal(bank, patches[_slow_greedy(patches, first, 30)])


def test_repeats_are_kept_once_and_few_patches_are_all_kept() -> None:
    patches = np.array([[5], [7], [5], [5], [9]], np.uint64)
    bank = choose_bank([patches[:, None]], 10, np.random.default_rng(0)).patches
    assert sorted(bank.ravel().tolist()) == [5, 7, 9]


def test_with_a_window_every_cell_has_entries_of_its_own() -> None:
    rng = np.random.default_rng(4)
    # Every position of the grid has a word of its own, in every image.
    grids = [np.arange(35, dtype=np.uint64).reshape(5, 7, 1) + 100 * i for i in range(3)]
    bank = choose_bank(grids, 24, rng, Cells(2))
    assert bank.window == 2
    assert np.bincount(bank.cell_of_entry, minlength=12).tolist() == [
        *[2, 2, 2, 1],  # shares go by how many patches a cell has
        *[2, 2, 2, 1],
        *[1, 1, 1, 1],
    ]
    row, column = np.divmod(bank.patches.ravel().astype(int) % 100, 7)
    assert (row // 2 * 4 + column // 2 == bank.cell_of_entry).all()
    near = bank.neighbourhoods(5, 7)
    assert near is not None
    assert bank.cell_of_entry[near.met(0)].tolist() == [0, 0, 1, 1, 4, 4]
    assert choose_bank(grids, 24, rng).neighbourhoods(5, 7) is None


def test_in_rings_entries_of_turned_views_are_where_the_others_are() -> None:
    rng = np.random.default_rng(4)
    rings = Cells(2, rings=True)
    # A patch says how far it is from the middle, however its picture is turned.
    upright, lying = (
        (rings.of_grid(rows, columns) + np.uint64(7)).reshape(rows, columns, 1)
        for rows, columns in ((8, 12), (12, 8))
    )
    bank = choose_bank([upright, lying, upright], 40, rng, rings)
    np.testing.assert_array_equal(bank.patches.ravel(), bank.cell_of_entry + 7)
    assert bank.window == 2


def test_entries_that_are_alike_stand_together() -> None:
    rng = np.random.default_rng(5)
    far = rng.random((2, 1, 256)) < 0.5
    kinds = (far ^ (rng.random((2, 2, 256)) < 0.2)).reshape(4, 256)
    noisy = kinds[np.arange(256) % 4] ^ (rng.random((256, 256)) < 0.03)
    bank = choose_bank([pack(noisy)[:, None]], 256, rng).patches
    kind_of = np.bitwise_count(bank[:, None] ^ pack(kinds)[None]).sum(2).argmin(1)
    assert [len(set(panel)) for panel in kind_of.reshape(4, 64)] == [1, 1, 1, 1]
