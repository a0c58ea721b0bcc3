"""The firmware in a virtual MCU, from one reset to the next; all times by its own clock."""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.clock import NS_PER_US
from firmware_bridge.configuration import configuration_hash
from firmware_bridge.events import SafeReason
from firmware_bridge.gate.belt import Belt
from firmware_bridge.gate.model import GateModel
from firmware_bridge.gate.part import GateCounters, Listener, Part
from firmware_bridge.gate.pulses import SHORTEST_PULSE_NS
from firmware_bridge.gate.safety import Safety
from firmware_bridge.mcu.clock_sync import NS_PER_TICK, WRAP
from firmware_bridge.mcu.identity import shipped_build
from firmware_bridge.virtual.responder import DONE, Refusal, Responder
from firmware_bridge.virtual.stored import Stored, read_configuration, refusal_of
from firmware_bridge.wire import codes, messages
from firmware_bridge.wire.codes import OutcomeFlag, ResetCause, Result
from firmware_bridge.wire.frames import Frame
from firmware_bridge.wire.messages import NO_PART, PART_RECORDS, Message

BOARD = 255
VERSION = (1, 0, 0)
NOT_NOW: Refusal = (Result.NOT_NOW, 0)

_REASONS = {
    ResetCause.POWER_ON: SafeReason.POWER_ON,
    ResetCause.EXTERNAL: SafeReason.EXTERNAL_RESET,
    ResetCause.BROWN_OUT: SafeReason.BROWN_OUT,
    ResetCause.WATCHDOG: SafeReason.WATCHDOG,
}


