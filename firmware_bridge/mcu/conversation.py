"""The whole conversation with an MCU, without a port, a thread or a clock of its own.

Bytes go in with the time they came, bytes come out when they are due, events pile up until they
are taken. ``McuRejector`` adds the port and the thread; tests drive this directly, in simulated
time.

::

    closed ──opened──► identifying ──► connecting ──► setting up ──► ready
       ▲                  ▲    └── the session still stands ──┘         │
       └──────closed──────┴──────────── the MCU was reset ◄─────────────┘
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from firmware_bridge.clock import NS_PER_MS, NS_PER_US
from firmware_bridge.configuration import EncoderKind, RejectConfiguration
from firmware_bridge.errors import BridgeError, ConfigurationError
from firmware_bridge.events import (
    Event,
    LinkChanged,
    SafeAction,
    SafeReason,
    SafeStateChanged,
    Verdict,
)
from firmware_bridge.jitter import JitterMeter
from firmware_bridge.ledger import Ledger
from firmware_bridge.mcu import identity as identities
from firmware_bridge.mcu.identity import Identity
from firmware_bridge.mcu.link import CommandLink, Reply
from firmware_bridge.mcu.pings import Pings
from firmware_bridge.mcu.session import Session
from firmware_bridge.status import LinkStatus, McuCounters, Status
from firmware_bridge.wire import codes, messages
from firmware_bridge.wire.codes import Result
from firmware_bridge.wire.frames import Frame, FrameParser
from firmware_bridge.wire.messages import NO_PART, Direction, Message, MessageType

HANDSHAKE_NS = 50 * NS_PER_MS
"""Identify and connect are asked again after this."""

PING_NS = 25 * NS_PER_MS
FIRST_PINGS_NS = 5 * NS_PER_MS
COUNTERS_NS = 1000 * NS_PER_MS

SILENCE_NS = 500 * NS_PER_MS
"""Without a whole frame for so long the link counts as down."""

STARTING_NS = 3000 * NS_PER_MS
"""Before it is up: a board that was just reset waits in its boot loader for a while."""


class Phase(enum.Enum):
    """Where the conversation stands."""

    CLOSED = "closed"
    IDENTIFYING = "identifying"
    CONNECTING = "connecting"
    SETTING_UP = "setting up"
    READY = "ready"


class Conversation:
    """One MCU, from the host's side. Not for several threads.

    Args:
        configuration: what the gate is set up with; None only identifies.
        new_session: gives a random number from 1 to 2**32 - 1 for each session.
        byte_time_ns: how long a byte takes on the wire; 0 where it takes none.

    Attributes:
        phase: where it stands.
        identity: who answered; None before that.
        failure: why this board will never be ready, e.g. another protocol; None while it may.
        garbage: bytes have come since the port was opened, but no frame.
    """

    def __init__(
        self,
        configuration: RejectConfiguration | None,
        *,
        new_session: Callable[[], int],
        byte_time_ns: int = 0,
    ) -> None:
        self.phase = Phase.CLOSED
        self.identity: Identity | None = None
        self.failure: BridgeError | None = None
        self.garbage = False
        self._configuration = configuration
        self._configure = configuration.to_message() if configuration else None
        self._new_session = new_session
        self._parser = FrameParser()
        self._link = CommandLink()
        self._ledger = Ledger()
        self._jitter = JitterMeter()
        self._session: Session | None = None
        self._session_wanted = 0
        self._sessions = 0
        self._asked_before = 0
        self._events: deque[Event] = deque()
        self._outgoing: deque[Message] = deque()
        self._safe = SafeReason.NO_CONFIGURATION, SafeAction.STOP_LINE
        self._configured = False
        self._state_known = False
        self._encoder_count: int | None = None
        self._counters: McuCounters | None = None
        self._pings = Pings(byte_time_ns)
        self._heard_ns = 0
        self._handshake_due_ns = 0
        self._ping_due_ns = 0
        self._counters_due_ns = 0

    # What the agent does.

    def decide(self, part: int, verdict: Verdict) -> None:
        """The verdict on a part; one that has ended, or never came, is ignored."""
        if self._session is None:
            return
        number = self._session.number_of(part)
        if self._session.reports.is_open(number):
            verdict_code = codes.VERDICTS[verdict]
            self._command(messages.DECIDE, part=number, verdict=verdict_code)

    def clear(self, expected: SafeReason | None = None) -> Future[Reply]:
        """Leaves the safe state, if it has this reason; None: the one known at this moment."""
        reason = codes.SAFE_REASONS[expected or self._safe[0]]
        return self._command(messages.CLEAR, reason=reason)

    def reject_test(self, pulse_ms: float) -> Future[Reply]:
        """One pulse without a part."""
        return self._command(messages.REJECT_TEST, pulse_us=round(pulse_ms * 1000))

    def release(self) -> Future[Reply]:
        """Leaves on purpose: the MCU enters its safe state at once."""
        return self._command(messages.RELEASE)

    def hang(self, *, interrupts: bool) -> Future[Reply]:
        """Hangs the firmware, to prove its watchdog."""
        return self._command(messages.HANG, key=codes.HANG_KEY, interrupts=int(interrupts))

    def take_events(self) -> list[Event]:
        """What has happened since this was last asked."""
        taken = list(self._events)
        self._events.clear()
        return taken

    @property
    def up(self) -> bool:
        """Whether commands get through."""
        return self.phase is Phase.READY

    @property
    def ready(self) -> bool:
        """Whether the link is up and the MCU's clock is known, so that triggers can be told."""
        return self.up and (
            self._configure is None or (self._session is not None and self._session.clock.ready)
        )

    def status(self) -> Status:
        """Everything at this moment."""
        reason, action = self._safe
        return Status(
            counts=self._ledger.counts,
            safe_reason=reason,
            safe_action=None if reason is SafeReason.NONE else action,
            encoder_count=self._encoder_count,
            jitter=self._jitter.jitter,
            link=self._link_status(),
            mcu=self._counters,
            real_time=True,
        )

    # What the port does.

    def opened(self, now_ns: int) -> None:
        """The port is open; the handshake begins."""
        self._parser.reset()
        self._pings.forget()
        self._outgoing.clear()
        self.garbage = False
        self.failure = None
        self._heard_ns = now_ns
        self._identify(now_ns)

    def closed(self, why: str) -> None:
        """The port is closed or has gone; the session may well survive that."""
        self._down(why)
        self.phase = Phase.CLOSED

    def ended(self) -> None:
        """Nothing will be asked any more: parts that have not ended are lost to this host."""
        self.closed("The host leaves.")
        if self._session:
            self._events += self._session.abandon()
            self._session = None

    def silent(self, now_ns: int) -> bool:
        """Whether nothing whole has been heard for so long that the port is worth opening anew."""
        limit_ns = SILENCE_NS if self.phase is Phase.READY else STARTING_NS
        return self.phase is not Phase.CLOSED and now_ns - self._heard_ns >= limit_ns

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes from the MCU."""
        self.garbage = self.garbage or bool(data)
        for frame in self._parser.feed(data):
            reports = messages.decode(frame.content)
            if reports is None or any(r.kind.direction is not Direction.REPORT for r in reports):
                continue
            self.garbage = False
            self._heard_ns = now_ns
            for report in reports:
                self._take(report, now_ns)
        if self._session:
            self._events += self._session.events(now_ns)

    def poll(self, now_ns: int) -> bytes:
        """The bytes that are due for the MCU."""
        if self.failure:
            return b""
        if self.phase in (Phase.IDENTIFYING, Phase.CONNECTING):
            self._keep_shaking_hands(now_ns)
        elif self._session and self.phase is not Phase.CLOSED:
            self._keep_up(now_ns, self._session)
        wire = b"".join(Frame(0, message.encode()).encode() for message in self._outgoing)
        self._outgoing.clear()
        if self.phase in (Phase.SETTING_UP, Phase.READY):
            wire += self._link.poll(now_ns)
        return wire

    @property
    def due_ns(self) -> int | None:
        """When ``poll`` should be called at the latest; None: not before anything else happens."""
        if self.failure or self.phase is Phase.CLOSED:
            return None
        if self.phase in (Phase.IDENTIFYING, Phase.CONNECTING):
            return self._handshake_due_ns
        if self._session is None:
            return None
        due = (
            self._ping_due_ns,
            self._counters_due_ns,
            self._link.due_ns,
            self._session.reports.due_ns(),
        )
        return min(moment for moment in due if moment is not None)

    # The handshake.

    def _identify(self, now_ns: int) -> None:
        self.phase = Phase.IDENTIFYING
        self._handshake_due_ns = now_ns

    def _connect(self, now_ns: int) -> None:
        self._lose_session()
        self._session_wanted = self._new_session()
        self.phase = Phase.CONNECTING
        self._handshake_due_ns = now_ns

    def _set_up(self, now_ns: int) -> None:
        assert self._configure is not None
        self.phase = Phase.SETTING_UP
        self._ping_due_ns = self._counters_due_ns = now_ns
        self._configured = self._state_known = False
        self._link.submit(self._configure).add_done_callback(self._on_configured)

    def _on_configured(self, reply: Future[Reply]) -> None:
        if reply.cancelled():
            return
        answer = reply.result()
        if answer.result is Result.BAD_CONFIGURATION:
            self.failure = ConfigurationError(identities.why_refused(answer.detail))
        elif answer.result is Result.DONE:
            self._configured = True
            self._become_ready()

    def _become_ready(self) -> None:
        if self.phase is Phase.SETTING_UP and self._configured and self._state_known:
            self.phase = Phase.READY
            self._events.append(LinkChanged(up=True, why="The MCU answers and is configured."))

    def _down(self, why: str) -> None:
        if self.phase is Phase.READY:
            self._events.append(LinkChanged(up=False, why=why))

    def _lose_session(self) -> None:
        self._down("The MCU has started anew, or serves another host.")
        self._link.reset()
        if self._session:
            self._asked_before += self._session.reports.asked
            self._events += self._session.abandon()
            self._session = None

    def _keep_shaking_hands(self, now_ns: int) -> None:
        if now_ns < self._handshake_due_ns:
            return
        self._handshake_due_ns = now_ns + HANDSHAKE_NS
        if self.phase is Phase.IDENTIFYING:
            self._query(messages.IDENTIFY)
        else:
            self._query(messages.CONNECT, session=self._session_wanted)

    # What is sent without being told to.

    def _keep_up(self, now_ns: int, session: Session) -> None:
        if now_ns >= self._ping_due_ns:
            self._ping_due_ns = now_ns + (PING_NS if session.clock.ready else FIRST_PINGS_NS)
            self._outgoing.append(self._pings.next(session.number, now_ns))
        if now_ns >= self._counters_due_ns:
            self._counters_due_ns = now_ns + COUNTERS_NS
            self._query(messages.ASK_COUNTERS, session=session.number)
        if missing := session.reports.to_ask(now_ns):
            part, count = missing
            self._query(messages.ASK, session=session.number, part=part, count=count)

    def _query(self, kind: MessageType, **values: int) -> None:
        self._outgoing.append(messages.make(kind, **values))

    def _command(self, kind: MessageType, **values: int) -> Future[Reply]:
        return self._link.submit(messages.make(kind, **values))

    # What comes in.

    def _take(self, report: Message, now_ns: int) -> None:
        kind, session = report.kind, self._session
        if kind is messages.IDENTITY:
            self._take_identity(report, now_ns)
        elif kind is messages.CONNECTED:
            self._take_connected(report, now_ns)
        elif kind is messages.ACK:
            self._take_ack(report, now_ns)
        elif session is None or self.phase not in (Phase.SETTING_UP, Phase.READY):
            return
        elif kind is messages.PONG:
            self._take_pong(report, now_ns, session)
        elif kind is messages.TRIGGER:
            session.take_trigger(report)
        elif kind is messages.OUTCOME:
            session.take_outcome(report)
        elif kind is messages.STATE:
            self._take_state(report["reason"], report["action"], report["part"])
        elif kind is messages.COUNTERS:
            names = [field.name for field in kind.fields]
            self._counters = McuCounters(**{name: report[name] for name in names})

    def _take_identity(self, report: Message, now_ns: int) -> None:
        if not identities.is_ours(report):
            return
        try:
            self.identity = identities.from_report(report)
        except BridgeError as error:
            self.failure = error
            return
        stands = self._session is not None and self.identity.session == self._session.number
        if self.phase is Phase.IDENTIFYING:
            if self._configure is None:
                self.phase = Phase.READY
            elif stands:
                self._link.resume(now_ns)
                self._set_up(now_ns)
            else:
                self._connect(now_ns)
        elif self.phase in (Phase.SETTING_UP, Phase.READY) and not stands:
            self._connect(now_ns)

    def _take_connected(self, report: Message, now_ns: int) -> None:
        if self.phase is not Phase.CONNECTING or report["session"] != self._session_wanted:
            return
        assert self._configuration is not None
        self._sessions += 1
        self._session = Session(
            self._session_wanted,
            report["next_part"],
            self._configuration,
            self._ledger,
            self._jitter,
        )
        self._set_up(now_ns)

    def _take_ack(self, report: Message, now_ns: int) -> None:
        if report["result"] == Result.NO_SESSION:
            if self.phase in (Phase.SETTING_UP, Phase.READY):
                self._connect(now_ns)
        elif report["result"] in [*Result]:
            result = Result(report["result"])
            self._link.acknowledged(report["number"], result, report["detail"], now_ns)

    def _take_pong(self, report: Message, now_ns: int, session: Session) -> None:
        self._pings.answered(report, now_ns, session.clock)
        session.take_pong(report)
        assert self._configuration is not None
        if self._configuration.encoder is not EncoderKind.NONE:
            self._encoder_count = report["encoder"]
        self._take_state(report["reason"], report["action"], NO_PART)
        self._state_known = True
        self._become_ready()

    def _take_state(self, reason_code: int, action_code: int, number: int) -> None:
        reason = codes.SAFE_REASONS.word(reason_code)
        action = codes.SAFE_ACTIONS.word(action_code)
        if reason is None or action is None or (reason, action) == self._safe:
            return
        self._safe = reason, action
        part = None
        if number != NO_PART and self._session and self._session.knows(number):
            part = self._session.part_of(number)
        shown = None if reason is SafeReason.NONE else action
        self._events.append(SafeStateChanged(reason, shown, part))

    def _link_status(self) -> LinkStatus:
        session, trip_ns = self._session, self._link.trips.smoothed_ns
        estimate = session.clock.estimate if session else None
        return LinkStatus(
            up=self.up,
            round_trip_ms=None if trip_ns is None else trip_ns / NS_PER_MS,
            clock_offset_ns=estimate.offset_ns if estimate else None,
            clock_drift_ppm=estimate.drift_ppm if estimate else None,
            clock_uncertainty_us=estimate.uncertainty_ns / NS_PER_US if estimate else None,
            retransmissions=self._link.retransmissions,
            reports_asked_again=self._asked_before + (session.reports.asked if session else 0),
            damaged_frames=self._parser.errors,
            sessions=self._sessions,
        )
