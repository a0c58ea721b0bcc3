"""Several parts judged at the same time, told in the order in which they came.

The kernels of one picture run in one thread: a layer takes a fraction of a millisecond, too little
to share out. With several threads, each owns a detector and judges parts of its own. A part is only
taken when a thread is free for it; until then newer frames may replace the one that waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from calibration.detector import Detector, Inspection
from calibration.errors import ImageMismatch
from edge_agent.triggers.base import Part

Judgement = Inspection | ImageMismatch
OnJudged = Callable[[Part, Judgement], None]


class Judges:
    """Detectors side by side; with one, everything happens in the caller's thread.

    Args:
        detectors: one for each thread, all of the same model.
        on_judged: told about every part, in order, by one thread at a time; what it raises ends the
            work.
    """

    def __init__(self, detectors: Sequence[Detector], on_judged: OnJudged) -> None:
        self._free: SimpleQueue[Detector] = SimpleQueue()
        for detector in detectors:
            self._free.put(detector)
        self._on_judged = on_judged
        self._pool: ThreadPoolExecutor | None = None
        if len(detectors) > 1:
            self._pool = ThreadPoolExecutor(len(detectors), "judge")
        self._telling = threading.Lock()
        self._fed = self._told = 0
        self._waiting: dict[int, tuple[Part, Judgement]] = {}
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if kind is None:
            self._raise_failure()

    def feed(self, part: Part) -> None:
        """Judge a part; returns once a detector has taken it.

        Raises:
            Exception: what ``on_judged`` raised, for this part or an earlier one.
        """
        self._raise_failure()
        turn, self._fed = self._fed, self._fed + 1
        detector = self._free.get()
        if self._pool is None:
            self._judge(part, turn, detector)
            self._raise_failure()
        else:
            self._pool.submit(self._judge, part, turn, detector)

    def _judge(self, part: Part, turn: int, detector: Detector) -> None:
        try:
            judgement: Judgement = detector.inspect(part.image)
        except ImageMismatch as error:
            judgement = error
        except Exception as error:
            self._failure = error
            return
        finally:
            self._free.put(detector)
        with self._telling:
            self._waiting[turn] = part, judgement
            while self._failure is None and self._told in self._waiting:
                ready = self._waiting.pop(self._told)
                self._told += 1
                try:
                    self._on_judged(*ready)
                except Exception as error:
                    self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
