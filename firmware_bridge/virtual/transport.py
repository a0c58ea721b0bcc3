"""A wire to a virtual board within the same process."""

from __future__ import annotations

import threading

from firmware_bridge.clock import NS_PER_S, Clock, MonotonicClock
from firmware_bridge.errors import PortLost, PortNotFound
from firmware_bridge.virtual.board import VirtualBoard
from firmware_bridge.virtual.mcu import BYTE_TIME_NS


class VirtualTransport:
    """What a serial port is to a real board."""

    def __init__(self, board: VirtualBoard, *, clock: Clock | None = None) -> None:
        self.name = "the virtual MCU"
        self.byte_time_ns = BYTE_TIME_NS
        self._board = board
        self._clock = clock or MonotonicClock()
        self._woken = threading.Event()
        self._changed = threading.Event()

    def open(self) -> None:
        """Raises PortNotFound while the board is unplugged."""
        if not self._board.plugged:
            raise PortNotFound(f"{self.name} is unplugged.")
        self._board.on_change(self._changed.set)

    def close(self) -> None:
        """Leaves the board to itself."""
        self._board.on_change(lambda: None)

    def read(self, timeout_s: float) -> bytes:
        """What has come, or nothing after this time or a ``wake``."""
        end_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        while True:
            self._changed.clear()
            if not self._board.plugged:
                raise PortLost(f"{self.name} has been unplugged.")
            data, due_ns = self._board.exchange()
            now_ns = self._clock.now_ns()
            if data or self._woken.is_set() or now_ns >= end_ns:
                self._woken.clear()
                return data
            until_ns = end_ns if due_ns is None else min(end_ns, due_ns)
            self._changed.wait(max(0, until_ns - now_ns) / NS_PER_S)

    def write(self, data: bytes) -> None:
        """Sends all of it."""
        if not self._board.plugged:
            raise PortLost(f"{self.name} has been unplugged.")
        self._board.receive(data)

    def wake(self) -> None:
        """Lets the present or next ``read`` return at once."""
        self._woken.set()
        self._changed.set()
