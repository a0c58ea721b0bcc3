"""What a source of frames is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from edge_agent.frame import Frame


class Source(ABC):
    """Gives frames, one after the other.

    A context manager: entering opens the device, leaving closes it, and it may be entered again.
    One thread at a time may use a source.
    """

    @property
    @abstractmethod
    def live(self) -> bool:
        """Whether frames come whether or not anybody looks.

        Of a live source the newest frame wins and the others are dropped and counted; a source that
        is not live waits, and every frame counts. A source of which this is always so may say
        `live = True` in its class.
        """

    @abstractmethod
    def open(self) -> None:
        """Open the device. Raises SourceUnavailable with a sentence if that is not possible."""

    @abstractmethod
    def read(self) -> Frame | None:
        """Wait for the next frame; None at the end.

        Raises:
            SourceUnavailable: the device has gone; opening it again may help.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the device back; harmless if it is not open."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
