"""What a good part looks like otherwise, against pictures made by hand."""

from __future__ import annotations

import numpy as np

from calibration.backbones import load_backbone
from calibration.pose import ANY_ORIENTATION, ONE_POSE
from calibration.synthetic import with_defect
from calibration.views import Viewer, Views, is_drawn_on, is_turned
from kernels import reference
from kernels.backends import choose
from kernels.codes import gather

NETWORK = load_backbone("base").with_patches_every(8)


def _patches(picture: np.ndarray) -> np.ndarray:
    return gather(reference.run(NETWORK, np.ascontiguousarray(picture)))


def test_views_are_the_patches_of_turned_pictures() -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    rng = np.random.default_rng(2)
    viewer = Viewer(NETWORK, choose("numba").backend, 64, 96)
    views = Views(viewer.plain(image), *viewer.besides(image, 0, 1, rng))
    np.testing.assert_array_equal(views.plain, _patches(image))
    for turns, patches in zip((3, 2, 1), views.turned, strict=True):
        np.testing.assert_array_equal(patches, _patches(np.rot90(image, turns)))
    again = np.random.default_rng(2)
    for patches in views.drawn:
        np.testing.assert_array_equal(patches, _patches(with_defect(image, again)))
    assert len(views.drawn) > 1


def test_views_are_cut_to_some_words() -> None:
    grids = [np.arange(12, dtype=np.uint64).reshape(2, 2, 3) + 100 * i for i in range(3)]
    views = Views(grids[0], (grids[1],), (grids[2],)).cut(slice(1, 3))
    for grid, cut in zip(grids, (views.plain, *views.turned, *views.drawn), strict=True):
        np.testing.assert_array_equal(cut, grid[..., 1:3])
        assert cut.flags.c_contiguous


def test_turned_views_are_learnt_only_of_parts_that_turn() -> None:
    grids = [np.full((2, 2, 1), i, np.uint64) for i in range(4)]
    views = Views(grids[0], tuple(grids[1:]))
    assert [int(grid[0, 0, 0]) for grid in views.learnt(ONE_POSE)] == [0]
    assert [int(grid[0, 0, 0]) for grid in views.learnt(ANY_ORIENTATION)] == [0, 1, 2, 3]
    assert all(is_turned(i, 150) for i in range(150))
    assert sum(is_turned(i, 1000) for i in range(1000)) == 143
    assert sum(is_drawn_on(i, 1000) for i in range(1000)) == 500
