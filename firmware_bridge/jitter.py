"""How exactly the gate acts, over the latest edges."""

from __future__ import annotations

from collections import deque

from firmware_bridge.status import Jitter

EDGES = 1000


class JitterMeter:
    """Remembers the errors of the latest edges."""

    def __init__(self) -> None:
        self._errors_us: deque[float] = deque(maxlen=EDGES)

    def add(self, error_us: float) -> None:
        """One rising edge was off by this."""
        self._errors_us.append(abs(error_us))

    @property
    def jitter(self) -> Jitter | None:
        """The figures; None before the first edge."""
        if not self._errors_us:
            return None
        ordered = sorted(self._errors_us)
        last = len(ordered) - 1
        return Jitter(len(ordered), ordered[last // 2], ordered[round(last * 0.99)], ordered[last])
