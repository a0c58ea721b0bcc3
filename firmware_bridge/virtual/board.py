"""A virtual MCU in real time, for several threads: the board that is not there.

What it is plugged into is ``VirtualTransport``, in this process, or ``VirtualPty``, for any other.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from firmware_bridge.clock import Clock, MonotonicClock
from firmware_bridge.virtual.faults import FaultyWire
from firmware_bridge.virtual.mcu import Output, VirtualMcu
from firmware_bridge.wire.codes import ResetCause


class VirtualBoard:
    """The board, and the verbs for what may happen to it. Every method may come from any thread.

    Args:
        clock: of the world around it.
        drift_ppm: by how much its own clock runs fast; 200 is a bad one.
        on_output: is told of every change of an output, in the thread that lets it happen; it must
            not call the board.
        seed: of the faults on its wire.

    Attributes:
        to_host: the wire to the host; its faults may be changed at any time.
        to_board: the wire from the host.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        drift_ppm: float = 0.0,
        on_output: Callable[[Output], None] = lambda output: None,
        seed: int = 0,
    ) -> None:
        self.to_host = FaultyWire(random.Random(seed))
        self.to_board = FaultyWire(random.Random(seed + 1))
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._plugged = True
        self._mcu = VirtualMcu(self._clock.now_ns(), drift_ppm=drift_ppm, on_output=on_output)
        self._on_change: Callable[[], None] = lambda: None

    # The world around it.

    def trigger(self, at_ns: int | None = None) -> None:
        """A part passes the photo-eye.

        Args:
            at_ns: a moment to come, later than those announced before: the edge is then exact,
                however late the threads are. None or past: now.
        """

        def happen(now_ns: int) -> None:
            if at_ns is None or at_ns <= now_ns:
                self._mcu.trigger(now_ns)
            else:
                self._mcu.expect_trigger(at_ns)

        self._happens(happen)

    def confirm(self) -> None:
        """An ejected part passes the confirmation sensor, now."""
        self._happens(self._mcu.confirm)

    def set_belt_speed(self, counts_per_s: float) -> None:
        """The belt moves at this speed from now on."""
        self._happens(lambda now_ns: self._mcu.set_belt_speed(counts_per_s, now_ns))

    # Faults.

    def mute(self) -> None:
        """It takes everything and says nothing."""
        with self._lock:
            self._mcu.mute()

    def unmute(self) -> None:
        """It answers again."""
        with self._lock:
            self._mcu.unmute()

    def unplug(self) -> None:
        """Its cable is pulled; it goes on by itself."""
        self._set_plugged(False)

    def plug(self) -> None:
        """Its cable is back."""
        self._set_plugged(True)

    def reset(self, cause: ResetCause = ResetCause.EXTERNAL) -> None:
        """It starts anew."""
        self._happens(lambda now_ns: self._mcu.reset(cause, now_ns))

    def hang(self) -> None:
        """Its firmware hangs, until the watchdog resets it."""
        self._happens(self._mcu.hang)

    # The wire.

    @property
    def plugged(self) -> bool:
        """Whether its cable is in."""
        return self._plugged

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        self._happens(lambda now_ns: self._mcu.receive(self.to_board.carry(data), now_ns))

    def exchange(self) -> tuple[bytes, int | None]:
        """Bytes for the host that have left by now, and when to ask again if nothing happens."""
        with self._lock:
            data = self._mcu.sent(self._clock.now_ns())
            return self.to_host.carry(data) if data else b"", self._mcu.due_ns

    def on_change(self, call: Callable[[], None]) -> None:
        """Calls this whenever ``exchange`` may have news sooner than it said."""
        self._on_change = call

    def _set_plugged(self, plugged: bool) -> None:
        self._plugged = plugged
        self._on_change()

    def _happens(self, what: Callable[[int], None]) -> None:
        with self._lock:
            what(self._clock.now_ns())
        self._on_change()
