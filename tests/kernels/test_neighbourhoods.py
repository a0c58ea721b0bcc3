from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.errors import ShapeError
from kernels.neighbourhoods import Cells, Neighbourhoods


def test_cells_are_squares_and_the_last_ones_may_be_smaller() -> None:
    assert Cells(2).of_grid(3, 5).reshape(3, 5).tolist() == [
        [0, 0, 1, 1, 2],
        [0, 0, 1, 1, 2],
        [3, 3, 4, 4, 5],
    ]
    assert Cells(2).places(3, 5).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_cells_are_rings_around_the_middle() -> None:
    # Of 3 x 4 squares; the middle lies between two of them, the corners are 1.8 squares off.
    assert Cells(2, rings=True).of_grid(6, 8).reshape(6, 8)[::2, ::2].tolist() == [
        [1, 1, 1, 1],
        [1, 0, 0, 1],
        [1, 1, 1, 1],
    ]
    assert Cells(1, rings=True).of_grid(1, 6).tolist() == [2, 1, 0, 0, 1, 2]
    assert Cells(1, rings=True).places(1, 6).tolist() == [[0, 0], [1, 0], [2, 0]]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_rings_are_complete_and_look_the_same_on_parts_that_are_turned(
    rows: int, columns: int, side: int
) -> None:
    rings = Cells(side, rings=True)
    cell = rings.of_grid(rows * side, columns * side).reshape(rows * side, columns * side)
    assert np.unique(cell).tolist() == list(range(len(rings.places(*cell.shape))))
    lying = rings.of_grid(columns * side, rows * side).reshape(columns * side, rows * side)
    for turns, turned in enumerate((cell, lying, cell, lying)):
        np.testing.assert_array_equal(np.rot90(cell, turns), turned)
    for one, other in ((cell[1:], cell[:-1]), (cell[:, 1:], cell[:, :-1])):
        # What is next to a patch is in a ring that it meets.
        assert (abs(one - other) <= 1).all()


def test_a_cell_meets_its_neighbours_and_where_these_are_empty_the_nearest_others() -> None:
    # A row of six cells, with entries from cells 0, 0, 1 and 5.
    near = Neighbourhoods.around(np.array([0, 0, 1, 5]), 1, 6, Cells(1))
    met = [near.met(cell).tolist() for cell in range(6)]
    assert met == [[0, 1, 2], [0, 1, 2], [2], [2, 3], [3], [3]]


def test_what_is_not_on_the_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="empty"):
        Neighbourhoods.around(np.zeros(0, np.int32), 2, 2, Cells(1))
    with pytest.raises(ShapeError, match="cell 4 on a grid of 4"):
        Neighbourhoods.around(np.array([4]), 2, 2, Cells(1))
    with pytest.raises(ShapeError, match="order of their cells"):
        Neighbourhoods.around(np.array([1, 0]), 2, 2, Cells(1))
    with pytest.raises(ShapeError, match="no cells"):
        Cells(0)
