"""The reader: one thread that keeps a source open and fills the slot.

A device may fail in three ways: it does not open, it says that it has gone, or it says nothing and
``read()`` never returns. The first two are tried again with growing pauses. For the third no one
can stop the thread that waits; it is abandoned with its device, and a new thread opens a new one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from edge_agent.clock import Clock
from edge_agent.errors import SourceError, SourceUnavailable, SourceUnhealthy
from edge_agent.sources.base import Source
from edge_agent.sources.health import FrameHealth
from edge_agent.sources.slot import FrameSlot

_FIRST_PAUSE_S = 0.5
_log = logging.getLogger(__name__)


class FrameReader:
    """Owns the reading thread.

    Args:
        make_source: makes a fresh source; called again when one had to be abandoned.
        clock: for pauses and deadlines.
        read_timeout_s: seconds without a frame after which a live source is opened anew.
        reconnect_max_s: longest pause between two tries to open it.

    Attributes:
        slot: where frames appear.
        frames: frames read, the unusable ones included.
        unusable: frames passed over because they were black.
        reconnects: how often the source was opened again.
        problem: a sentence while something is wrong; None while frames come.
        failure: why the source ended, if it was an error and trying again makes no sense.
    """

    def __init__(
        self,
        make_source: Callable[[], Source],
        clock: Clock,
        read_timeout_s: float = 5.0,
        reconnect_max_s: float = 30.0,
    ) -> None:
        self._make_source, self._clock = make_source, clock
        self._read_timeout_s, self._reconnect_max_s = read_timeout_s, reconnect_max_s
        self._source = make_source()
        self.live = self._source.live
        self.slot = FrameSlot(newest_wins=self.live)
        self._stop = threading.Event()
        self._opened = threading.Event()
        self._refusal: SourceError | None = None
        self._thread = threading.Thread(target=self._work, args=(self._source,), daemon=True)
        self._last_progress_ns = 0
        self.frames = 0
        self.unusable = 0
        self.reconnects = 0
        self.problem: str | None = None
        self.failure: SourceError | None = None

    def __enter__(self) -> Self:
        """Open the source.

        Raises:
            SourceError: if it does not open the first time: that is a matter of installation.
        """
        self._last_progress_ns = self._clock.monotonic_ns()
        self._thread.start()
        # Opening may hang as reading may.
        if not self._opened.wait(2 * self._read_timeout_s + 10):
            self._stop.set()
            raise SourceUnavailable("the source did not open in time: nothing came back from it")
        if self._refusal is not None:
            self._stop.set()
            raise self._refusal
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self.slot.close()
        self._source.interrupt()
        # A thread inside a stalled driver cannot be joined; it is a daemon and ends with us.
        self._thread.join(timeout=1.0)

    def replace_if_stuck(self) -> None:
        """To be called when no frame came for a while: abandons a thread that hangs in a device."""
        if not self.live or self._stop.is_set():
            return
        silent_s = (self._clock.monotonic_ns() - self._last_progress_ns) / 1e9
        if silent_s < self._read_timeout_s:
            return
        self._note(SourceUnavailable(f"no image for {silent_s:.0f} s: opening the source anew"))
        self._source = self._make_source()
        self._last_progress_ns = self._clock.monotonic_ns()
        self._thread = threading.Thread(target=self._work, args=(self._source,), daemon=True)
        self._thread.start()

    def _work(self, source: Source) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._over(source):
            frames_before = self.frames
            try:
                with source:
                    self._opened.set()
                    self._read_all(source)
                break
            except SourceError as error:
                if self._over(source):
                    break
                if not self._opened.is_set():
                    self._refusal = error
                    self._opened.set()
                    break
                if not source.resumable:
                    self.failure = error
                    break
                self._note(error)
            pause_s = _FIRST_PAUSE_S if self.frames > frames_before else pause_s
            self._clock.wait(self._stop, pause_s)
            pause_s = min(2 * pause_s, self._reconnect_max_s)
        if source is self._source:
            self.slot.close()

    def _read_all(self, source: Source) -> None:
        """Read until the end; raises SourceError if there is more to come later."""
        health = FrameHealth()
        while not self._over(source):
            frame = source.read()
            if frame is None or self._over(source):
                return
            self._last_progress_ns = self._clock.monotonic_ns()
            self.frames += 1
            if self.live:
                black = health.is_black(frame)
                if health.problem is not None:
                    raise SourceUnhealthy(health.problem)
                if black:
                    self.unusable += 1
                    continue
            self.problem = None
            self.slot.put(frame, abandoned=lambda: self._over(source))

    def _over(self, source: Source) -> bool:
        return self._stop.is_set() or source is not self._source

    def _note(self, error: SourceError) -> None:
        self.reconnects += 1
        if self.problem != str(error):
            _log.warning("%s", error)
        self.problem = str(error)
