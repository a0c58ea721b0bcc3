"""The simulated line as a source of frames, in place of a camera."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.simulator.line import Line
from edge_agent.simulator.scene import Scene
from edge_agent.simulator.settings import SimulatorSettings
from edge_agent.sources.base import Source

_LOOK_AHEAD_NS = 1_000_000_000


class SimulatedLine(Source):
    """A line that needs no hardware, and whose truth is known.

    A paced line runs in real time, as a camera on a belt does: who reads too slowly misses frames,
    and the gap shows in their sequence numbers. An unpaced line waits for its reader. Opening
    again starts again at frame 0. A paced line is live, an unpaced one is not. `captured_at_ns` is
    the moment the picture shows on a paced line, and the moment of reading on an unpaced one.

    One thread at a time may read; `close` and `interrupt` may be called from another thread, and
    end a `read` that waits.

    Args:
        settings: of the line.
        clock: that paces it.
        on_photo_eye: told the number of each part of a paced line and the moment at which its
            centre passes the middle of the frame, in order and about a second before.
    """

    resumable = True

    def __init__(
        self,
        settings: SimulatorSettings,
        clock: Clock,
        on_photo_eye: Callable[[int, int], None] | None = None,
    ) -> None:
        self.live = settings.paced
        self._on_photo_eye = on_photo_eye
        self._announced = 0
        self._settings = settings
        self._clock = clock
        self._scene: Scene | None = None
        self._closed = threading.Event()
        self._opened_at_ns = 0
        self._next = 0

    @property
    def frames(self) -> int | None:
        """Number of frames until the last part has left the picture; None if parts never end."""
        return Line(self._settings).frames

    def open(self) -> None:
        """Draw belt and tools, and start the line at frame 0."""
        self._scene = Scene(self._settings)
        self._closed = threading.Event()
        self._next = self._announced = 0
        self._opened_at_ns = self._clock.monotonic_ns()

    def read(self) -> Frame | None:
        """The next frame, with a truth for every part in it; None at the end and after `close`.

        Raises:
            SourceUnavailable: the line was never opened.
        """
        scene, closed = self._scene, self._closed
        if scene is None:
            if closed.is_set():
                return None
            raise SourceUnavailable("The simulated line is not open; open it before reading.")
        if self._settings.paced:
            self._announce_parts(scene.line)
            self._await_frame(closed)
        sequence = self._next
        if closed.is_set() or (scene.line.frames is not None and sequence >= scene.line.frames):
            return None
        self._next += 1
        image, truths = scene.render(sequence)
        captured = self._due_ns(sequence) if self._settings.paced else self._clock.monotonic_ns()
        return Frame(image, sequence, captured, truths=truths)

    def interrupt(self) -> None:
        """See :class:`Source`."""
        self._closed.set()

    def close(self) -> None:
        """Stop the line; harmless if it is not open."""
        self._closed.set()
        self._scene = None

    def _announce_parts(self, line: Line) -> None:
        """Tell the photo-eye which parts will pass it in the next second."""
        parts = self._settings.parts
        while self._on_photo_eye is not None and (parts is None or self._announced < parts):
            part = line.part(self._announced)
            way_px = part.behind_px + self._settings.width_px / 2
            passes_ns = round(way_px / self._settings.belt_speed_px_per_s * 1e9)
            at_ns = self._opened_at_ns + passes_ns
            if at_ns > self._clock.monotonic_ns() + _LOOK_AHEAD_NS:
                return
            self._on_photo_eye(part.number, at_ns)
            self._announced += 1

    def _await_frame(self, closed: threading.Event) -> None:
        """Wait until the next frame is due; pass over those whose time is over."""
        now_ns = self._clock.monotonic_ns()
        elapsed_s = (now_ns - self._opened_at_ns) / 1e9
        self._next = max(self._next, int(elapsed_s * self._settings.frames_per_s))
        remaining_ns = self._due_ns(self._next) - now_ns
        if remaining_ns > 0:
            self._clock.wait(closed, remaining_ns / 1e9)

    def _due_ns(self, sequence: int) -> int:
        """The moment that a frame of a paced line shows."""
        return self._opened_at_ns + round(sequence * 1e9 / self._settings.frames_per_s)
