"""The thread behind the verdict: tells everybody, and never lets the inspection wait for them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from edge_agent.record import Result

_CAPACITY = 1000
_TICK_S = 1.0
_log = logging.getLogger(__name__)


class Reporter:
    """Calls ``tell`` for every record and ``tick`` about once a second, in one thread.

    Args:
        tell: told about a part; may wait for disks.
        tick: for what is due from time to time, such as a status message.

    Attributes:
        lost: records that did not fit into the queue.
    """

    def __init__(
        self, tell: Callable[[Result], None], tick: Callable[[], None] = lambda: None
    ) -> None:
        self._tell, self._tick = tell, tick
        self._queue: queue.Queue[Result | None] = queue.Queue(_CAPACITY)
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self.lost = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell what is still queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def put(self, record: Result, *, wait: bool) -> None:
        """Hand over a record.

        Args:
            record: to be told.
            wait: for room in the queue (files can wait), instead of losing the record (a line
                cannot).
        """
        try:
            self._queue.put(record, block=wait)
        except queue.Full:
            self.lost += 1

    def _work(self) -> None:
        while True:
            try:
                record = self._queue.get(timeout=_TICK_S)
            except queue.Empty:
                self._tick()
                continue
            if record is None:
                return
            try:
                self._tell(record)
            except OSError as error:  # a full disk must not end the inspection
                _log.error("a result could not be written: %s", error)
            self._tick()
