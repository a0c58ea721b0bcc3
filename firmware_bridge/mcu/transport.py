"""Bytes to and from an MCU: what a port must be able to do, and the serial port that does it."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
from pathlib import Path
from typing import Protocol

import serial

from firmware_bridge.clock import NS_PER_S
from firmware_bridge.errors import PortError, PortInUse, PortLost, PortNotFound
from firmware_bridge.waker import Waker
from firmware_bridge.wire.messages import BAUD_RATE

STABLE_NAMES = Path("/dev/serial/by-id")
"""Where udev names ports after the device behind them, so that they survive a replug."""

BITS_PER_BYTE = 10
WRITE_PATIENCE_S = 0.2


class Transport(Protocol):
    """A port. One thread reads and writes; ``wake`` may be called from any.

    Attributes:
        name: for messages to people.
        byte_time_ns: how long a byte takes.
    """

    name: str
    byte_time_ns: int

    def open(self) -> None:
        """Raises PortError where that is not possible."""
        ...

    def close(self) -> None:
        """Does nothing if it is closed."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """What has come, or nothing after this time or a ``wake``; PortLost if the port is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Sends all of it; PortLost if the port is gone."""
        ...

    def wake(self) -> None:
        """Lets the present or next ``read`` return at once."""
        ...


class SerialTransport:
    """A serial port, held exclusively.

    Args:
        path: best one of ``/dev/serial/by-id``.
    """

    def __init__(self, path: str, *, baud_rate: int = BAUD_RATE) -> None:
        self.name = path
        self.byte_time_ns = NS_PER_S * BITS_PER_BYTE // baud_rate
        self._baud_rate = baud_rate
        self._port: serial.Serial | None = None
        self._waker: Waker | None = None

    def open(self) -> None:
        """Opens and locks the port.

        Raises:
            PortNotFound: with the names of the ports that there are.
            PortInUse: another process holds it.
            PortError: anything else, in the system's words.
        """
        try:
            self._port = serial.Serial(self.name, self._baud_rate, timeout=0, exclusive=True)
            self._keep_line_up(self._port.fileno())
        except (OSError, serial.SerialException, ValueError) as error:
            self.close()
            raise _explained(self.name, error) from error
        self._waker = Waker()

    def close(self) -> None:
        """Closes the port; the next one may have it."""
        port, self._port = self._port, None
        waker, self._waker = self._waker, None
        if port:
            with contextlib.suppress(OSError, serial.SerialException):
                port.close()
        if waker:
            waker.close()

    def read(self, timeout_s: float) -> bytes:
        """What has come, or nothing after this time or a ``wake``."""
        port, waker = self._opened()
        watched: list[int | Waker] = [port, waker]
        try:
            ready, _, _ = select.select(watched, [], [], max(0.0, timeout_s))
            if waker in ready:
                waker.drain()
            if port not in ready:
                return b""
            data = os.read(port, 4096)
        except OSError as error:
            raise PortLost(f"{self.name} has gone: {error.strerror}.") from error
        if not data:
            raise PortLost(f"{self.name} has gone; was the cable pulled?")
        return data

    def write(self, data: bytes) -> None:
        """Sends all of it, if the port takes it within a fifth of a second."""
        port, _ = self._opened()
        try:
            while data:
                _, ready, _ = select.select([], [port], [], WRITE_PATIENCE_S)
                if not ready:
                    raise PortLost(f"{self.name} takes no bytes any more.")
                data = data[os.write(port, data) :]
        except PortError:
            raise
        except OSError as error:
            raise PortLost(f"{self.name} has gone: {error.strerror}.") from error

    def wake(self) -> None:
        """Lets the present or next ``read`` return at once."""
        if waker := self._waker:
            waker.wake()

    def _opened(self) -> tuple[int, Waker]:
        if self._port is None or self._waker is None:
            raise PortLost(f"{self.name} is closed.")
        return self._port.fileno(), self._waker

    @staticmethod
    def _keep_line_up(descriptor: int) -> None:
        """Closing the port shall not drop DTR: on an Uno its next rise is a reset."""
        attributes = termios.tcgetattr(descriptor)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def available_ports() -> list[str]:
    """Serial ports by their stable names."""
    return sorted(map(str, STABLE_NAMES.iterdir())) if STABLE_NAMES.is_dir() else []


def _explained(name: str, error: Exception) -> PortError:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        there = ", ".join(available_ports()) or "none"
        return PortNotFound(f"There is no {name}. Ports that are there: {there}.")
    if code in (errno.EBUSY, errno.EAGAIN):
        return PortInUse(f"{name} is in use by another process: stop it, or name another port.")
    if code == errno.EACCES:
        return PortError(f"{name} may not be opened by this user: add it to the group dialout.")
    return PortError(f"{name} cannot be used as a serial port: {error}")
