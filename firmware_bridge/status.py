"""The state of a reject gate, as published."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.events import SafeAction, SafeReason
from firmware_bridge.ledger import Counts


@dataclass(frozen=True)
class LinkStatus:
    """The wire to an MCU.

    Attributes:
        up: whether verdicts get through now.
        round_trip_ms: smoothed; None before the first.
        clock_offset_ns: host time at tick 0 of the MCU's present turn; None before it is known.
        clock_drift_ppm: by how much the MCU's clock runs fast.
        clock_uncertainty_us: host times of triggers are right within this.
        retransmissions: commands sent again.
        reports_asked_again: how often reports were missing.
        damaged_frames: frames from the MCU that did not arrive whole.
        sessions: how often the MCU was connected to; above 1 it was reset meanwhile.
    """

    up: bool
    round_trip_ms: float | None
    clock_offset_ns: int | None
    clock_drift_ppm: float | None
    clock_uncertainty_us: float | None
    retransmissions: int
    reports_asked_again: int
    damaged_frames: int
    sessions: int


@dataclass(frozen=True)
class McuCounters:
    """What the MCU counts; modulo 65,536, since its start.

    Attributes:
        bad_frames: from the host, damaged.
        overruns: bytes from the host that it had no room for.
        ignored_edges: of the photo-eye, within the dead time.
        late_commands: verdicts for parts that were decided already, or unknown.
        confirmed: ejected parts that the sensor has seen.
        loop_us: longest pass of its main loop in the latest second.
        free_bytes: RAM that its stack has never touched.
    """

    bad_frames: int
    overruns: int
    ignored_edges: int
    late_commands: int
    confirmed: int
    loop_us: int
    free_bytes: int


@dataclass(frozen=True)
class Jitter:
    """How exactly the gate has acted: rising edges against trigger + delay - lead.

    Attributes:
        edges: how many were measured.
        p50_us: half of them were off by no more than this.
        p99_us: 99 % of them were.
        maximum_us: all of them were.
    """

    edges: int
    p50_us: float
    p99_us: float
    maximum_us: float


@dataclass(frozen=True)
class Status:
    """Everything about a reject gate at one moment.

    Attributes:
        counts: triggers and how they ended.
        safe_reason: why the safe state holds; ``NONE``: running.
        safe_action: what the outputs do in it; None: running.
        encoder_count: the belt; None without an encoder.
        jitter: of the latest edges; None before the first.
        link: the wire; None for a gate without one.
        mcu: what the MCU counts; None before it was asked, or without one.
        real_time: outputs are made by hardware, or by a thread of real-time priority.
    """

    counts: Counts
    safe_reason: SafeReason
    safe_action: SafeAction | None
    encoder_count: int | None
    jitter: Jitter | None
    link: LinkStatus | None
    mcu: McuCounters | None
    real_time: bool
