"""What the MCU's clock says in the host's time.

Each ping is a sample: sent and answered by the host's clock, read and answered by the MCU's. The
MCU read it somewhere between the two host moments; the middle is the best guess, and half of what
the trip took is the most by which it can be wrong. A straight line through recent samples, fitted
by least squares after outliers are left out, gives offset and drift. The uncertainty that is
published has three parts: half the shortest trip (a trip may take longer one way than the other,
and no measurement from here can tell), the scatter of the samples around the line, and what is not
known about the drift, for the time since the latest sample.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_US
from firmware_bridge.wire.messages import TICKS_PER_US

NS_PER_TICK = NS_PER_US // TICKS_PER_US
WRAP = 1 << 32

SAMPLES = 64
"""Remembered; at 40 pings a second and one of eight kept, the last 13 seconds."""

GROUP = 8
"""Of so many pings the one with the shortest trip becomes a sample."""

ENOUGH = 4
"""Samples before anything is said; a single one may be an outlier."""

SLOW_TRIP = 2.0
"""Trips that take this many times the median of the shortest quarter are left out."""

WILD = 4.0
"""Residuals this many times the median residual are left out."""

USUAL_DRIFT = 100e-6
"""Crystals and resonators are off by about this. Before the samples say better, the line leans on
it: a slope through the first few pings would be nothing but their scatter."""

LEAST_NOISE_NS = 10 * NS_PER_US
"""Trips that look equal are not that equal."""


@dataclass(frozen=True)
class ClockEstimate:
    """The line, as published.

    Attributes:
        offset_ns: host time at tick 0 of the MCU's present turn of 35.8 minutes.
        drift_ppm: by how much the MCU's clock runs fast.
        uncertainty_ns: host times of recent events are right within this.
        samples: how many the line is based on.
    """

    offset_ns: int
    drift_ppm: float
    uncertainty_ns: int
    samples: int


@dataclass(frozen=True)
class _Sample:
    ticks: int
    host_ns: int
    half_trip_ns: int


class ClockSync:
    """Keeps the line between both clocks. Not for several threads."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._group: list[_Sample] = []
        self._origin = _Sample(0, 0, 0)
        self._ns_per_tick = float(NS_PER_TICK)
        self._host_at_origin_ns = 0.0
        self._uncertainty_ns = 0
        self._drift_uncertainty = 2 * USUAL_DRIFT
        self._used = 0

    @property
    def ready(self) -> bool:
        """Whether times can be converted."""
        return len(self._samples) >= ENOUGH

    @property
    def estimate(self) -> ClockEstimate | None:
        """The present line; None until it is ready."""
        if not self.ready:
            return None
        return ClockEstimate(
            offset_ns=self._to_host_ns(self._origin.ticks // WRAP * WRAP),
            drift_ppm=(NS_PER_TICK / self._ns_per_tick - 1) * 1e6,
            uncertainty_ns=self._uncertainty_ns,
            samples=self._used,
        )

    def reset(self) -> None:
        """Forgets everything, e.g. when the MCU has started anew."""
        self.__init__()  # type: ignore[misc]

    def add(self, sent_ns: int, received_ns: int, read_at: int, turnaround: int) -> None:
        """One ping.

        Args:
            sent_ns: host time when the last byte of the ping had left.
            received_ns: host time when the first byte of the answer came.
            read_at: MCU clock when the ping was read, 32 bits.
            turnaround: ticks from then until the answer's first byte.
        """
        trip_ns = received_ns - sent_ns - turnaround * NS_PER_TICK
        trip_ns = max(trip_ns, 0)
        ticks = self._unwrap(read_at, sent_ns)
        self._group.append(_Sample(ticks, sent_ns + trip_ns // 2, trip_ns // 2))
        if len(self._group) >= GROUP or not self.ready:
            self._samples.append(min(self._group, key=lambda sample: sample.half_trip_ns))
            self._group.clear()
            self._fit()

    def to_host_ns(self, ticks: int) -> tuple[int, int]:
        """Host time of an MCU clock reading of 32 bits, and its uncertainty, in nanoseconds.

        Readings are taken to be within 17 minutes of the latest sample.
        """
        unwrapped = self._nearest(ticks, self._origin.ticks)
        distance_ns = abs(unwrapped - self._origin.ticks) * NS_PER_TICK
        uncertainty_ns = self._uncertainty_ns + int(distance_ns * self._drift_uncertainty)
        return self._to_host_ns(unwrapped), uncertainty_ns

    def _to_host_ns(self, unwrapped: int) -> int:
        return round(self._host_at_origin_ns + (unwrapped - self._origin.ticks) * self._ns_per_tick)

    @staticmethod
    def _nearest(ticks: int, reference: int) -> int:
        return reference + (ticks - reference + WRAP // 2) % WRAP - WRAP // 2

    def _unwrap(self, ticks: int, host_ns: int) -> int:
        if not self._samples:
            return ticks
        latest = self._samples[-1]
        passed = round((host_ns - latest.host_ns) / self._ns_per_tick)
        return self._nearest(ticks, latest.ticks + passed)

    def _fit(self) -> None:
        kept = self._short_trips()
        self._origin = kept[-1]
        self._draw_line(kept)
        residuals = self._residuals(kept)
        limit = WILD * max(sorted(map(abs, residuals))[len(residuals) // 2], NS_PER_US)
        tame = [s for s, r in zip(kept, residuals, strict=True) if abs(r) <= limit]
        if ENOUGH <= len(tame) < len(kept):
            kept = tame
            self._draw_line(kept)
            residuals = self._residuals(kept)
        self._used = len(kept)
        scatter = math.sqrt(sum(r * r for r in residuals) / max(1, len(residuals) - 2))
        asymmetry = min(sample.half_trip_ns for sample in kept)
        self._uncertainty_ns = int(asymmetry + 2 * scatter) + NS_PER_TICK

    def _short_trips(self) -> list[_Sample]:
        trips = sorted(sample.half_trip_ns for sample in self._samples)
        usual = max(trips[len(trips) // 8], NS_PER_US)
        return [s for s in self._samples if s.half_trip_ns <= SLOW_TRIP * usual]

    def _draw_line(self, samples: list[_Sample]) -> None:
        """Least squares, with the usual drift as one more measurement (ridge regression)."""
        origin = self._origin
        # What the nominal rate leaves over is small: float64 holds it to a nanosecond.
        points = [
            (float(ticks), float(s.host_ns - origin.host_ns - ticks * NS_PER_TICK))
            for s in samples
            for ticks in (s.ticks - origin.ticks,)
        ]
        mean_ticks = sum(ticks for ticks, _ in points) / len(points)
        mean_over = sum(over for _, over in points) / len(points)
        trips = [sample.half_trip_ns for sample in samples]
        noise_ns = max(trips) - min(trips) + LEAST_NOISE_NS
        ridge = (noise_ns / (USUAL_DRIFT * NS_PER_TICK)) ** 2
        spread = sum((ticks - mean_ticks) ** 2 for ticks, _ in points)
        slope = sum((t - mean_ticks) * (o - mean_over) for t, o in points) / (spread + ridge)
        self._ns_per_tick = NS_PER_TICK + slope
        self._host_at_origin_ns = origin.host_ns + mean_over - slope * mean_ticks
        self._drift_uncertainty = 2 * noise_ns / math.sqrt(spread + ridge) / NS_PER_TICK

    def _residuals(self, samples: list[_Sample]) -> list[float]:
        return [sample.host_ns - self._line_at(sample.ticks) for sample in samples]

    def _line_at(self, unwrapped: int) -> float:
        return self._host_at_origin_ns + (unwrapped - self._origin.ticks) * self._ns_per_tick
