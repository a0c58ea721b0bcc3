"""One kind of part or two, on patches whose nature is known."""

from __future__ import annotations

import numpy as np

from calibration.groups import two_groups
from kernels.bits import pack


def _parts(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Parts of one kind: how often each bit is set differs from kind to kind."""
    often = rng.uniform(0.1, 0.9, 128)
    drift = rng.normal(0, 0.03, (count, 128))
    return [pack(rng.random((10, 12, 128)) < often + moved) for moved in drift]


def test_one_kind() -> None:
    assert two_groups(_parts(np.random.default_rng(0), 60)) is None


def test_two_kinds_and_the_smaller_is_named() -> None:
    rng = np.random.default_rng(1)
    one, other = _parts(rng, 50), _parts(rng, 8)
    group = two_groups([*other[:3], *one, *other[3:]])
    assert group is not None
    assert np.flatnonzero(group).tolist() == [0, 1, 2, 53, 54, 55, 56, 57]


def test_a_few_odd_ones_are_no_kind() -> None:
    rng = np.random.default_rng(2)
    assert two_groups(_parts(rng, 60) + _parts(rng, 2)) is None


def test_identical_parts_are_one_kind() -> None:
    assert two_groups(_parts(np.random.default_rng(3), 1) * 30) is None
