"""How long work tells how far it is: the caller brings the bar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps an iterable in something that shows how far it has come, e.g. tqdm."""

    def __call__(self, items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
        """Yield the items unchanged."""


def silent(items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
    """No bar: for libraries and tests."""
    return items
