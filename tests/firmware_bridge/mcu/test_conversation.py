"""What the contract tests do not reach: strangers, impostors, damage that passes the checksum."""

from __future__ import annotations

import pytest

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.errors import OtherProtocol
from firmware_bridge.events import LatePolicy, LinkChanged, OutcomeKind, Verdict
from firmware_bridge.mcu.conversation import SILENCE_NS, Conversation, Phase
from firmware_bridge.mcu.identity import shipped_build, why_refused
from firmware_bridge.wire import messages
from firmware_bridge.wire.frames import Frame
from firmware_bridge.wire.messages import Message
from tests.firmware_bridge.bench import Bench
from tests.firmware_bridge.virtual_board import VirtualBoard

MS = 1_000_000


def conversation() -> Conversation:
    configuration = RejectConfiguration(delay_ms=300, worst_case_verdict_ms=50)
    made = Conversation(configuration, new_session=lambda: 77)
    made.opened(0)
    return made


def identity(**changes: int | bytes) -> Message:
    values: dict[str, int | bytes] = {
        "magic": messages.MAGIC,
        "protocol": messages.PROTOCOL_VERSION,
        "major": 1,
        "minor": 2,
        "patch": 3,
        "board": 1,
        "reset_cause": 1,
        "build": bytes(8),
        "configuration": 0,
        "session": 0,
    }
    return messages.make(messages.IDENTITY, **values | changes)


def tell(to: Conversation, message: Message, now_ns: int = MS) -> None:
    to.receive(Frame(0, message.encode()).encode(), now_ns)


def test_another_protocol_version_is_named():
    host = conversation()
    tell(host, identity(protocol=9))
    assert isinstance(host.failure, OtherProtocol)
    assert "version 9" in str(host.failure)
    assert "1.2.3" in str(host.failure)
    assert host.poll(2 * MS) == b""
    assert host.due_ns is None


def test_an_identity_of_others_is_no_identity():
    host = conversation()
    tell(host, identity(magic=b"BOAT"))
    assert host.identity is None
    assert host.phase is Phase.IDENTIFYING


def test_unknown_boards_and_causes_are_shown_as_they_are():
    host = conversation()
    tell(host, identity(board=42, reset_cause=42))
    assert host.identity
    assert host.identity.board == "board 42"
    assert host.identity.reset_cause is None
    assert not host.identity.as_shipped
    assert len(shipped_build()) == 16


def test_bytes_without_a_frame_are_garbage():
    host = conversation()
    assert not host.garbage
    host.receive(b"$GPGGA,123519,4807.038,N\r\n", MS)
    assert host.garbage
    tell(host, identity())
    assert not host.garbage


def test_commands_from_the_wrong_side_are_not_reports():
    host = conversation()
    tell(host, messages.make(messages.CLEAR, reason=1))
    assert host.phase is Phase.IDENTIFYING


def test_a_silent_mcu_is_noticed():
    board = VirtualBoard()
    bench = Bench(board, RejectConfiguration(delay_ms=300, worst_case_verdict_ms=50))
    bench.connect()
    board.mcu.mute()
    bench.run(SILENCE_NS + 50 * MS)
    ups = [event.up for event in bench.events if isinstance(event, LinkChanged)]
    bench.run(10 * MS)
    assert ups == [True]
    assert not bench.ready
    board.mcu.unmute()
    bench.run(300 * MS)
    assert bench.ready
    assert [event.up for event in bench.events if isinstance(event, LinkChanged)][1:] == [
        False,
        True,
    ]


@pytest.mark.parametrize("part", [1_000_000, 0xFFFFFFFF])
def test_a_part_number_beyond_reason_is_damage(part):
    bench = Bench(VirtualBoard(), RejectConfiguration(delay_ms=300, worst_case_verdict_ms=50))
    bench.connect()
    report = messages.make(messages.TRIGGER, part=part, triggered_at=0, encoder=0)
    tell(bench.conversation, report, bench.host_ns)
    assert bench.conversation.status().counts.triggers == 0


def test_parts_that_were_forgotten_are_lost():
    board = VirtualBoard()
    configuration = RejectConfiguration(
        delay_ms=60,
        worst_case_verdict_ms=30,
        heartbeat_ms=60_000,
        late_policy=LatePolicy.PASS,
    )
    bench = Bench(board, configuration)
    bench.connect()
    bench.clear()
    bench.host_alive = False
    for n in range(60):
        board.trigger(bench.now_ns + (10 + 10 * n) * MS)
    bench.run(1000 * MS)
    bench.host_alive = True
    bench.run(1000 * MS)
    counts = bench.conversation.status().counts
    assert counts.triggers == counts.lost + counts.late == 60
    assert counts.lost == 60 - messages.PART_RECORDS
    assert bench.outcomes[1].kind is OutcomeKind.LOST


def test_a_verdict_for_a_part_that_never_was_is_not_sent():
    conversation().decide(1, Verdict.NG)
    bench = Bench(VirtualBoard(), RejectConfiguration(delay_ms=300, worst_case_verdict_ms=50))
    bench.connect()
    bench.conversation.decide(4711, Verdict.NG)
    bench.run(1500 * MS)
    assert bench.conversation.status().mcu.late_commands == 0


@pytest.mark.parametrize(
    ("detail", "words"),
    [(3, "pulse_us, outside 1000"), (129, "delay too short"), (99, "detail 99")],
)
def test_a_refusal_is_a_sentence(detail, words):
    assert words in why_refused(detail)
