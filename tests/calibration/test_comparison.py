"""Other kinds of patches go the same way as bits."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.memory_bank import MemoryBank
from calibration.normal import NormalSettings, describe
from calibration.progress import silent
from calibration.views import Views
from kernels.neighbourhoods import Cells
from tests.benchmarks.coverage import clopper_pearson
from tests.benchmarks.float_patches import FloatComparison


def _grids(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    pattern = rng.normal(0, 1, (6, 8, 10))
    return [(pattern + rng.normal(0, 0.2, pattern.shape)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("cells", [None, Cells(2)])
def test_euclidean_distances_are_those_of_the_formula(cells: Cells | None) -> None:
    grids = _grids(8)
    comparison = FloatComparison()
    bank = comparison.choose(grids[:7], 150, np.random.default_rng(0), cells, silent)
    distances = comparison.measure(bank, 6, 8)(grids[7])
    apart = np.linalg.norm(grids[7].reshape(48, 1, 10) - bank.patches, axis=2)
    if cells:
        near = bank.neighbourhoods(6, 8)
        assert near is not None
        for query, cell in enumerate(near.cell_of_query):
            apart[query, np.setdiff1d(np.arange(len(bank)), near.met(int(cell)))] = np.inf
    np.testing.assert_allclose(distances.ravel(), 40 * apart.min(axis=1), rtol=1e-4)


def test_a_description_of_floats_has_its_parts() -> None:
    normal = describe(
        [Views(grid) for grid in _grids(12)], FloatComparison(), NormalSettings(), 0, silent
    )
    assert isinstance(normal.bank, MemoryBank)
    assert normal.scores.shape == normal.medians.shape == (12,)
    assert np.isfinite(normal.maps).all()


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # The rule of three's exact form, and values of published tables.
    [(0, 30, 0, 1 - 0.025 ** (1 / 30)), (1, 10, 0.0025, 0.4450), (5, 50, 0.0333, 0.2181)],
)
def test_clopper_pearson(hits: int, count: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, count) == pytest.approx((low, high), abs=6e-5)
