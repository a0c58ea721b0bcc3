"""The heart of every fast kernel: how many bits of a window differ from 64 filters' weights.

There are several ways to count, one a module, each with a layout of the weights of its own. The
loops around it (:mod:`kernels.convolution`, :mod:`kernels.search`) are written once: they call the
two functions below, and the type of the weights selects the way, at compile time. Of any, the first
field holds the weights themselves, panel after panel.
"""

from __future__ import annotations

from typing import Any

from kernels.compiled import implements


def prepare(weights: Any, bits: Any, step: Any) -> None:
    """What a way of counting has to do once before it walks over a map.

    Args:
        weights: a layer's, laid out by the way of counting.
        bits: uint64 (rows, columns, words), border included.
        step: columns between neighbouring windows.
    """
    raise NotImplementedError


def count_window(
    weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
) -> Any:
    """Mismatches of the windows of two neighbouring pixels with one panel of 64 filters.

    Args:
        weights: a layer's, laid out by the way of counting.
        panel: which 64 output channels.
        bits: uint64 (rows, columns, words), border included.
        row: of the windows' upper edge.
        column: of the first window's left edge; the second one is ``step`` columns further.
        kernel: side of the window.
        step: columns between the windows.

    Returns:
        Two Sixty4, a pixel each.
    """
    raise NotImplementedError


def count_last_window(
    weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
) -> Any:
    """The same for the last window of a row of an odd number of them.

    Returns:
        One Sixty4.
    """
    raise NotImplementedError


def count_last_as_one_of_two(weights_class: type) -> None:
    """For ways that count two windows or none: the last one is the first of a pair."""

    def last(
        weights: Any, panel: Any, bits: Any, row: Any, column: Any, kernel: Any, step: Any
    ) -> Any:
        one, _ = count_window(weights, panel, bits, row, column, kernel, step)
        return one

    implements(count_last_window, weights_class)(last)
