"""Lets one thread wake another that waits in ``select``."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """Something to wait for beside a port. ``wake`` may be called from any thread, at any time."""

    def __init__(self) -> None:
        self._waiting, self._waking = socket.socketpair()
        self._waiting.setblocking(False)
        self._waking.setblocking(False)

    def fileno(self) -> int:
        """For ``select``."""
        return self._waiting.fileno()

    def wake(self) -> None:
        """Makes it readable; does nothing once it is closed."""
        with contextlib.suppress(OSError):  # full: it is awake already
            self._waking.send(b"!")

    def drain(self) -> None:
        """Makes it unreadable again."""
        with contextlib.suppress(BlockingIOError):
            while self._waiting.recv(4096):
                pass

    def close(self) -> None:
        """Lets go of both ends."""
        self._waiting.close()
        self._waking.close()
