from __future__ import annotations

import numpy as np
import pytest

from kernels.errors import ShapeError
from kernels.neighbourhoods import Neighbourhoods, cells_of_grid


def test_cells_are_squares_and_the_last_ones_may_be_smaller() -> None:
    assert cells_of_grid(3, 5, 2).reshape(3, 5).tolist() == [
        [0, 0, 1, 1, 2],
        [0, 0, 1, 1, 2],
        [3, 3, 4, 4, 5],
    ]


def test_a_cell_meets_its_neighbours_and_where_these_are_empty_the_nearest_others() -> None:
    # A row of six cells, with entries from cells 0, 0, 1 and 5.
    near = Neighbourhoods.around(np.array([0, 0, 1, 5]), 1, 6, 1)
    met = [near.met(cell).tolist() for cell in range(6)]
    assert met == [[0, 1, 2], [0, 1, 2], [2], [2, 3], [3], [3]]


def test_what_is_not_on_the_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="empty"):
        Neighbourhoods.around(np.zeros(0, np.int32), 2, 2, 1)
    with pytest.raises(ShapeError, match="cell 4 on a grid of 4"):
        Neighbourhoods.around(np.array([4]), 2, 2, 1)
    with pytest.raises(ShapeError, match="order of their cells"):
        Neighbourhoods.around(np.array([1, 0]), 2, 2, 1)
    with pytest.raises(ShapeError, match="no cells"):
        Neighbourhoods.around(np.array([0]), 2, 2, 0)
