"""The virtual MCU: speaks the protocol of the real firmware, and moves a gate that is not there.

It has no thread. Everything happens at a moment that the caller names, and what was due before is
done first, at its own moment; so it is as exact under a debugger as on an idle machine. Its own
clock may run fast, as a real one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_MS, NS_PER_S
from firmware_bridge.gate.belt import Belt
from firmware_bridge.virtual.firmware import VirtualFirmware
from firmware_bridge.virtual.stored import Stored
from firmware_bridge.wire.codes import ResetCause
from firmware_bridge.wire.frames import Frame

BYTE_TIME_NS = 40_000
"""At 250,000 baud."""

WATCHDOG_NS = 60 * NS_PER_MS

LETS_GO_NS = 30 * NS_PER_MS
"""A firmware that hangs lets go of the gate within this, by its timer."""


@dataclass(frozen=True)
class Output:
    """An output has changed.

    Attributes:
        at_ns: when.
        name: ``gate``, ``strobe``, ``run`` or ``fault``.
        level: True: acts.
    """

    at_ns: int
    name: str
    level: bool


class VirtualMcu:
    """A board with our firmware, as far as a wire can tell. Not for several threads.

    Args:
        now_ns: when its power comes on.
        drift_ppm: by how much its clock runs fast.
        on_output: is told of every change of an output.
    """

    def __init__(
        self,
        now_ns: int = 0,
        *,
        drift_ppm: float = 0.0,
        on_output: Callable[[Output], None] = lambda output: None,
    ) -> None:
        self._answers = True
        self._rate_ppb = NS_PER_S + round(drift_ppm * 1000)
        self._on_output = on_output
        self._stored = Stored()
        self._levels: dict[str, bool] = {}
        self._sending: deque[tuple[int, bytes]] = deque()
        self._arriving: deque[tuple[int, bytes]] = deque()
        self._coming: deque[int] = deque()
        self._now_ns = now_ns
        self._counts_per_s = 0.0
        self._lets_go_ns: int | None = None
        self._hang_ends_ns: int | None = None
        self._start(ResetCause.POWER_ON, now_ns)

    # The world around it.

    def trigger(self, at_ns: int) -> None:
        """A part passes the photo-eye."""
        self.advance(at_ns)
        self._see(at_ns)

    def expect_trigger(self, at_ns: int) -> None:
        """A part will pass the photo-eye, after all that were announced before."""
        self._coming.append(at_ns)

    def confirm(self, at_ns: int) -> None:
        """An ejected part passes the confirmation sensor."""
        self.advance(at_ns)
        if self._firmware.model and not self._hangs:
            self._firmware.model.confirm(self._local(at_ns))

    def set_belt_speed(self, counts_per_s: float, at_ns: int) -> None:
        """The belt moves, in true encoder counts per second."""
        self.advance(at_ns)
        self._counts_per_s = counts_per_s
        if self._firmware.model:
            self._firmware.model.set_belt_speed(self._local_speed, self._local(at_ns))
        else:
            self._belt.set_speed(self._local_speed, self._local(at_ns))

    # Faults.

    def reset(self, cause: ResetCause, at_ns: int) -> None:
        """It starts anew."""
        self.advance(at_ns)
        self._start(cause, at_ns)

    def mute(self) -> None:
        """It takes everything and says nothing, not even what was on its way."""
        self._answers = False
        self._sending.clear()

    def unmute(self) -> None:
        """It answers again."""
        self._answers = True

    def damage_store(self) -> None:
        """The stored configuration does not survive the next reset."""
        self._stored.intact = False

    def hang(self, at_ns: int) -> None:
        """The firmware hangs, until the watchdog resets it."""
        self.advance(at_ns)
        self._hang()

    # The wire.

    def receive(self, data: bytes, at_ns: int) -> None:
        """Bytes from the host, which begin to arrive now and take their time."""
        self.advance(at_ns)
        begins_ns = max(at_ns, self._arriving[-1][0] if self._arriving else at_ns)
        self._arriving.append((begins_ns + len(data) * BYTE_TIME_NS, data))

    def sent(self, until_ns: int) -> bytes:
        """The bytes for the host that have left by then, once."""
        self.advance(until_ns)
        data = b""
        while self._sending and self._sending[0][0] <= until_ns:
            data += self._sending.popleft()[1]
        return data

    # Time.

    @property
    def due_ns(self) -> int | None:
        """When ``advance`` or ``sent`` has news; None: not before anything else happens."""
        due = [self._hang_ends_ns, self._lets_go_ns]
        if self._sending:
            due.append(self._sending[0][0])
        if self._arriving:
            due.append(self._arriving[0][0])
        if self._coming:
            due.append(self._coming[0])
        model = None if self._hangs else self._firmware.model
        if model and (model_due_ns := model.due_ns) is not None:
            due.append(self._true(model_due_ns))
        return min((moment for moment in due if moment is not None), default=None)

    def advance(self, until_ns: int) -> None:
        """Does everything that is due until then."""
        while True:
            arrival_ns = self._arriving[0][0] if self._arriving else until_ns + 1
            part_ns = self._coming[0] if self._coming else until_ns + 1
            if min(arrival_ns, part_ns) > until_ns:
                break
            self._advance(min(arrival_ns, part_ns))
            if part_ns <= arrival_ns:
                self._see(self._coming.popleft())
            else:
                self._hear(*self._arriving.popleft())
        self._advance(until_ns)

    def _see(self, at_ns: int) -> None:
        if self._firmware.model and not self._hangs:
            self._firmware.model.trigger(self._local(at_ns))

    def _hear(self, at_ns: int, data: bytes) -> None:
        if not self._hangs:
            waits_ns = self._local(max(self._wire_free_ns, at_ns)) - self._local(at_ns)
            self._firmware.receive(data, self._local(at_ns), waits_ns)

    def _advance(self, until_ns: int) -> None:
        if self._lets_go_ns is not None and self._lets_go_ns <= until_ns:
            moment_ns, self._lets_go_ns = self._lets_go_ns, None
            self._put("gate", False, moment_ns)
        if self._hang_ends_ns is not None and self._hang_ends_ns <= until_ns:
            self._start(ResetCause.WATCHDOG, self._hang_ends_ns)
        self._now_ns = max(self._now_ns, until_ns)
        if self._firmware.model and not self._hangs:
            self._firmware.model.advance(self._local(until_ns))

    @property
    def _local_speed(self) -> float:
        return self._counts_per_s * NS_PER_S / self._rate_ppb

    def _local(self, true_ns: int) -> int:
        """A true moment on its own clock."""
        return (true_ns - self._started_ns) * self._rate_ppb // NS_PER_S

    def _true(self, local_ns: int) -> int:
        """The first true moment at which its own clock has reached this."""
        return self._started_ns - (-local_ns * NS_PER_S // self._rate_ppb)

    # The chip.

    @property
    def _hangs(self) -> bool:
        return self._hang_ends_ns is not None

    def _hang(self) -> None:
        self._hang_ends_ns = self._now_ns + WATCHDOG_NS
        self._lets_go_ns = self._now_ns + LETS_GO_NS
        self._sending.clear()

    def _start(self, cause: ResetCause, at_ns: int) -> None:
        self._started_ns = self._wire_free_ns = at_ns
        self._now_ns = max(self._now_ns, at_ns)
        self._hang_ends_ns = self._lets_go_ns = None
        self._sending.clear()
        self._arriving.clear()
        self._put("gate", False, at_ns)
        self._put("strobe", False, at_ns)
        self._belt = Belt()
        self._belt.set_speed(self._local_speed, 0)
        self._firmware = VirtualFirmware(
            cause,
            self._stored,
            self._belt,
            put=lambda name, level, local_ns: self._put(name, level, self._true(local_ns)),
            transmit=self._transmit,
            hang=self._hang,
        )

    def _put(self, name: str, level: bool, at_ns: int) -> None:
        if self._levels.get(name, False) != level:
            self._levels[name] = level
            self._on_output(Output(at_ns, name, level))

    def _transmit(self, frame: Frame) -> None:
        """Puts a frame on the wire, behind what is on it already."""
        if not self._answers or self._hangs:
            return
        data = frame.encode()
        self._wire_free_ns = max(self._wire_free_ns, self._now_ns) + len(data) * BYTE_TIME_NS
        self._sending.append((self._wire_free_ns, data))
