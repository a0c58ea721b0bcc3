"""What the agent uses, whatever moves the gate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import Event, SafeReason, Verdict
from firmware_bridge.status import Status

EventHandler = Callable[[Event], None]
"""Called for every event, one at a time, from a thread of the rejector. It must return soon, since
all else waits for it, and of the rejector's methods it may call ``decide`` and ``status`` only: the
others wait for the very thread that it keeps busy."""


class Rejector(ABC):
    """A reject gate. Open within ``with``; methods may be called from any thread.

    It begins in the safe state and stays there until ``clear``. Every trigger leads to one
    ``Trigger`` event, unless it was lost on the way, and to exactly one ``Outcome`` event; after
    the end of ``with`` no event comes any more.
    """

    def __init__(self, configuration: RejectConfiguration, on_event: EventHandler) -> None:
        configuration.check()
        self.configuration = configuration
        self._on_event = on_event

    @abstractmethod
    def open(self) -> None:
        """Takes hold of the hardware; done by ``with``.

        Raises:
            BridgeError: see ``errors``; nothing is held then.
        """

    @abstractmethod
    def close(self) -> None:
        """Puts the gate into the safe state, ends every part, and lets go of the hardware; done
        by ``with``."""

    @abstractmethod
    def decide(self, part: int, verdict: Verdict) -> None:
        """The verdict on a part. Never waits; one that comes too late changes nothing."""

    @abstractmethod
    def clear(self, expected: SafeReason | None = None) -> None:
        """Leaves the safe state, on purpose.

        Args:
            expected: the reason that is meant; None: whichever holds at this moment.

        Raises:
            CommandRefused: another reason holds by now, or the MCU cannot be reached.
        """

    @abstractmethod
    def reject_test(self, pulse_ms: float) -> None:
        """Fires one pulse, for commissioning.

        Raises:
            CommandRefused: parts are in flight, or the pulse is outside the limits.
        """

    @abstractmethod
    def status(self) -> Status:
        """Everything at this moment."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
