"""A virtual board behind a pseudo-terminal: for whatever expects a serial port."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_bridge.clock import NS_PER_S, Clock, MonotonicClock
from firmware_bridge.virtual.board import VirtualBoard
from firmware_bridge.waker import Waker

LONGEST_WAIT_S = 0.5


class VirtualPty:
    """Serves a board on a pseudo-terminal, with a thread of its own, within ``with``.

    Args:
        board: to be served; unplugging it takes the terminal away.
        link: a symbolic link that leads to the terminal, whichever it is; None: no link.

    Attributes:
        path: of the terminal, or the link if there is one.
    """

    def __init__(
        self, board: VirtualBoard, *, link: Path | None = None, clock: Clock | None = None
    ) -> None:
        self.path = ""
        self._board = board
        self._link = link
        self._clock = clock or MonotonicClock()
        self._stopping = False
        self._master = self._slave = -1
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name="virtual MCU", daemon=True)

    def __enter__(self) -> Self:
        self._open_terminal()
        self._board.on_change(self._waker.wake)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._board.on_change(lambda: None)
        self._stopping = True
        self._waker.wake()
        self._thread.join()
        self._close_terminal()
        self._waker.close()

    def _open_terminal(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        if self._link:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.path)
            self.path = str(self._link)

    def _close_terminal(self) -> None:
        if self._link:
            self._link.unlink(missing_ok=True)
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)
        self._master = self._slave = -1

    def _run(self) -> None:
        while not self._stopping:
            if self._board.plugged != (self._master >= 0):
                if self._board.plugged:
                    self._open_terminal()
                else:
                    self._close_terminal()
            data, due_ns = self._board.exchange()
            if data and self._master >= 0:
                with contextlib.suppress(BlockingIOError):  # nobody reads: bytes are lost
                    os.write(self._master, data)
            wait_s = LONGEST_WAIT_S
            if due_ns is not None:
                wait_s = min(wait_s, max(0, due_ns - self._clock.now_ns()) / NS_PER_S)
            self._receive(wait_s)

    def _receive(self, wait_s: float) -> None:
        watched: list[int | Waker] = [self._waker]
        if self._master >= 0:
            watched.append(self._master)
        ready, _, _ = select.select(watched, [], [], wait_s)
        if self._waker in ready:
            self._waker.drain()
        if self._master in ready:
            self._board.receive(os.read(self._master, 4096))
