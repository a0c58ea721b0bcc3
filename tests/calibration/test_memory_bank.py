from __future__ import annotations

import numpy as np

from calibration.memory_bank import choose_bank
from kernels.bits import pack


def _slow_greedy(points: np.ndarray, first: int, count: int) -> list[int]:
    apart = np.bitwise_count(points[:, None] ^ points[None]).sum(2).astype(int)
    chosen = [first]
    while len(chosen) < count:
        chosen.append(int(apart[chosen].min(0).argmax()))
    return chosen


def test_the_bank_is_the_greedy_choice() -> None:
    rng = np.random.default_rng(3)
    patches = np.unique(pack(rng.integers(0, 2, (200, 64))), axis=0)
    bank = choose_bank(patches, 30, np.random.default_rng(9))
    first = int(np.random.default_rng(9).integers(len(patches)))
    np.testing.assert_array_equal(bank, patches[_slow_greedy(patches, first, 30)])


def test_repeats_are_kept_once_and_few_patches_are_all_kept() -> None:
    patches = np.array([[5], [7], [5], [5], [9]], np.uint64)
    bank = choose_bank(patches, 10, np.random.default_rng(0))
    assert sorted(bank.ravel().tolist()) == [5, 7, 9]
