"""The place between reading and inspecting, one frame wide."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_agent.frame import Frame


class FrameSlot:
    """Hands frames from one thread to another.

    With ``newest_wins`` a frame that nobody took is replaced and counted as dropped; otherwise
    :meth:`put` waits until the slot is free.

    Safe to use from any number of threads.
    """

    def __init__(self, *, newest_wins: bool) -> None:
        self._newest_wins = newest_wins
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False
        self._woken = False
        self.dropped = 0

    def put(self, frame: Frame, abandoned: Callable[[], bool] = lambda: False) -> None:
        """Leave a frame; does nothing once the slot is closed.

        Args:
            frame: to hand over.
            abandoned: asked while waiting; true gives the frame up.
        """
        with self._changed:
            while self._frame is not None and not self._closed and not self._newest_wins:
                if abandoned():
                    return
                self._changed.wait(0.5)
            if self._closed:
                return
            if self._frame is not None:
                self.dropped += 1
            self._frame = frame
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> Frame | None:
        """Wait for a frame; None when the time is over, the slot is closed and empty, or woken."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._closed or self._woken, timeout_s
            )
            self._woken = False
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def wake(self) -> None:
        """Lets the present or next :meth:`take` return at once, with or without a frame."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """No more frames will come; what lies in the slot can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the slot is closed and empty."""
        with self._changed:
            return self._closed and self._frame is None
