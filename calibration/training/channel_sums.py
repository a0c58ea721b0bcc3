"""Mean and variance of maps, channel by channel, over many batches."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class ChannelSums:
    """Sums in double precision, so that it does not matter how many there are."""

    def __init__(self) -> None:
        self._total: Any = 0.0
        self._squares: Any = 0.0
        self._count = 0

    def add(self, maps: Tensor) -> None:
        """Take note of maps, (n, channels, h, w)."""
        flat = maps.double().transpose(0, 1).flatten(1)
        self._total += flat.sum(1)
        self._squares += flat.square().sum(1)
        self._count += flat.shape[1]

    @property
    def mean(self) -> Tensor:
        """float64 (channels,)."""
        mean: Tensor = self._total / self._count
        return mean

    @property
    def variance(self) -> Tensor:
        """float64 (channels,), at least 0."""
        return (self._squares / self._count - self.mean**2).clamp(min=0)
