"""The GPIO lines of a gate: what they must be able to do, and the kernel's lines that do it."""

from __future__ import annotations

import select
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, Protocol

from firmware_bridge.configuration import Edge, RejectConfiguration
from firmware_bridge.errors import GpioUnavailable, LineError
from firmware_bridge.waker import Waker

CONSUMER = "edge-agent"


@dataclass(frozen=True)
class Pins:
    """Line numbers on the chip.

    Attributes:
        trigger: the photo-eye.
        gate: the ejector.
        confirmation: sees ejected parts; None: no sensor.
        strobe: camera or light; None: no output.
        run: high while the line may run; None: no output.
        fault: high in the safe state; None: no output.
    """

    trigger: int
    gate: int
    confirmation: int | None = None
    strobe: int | None = None
    run: int | None = None
    fault: int | None = None


@dataclass(frozen=True)
class InputEdge:
    """An input has changed in the way that counts.

    Attributes:
        name: ``trigger`` or ``confirmation``.
        at_ns: the kernel's time stamp, monotonic.
        sequence: of this line, from 1; a gap means edges that the kernel had no room for.
    """

    name: str
    at_ns: int
    sequence: int


class Lines(Protocol):
    """The lines of a gate. One thread uses them; ``wake`` may be called from any.

    Attributes:
        name: for messages to people.
    """

    name: str

    def open(self) -> None:
        """Raises LineError where that is not possible."""
        ...

    def close(self) -> None:
        """Does nothing if they are closed."""
        ...

    def edges(self, timeout_s: float) -> list[InputEdge]:
        """What has come, or nothing after this time or a ``wake``."""
        ...

    def put(self, name: str, level: bool) -> None:
        """Sets ``gate``, ``strobe``, ``run`` or ``fault``, if it has a line."""
        ...

    def wake(self) -> None:
        """Lets the present or next ``edges`` return at once."""
        ...


class ChipLines:
    """Lines of a GPIO chip of the kernel.

    Args:
        chip: its device, e.g. ``/dev/gpiochip0``.
        pins: which lines.
        configuration: says which edges count and which outputs act while low.
    """

    def __init__(self, chip: str, pins: Pins, configuration: RejectConfiguration) -> None:
        self.name = chip
        self._pins = pins
        self._configuration = configuration
        self._gpiod = _import_gpiod()
        self._request: Any = None
        self._waker: Waker | None = None
        self._outputs: dict[str, int] = {}

    def open(self) -> None:
        """Takes hold of the lines, with all outputs at rest.

        Raises:
            LineError: there is no such chip or line, or another process or driver holds it.
        """
        settings = self._settings()
        try:
            self._request = self._gpiod.request_lines(
                self.name, consumer=CONSUMER, config=settings, event_buffer_size=256
            )
        except (OSError, ValueError) as error:
            wanted = ", ".join(f"{f.name} {getattr(self._pins, f.name)}" for f in fields(Pins))
            raise LineError(
                f"The lines of {self.name} ({wanted}) cannot be used: {error}. Are they right, free"
                " (gpioinfo shows it), and is this user in the group gpio?"
            ) from error
        self._waker = Waker()

    def close(self) -> None:
        """Puts the outputs to rest and lets go of the lines."""
        request, self._request = self._request, None
        waker, self._waker = self._waker, None
        if request:
            for offset in self._outputs.values():
                request.set_value(offset, self._gpiod.line.Value.INACTIVE)
            request.release()
        if waker:
            waker.close()

    def edges(self, timeout_s: float) -> list[InputEdge]:
        """What has come, or nothing after this time or a ``wake``."""
        if self._request is None or self._waker is None:
            raise LineError(f"The lines of {self.name} are closed.")
        descriptor: int = self._request.fd
        watched: list[int | Waker] = [descriptor, self._waker]
        ready, _, _ = select.select(watched, [], [], max(0.0, timeout_s))
        if self._waker in ready:
            self._waker.drain()
        if descriptor not in ready:
            return []
        names = {self._pins.trigger: "trigger", self._pins.confirmation: "confirmation"}
        return [
            InputEdge(names[event.line_offset], event.timestamp_ns, event.line_seqno)
            for event in self._request.read_edge_events()
        ]

    def put(self, name: str, level: bool) -> None:
        """Sets an output, if it has a line."""
        offset = self._outputs.get(name)
        if offset is not None and self._request is not None:
            value = self._gpiod.line.Value
            self._request.set_value(offset, value.ACTIVE if level else value.INACTIVE)

    def wake(self) -> None:
        """Lets the present or next ``edges`` return at once."""
        if waker := self._waker:
            waker.wake()

    def _settings(self) -> Mapping[int, Any]:
        line, pins, configuration = self._gpiod.line, self._pins, self._configuration
        detection = {Edge.RISING: line.Edge.RISING, Edge.FALLING: line.Edge.FALLING}

        def reads(edge: Edge) -> Any:
            return self._gpiod.LineSettings(
                direction=line.Direction.INPUT,
                edge_detection=detection[edge],
                event_clock=line.Clock.MONOTONIC,
            )

        settings = {pins.trigger: reads(configuration.trigger_edge)}
        if pins.confirmation is not None:
            settings[pins.confirmation] = reads(configuration.confirmation_edge)
        active_low = {
            "gate": configuration.gate_active_low,
            "strobe": configuration.strobe_active_low,
        }
        for name in ("gate", "strobe", "run", "fault"):
            offset = getattr(pins, name)
            if offset is not None:
                self._outputs[name] = offset
                settings[offset] = self._gpiod.LineSettings(
                    direction=line.Direction.OUTPUT,
                    output_value=line.Value.INACTIVE,
                    active_low=active_low.get(name, False),
                )
        return settings


def _import_gpiod() -> ModuleType:
    try:
        import gpiod
        import gpiod.line
    except ImportError as error:
        raise GpioUnavailable(
            "A gate on GPIO lines needs the extra gpio: pip install 'edge-agent[gpio]'"
        ) from error
    module: ModuleType = gpiod
    return module
