"""Trying a source: does it open, do images come, do they show anything?"""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_agent.clock import Clock
from edge_agent.errors import SourceError, SourceUnavailable, SourceUnhealthy
from edge_agent.sources.base import Source
from edge_agent.sources.health import FrameHealth


def probe(make_source: Callable[[], Source], clock: Clock, frames: int, timeout_s: float) -> str:
    """Open a source and read some frames.

    A folder that is watched need not deliver any: that it can be opened is enough.

    Args:
        make_source: makes the source.
        clock: for the deadline.
        frames: to read from a live source; of others, one.
        timeout_s: for all of it.

    Returns:
        A sentence about what came.

    Raises:
        SourceError: with a sentence about what is wrong.
    """
    outcome: list[str | SourceError] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(_read(make_source(), frames))
        except SourceError as error:
            outcome.append(error)
        done.set()

    # In a thread of its own, since a driver may never come back.
    threading.Thread(target=work, daemon=True).start()
    if not clock.wait(done, timeout_s):
        raise SourceUnavailable(f"no image within {timeout_s:.0f} s: the source is silent")
    result = outcome[0]
    if isinstance(result, SourceError):
        raise result
    return result


def _read(source: Source, frames: int) -> str:
    health = FrameHealth()
    with source:
        if source.resumable and not source.live:
            return "the folder can be read"
        for _ in range(frames if source.live else 1):
            frame = source.read()
            if frame is None:
                raise SourceUnavailable("the source ends before its first image")
            size = f"{frame.image.shape[1]} x {frame.image.shape[0]}"
            health.is_black(frame)
        if source.live and health.problem is not None:
            raise SourceUnhealthy(health.problem)
        return f"images of {size} arrive"