class VirtualFirmware:
    """One life of the firmware.

    Args:
        cause: why it starts.
        stored: what it finds, and leaves for its next life.
        belt: that goes past it.
        put: sets an output: its name, its level, the moment.
        transmit: sends a frame.
        hang: the firmware hangs from now on.
    """

    def __init__(
        self,
        cause: ResetCause,
        stored: Stored,
        belt: Belt,
        *,
        put: Callable[[str, bool, int], None],
        transmit: Callable[[Frame], None],
        hang: Callable[[], None],
    ) -> None:
        self.model: GateModel | None = None
        self._cause = cause
        self._stored = stored
        self._belt = belt
        self._put = put
        self._hang = hang
        self._now_ns = 0
        self._waits_ns = 0
        self._counters = GateCounters()
        self._records: dict[int, tuple[Message, Message | None]] = {}
        self._responder = Responder(self, transmit)
        self._configuration = stored.configuration if stored.intact else None
        if self._configuration:
            configured = read_configuration(self._configuration).safe_action
            self._safety = Safety(_REASONS[cause], configured, 0)
            self._new_model(1)
        else:
            self._safety = Safety(SafeReason.NO_CONFIGURATION, None, 0)
            put("run", False, 0)
            put("fault", True, 0)
            self._tell_safety(self._safety)
        self._responder.report(self.identity(0))

    def receive(self, data: bytes, now_ns: int, waits_ns: int) -> None:
        """Bytes from the host; an answer has to wait so long for the wire."""
        self._now_ns, self._waits_ns = now_ns, waits_ns
        self._responder.receive(data)

    # What the messages ask for.

    @property
    def next_part(self) -> int:
        """Number of the next part."""
        return self.model.next_number if self.model else 1

    def heartbeat(self) -> None:
        """The host is alive."""
        if self.model:
            self.model.heartbeat(self._now_ns)

    def identity(self, session: int) -> Message:
        """Who this is."""
        major, minor, patch = VERSION
        return messages.make(
            messages.IDENTITY,
            magic=messages.MAGIC,
            protocol=messages.PROTOCOL_VERSION,
            major=major,
            minor=minor,
            patch=patch,
            board=BOARD,
            reset_cause=int(self._cause),
            build=bytes.fromhex(shipped_build()),
            configuration=configuration_hash(self._configuration),
            session=session,
        )

    def pong(self, token: int) -> Message:
        """The answer to a ping, which leaves when the wire is free."""
        return messages.make(
            messages.PONG,
            token=token,
            received_at=_ticks(self._now_ns),
            turnaround=min(self._waits_ns // NS_PER_TICK, 0xFFFF),
            reason=codes.SAFE_REASONS[self._safety.reason],
            action=codes.SAFE_ACTIONS[self._safety.action],
            next_part=self.next_part,
            open_part=self.model.open_number if self.model else 1,
            encoder=self._belt.count(self._now_ns),
            unlatched=self._counters.unlatched % 0x10000,
        )

    def counters_report(self) -> Message:
        """What is counted."""
        return messages.make(
            messages.COUNTERS,
            bad_frames=self._responder.damaged % 0x10000,
            overruns=0,
            ignored_edges=self._counters.ignored_edges % 0x10000,
            late_commands=self._counters.late_verdicts % 0x10000,
            confirmed=self._counters.confirmed % 0x10000,
            loop_us=0,
            free_bytes=0,
        )

    def parts_again(self, first: int, count: int) -> list[Message]:
        """The reports of these parts, as far as they are remembered."""
        records = [self._records[n] for n in range(first, first + count) if n in self._records]
        return [report for record in records for report in record if report]

    def command(self, message: Message) -> Refusal:
        """Executes one command."""
        kind = message.kind
        if kind is messages.CONFIGURE:
            return self._configure(message)
        if kind is messages.HANG:
            return self._hang_on_purpose(message["key"])
        if self.model is None:
            return DONE if kind in (messages.RELEASE, messages.DECIDE) else NOT_NOW
        if kind is messages.DECIDE:
            self._decide(message, self.model)
        elif kind is messages.RELEASE:
            self.model.enter_safe_state(SafeReason.HOST_LEFT, self._now_ns)
        elif kind is messages.CLEAR:
            return self._clear(message["reason"], self.model)
        elif kind is messages.REJECT_TEST:
            return self._test(message["pulse_us"] * NS_PER_US, self.model)
        return DONE

    def _configure(self, message: Message) -> Refusal:
        if message == self._configuration:
            return DONE
        if self.model:
            self.model.forget(self._now_ns)
        detail = refusal_of(message)
        if detail is not None:
            if self.model:
                self.model.enter_safe_state(SafeReason.BAD_CONFIGURATION, self._now_ns)
            return Result.BAD_CONFIGURATION, detail
        first_number = self.next_part
        self._configuration = self._stored.configuration = message
        self._stored.intact = True
        self._safety.reconfigured(read_configuration(message).safe_action, self._now_ns)
        self._new_model(first_number)
        return DONE

    def _decide(self, message: Message, model: GateModel) -> None:
        verdict = codes.VERDICTS.word(message["verdict"])
        if verdict is None:
            self._counters.late_verdicts += 1
        else:
            model.decide(message["part"], verdict, self._now_ns)

    def _clear(self, reason_code: int, model: GateModel) -> Refusal:
        present = codes.SAFE_REASONS[self._safety.reason]
        if reason_code != present:
            return Result.OTHER_REASON, present
        if self._safety.reason is not SafeReason.NONE:
            model.clear(self._now_ns)
        return DONE

    def _test(self, pulse_ns: int, model: GateModel) -> Refusal:
        assert self._configuration
        longest_ns = self._configuration["maximum_on_us"] * NS_PER_US
        possible = SHORTEST_PULSE_NS <= pulse_ns <= longest_ns
        return DONE if possible and model.test(pulse_ns, self._now_ns) else NOT_NOW

    def _hang_on_purpose(self, key: int) -> Refusal:
        if key != codes.HANG_KEY:
            return NOT_NOW
        self._hang()
        return DONE

    def _new_model(self, first_number: int) -> None:
        assert self._configuration
        self.model = GateModel(
            read_configuration(self._configuration),
            self._safety,
            Listener(self._put, self._tell_trigger, self._tell_outcome, self._tell_safety),
            now_ns=self._now_ns,
            belt=self._belt,
            first_number=first_number,
            counters=self._counters,
        )

    # What the gate tells.

    def _tell_trigger(self, part: Part) -> None:
        report = messages.make(
            messages.TRIGGER,
            part=part.number,
            triggered_at=_ticks(part.triggered_at_ns),
            encoder=part.encoder_count,
        )
        self._records[part.number] = report, None
        self._records.pop(part.number - PART_RECORDS, None)
        self._responder.report(report)

    def _tell_outcome(self, part: Part) -> None:
        assert part.kind
        assert self._configuration
        by_distance = self._configuration["distance_counts"] != 0
        error = part.error if by_distance else part.error // NS_PER_TICK
        flags = OutcomeFlag(0)
        for flag, holds in (
            (OutcomeFlag.FIRED, part.fired_at_ns is not None),
            (OutcomeFlag.MERGED, part.merged),
            (OutcomeFlag.CLIPPED, part.clipped),
            (OutcomeFlag.MISSED, part.missed),
        ):
            if holds:
                flags |= flag
        report = messages.make(
            messages.OUTCOME,
            part=part.number,
            kind=codes.OUTCOMES[part.kind],
            flags=int(flags),
            fired_at=_ticks(part.fired_at_ns or 0),
            error=max(-128, min(127, error)),
        )
        if part.number in self._records:
            self._records[part.number] = self._records[part.number][0], report
        self._responder.report(report)

    def _tell_safety(self, safety: Safety) -> None:
        report = messages.make(
            messages.STATE,
            reason=codes.SAFE_REASONS[safety.reason],
            action=codes.SAFE_ACTIONS[safety.action],
            since=_ticks(safety.since_ns),
            part=safety.part or NO_PART,
        )
        self._responder.report(report)


def _ticks(local_ns: int) -> int:
    return local_ns // NS_PER_TICK % WRAP
