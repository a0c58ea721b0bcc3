"""Noise and damaged frames for the real firmware in simavr, judged from its pins."""

from __future__ import annotations

import random
from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_MS
from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import LatePolicy, Verdict
from firmware_bridge.wire import codes, messages
from firmware_bridge.wire.frames import Frame, FrameParser
from firmware_bridge.wire.messages import Message
from tests.firmware_bridge import truth
from tests.firmware_bridge.bench import Bench
from tests.firmware_bridge.simavr_board import SimavrBoard

MS = NS_PER_MS
NOISE_PER_ROUND = 20_000


@dataclass
class Account:
    """What came of it.

    Attributes:
        fed: bytes of noise.
        pulses: of the gate during noise.
        allowed: commands within the noise that were valid by chance and may cause a pulse.
        rounds: how often the firmware was spoken to in between, and answered.
    """

    fed: int = 0
    pulses: int = 0
    allowed: int = 0
    rounds: int = 0


def fuzz(board: SimavrBoard, wanted: int, seed: int = 1) -> Account:
    """Feeds so many bytes; in rounds, with parts in flight, and a whole part after each round."""
    chance = random.Random(seed)
    account = Account()
    configuration = RejectConfiguration(
        delay_ms=1000,
        pulse_ms=2,
        minimum_gap_ms=2,
        late_policy=LatePolicy.PASS,
        heartbeat_ms=60_000,
        worst_case_verdict_ms=50,
    )
    while account.fed < wanted:
        bench = Bench(board, configuration, seed=chance.randrange(1 << 30))
        board.send(b"\0")
        bench.connect()
        if bench.conversation.status().safe_reason.value != "running":
            bench.clear()
        _feed_noise(board, bench, chance, account)

        bench = Bench(board, configuration, seed=chance.randrange(1 << 30))
        board.send(b"\0")
        bench.connect()
        before = len(truth.changes(board, "gate", True))
        bench.answer(lambda part: Verdict.NG, lambda: 10 * MS)
        board.trigger(bench.now_ns + 20 * MS)
        bench.run(1200 * MS)
        assert len(truth.changes(board, "gate", True)) == before + 1, "a valid NG did not fire once"
        account.rounds += 1
        board.edges.clear()
    return account


def _feed_noise(board: SimavrBoard, bench: Bench, chance: random.Random, account: Account) -> None:
    session = bench.conversation._session
    assert session
    before = len(truth.changes(board, "gate", True))
    board.trigger(board.now_ns + MS)
    board.run_until(board.now_ns + 5 * MS)
    part = session.first_part + session.reports.count
    number = bench.conversation._link._number % 255 + 1
    noise = bytearray()
    while len(noise) < NOISE_PER_ROUND:
        if chance.random() < 0.5:
            noise += chance.randbytes(chance.randrange(200))
        else:
            noise += _damaged(_tempting(chance, session.number, part), number, chance)
    account.fed += len(noise)
    account.allowed += _allowed(bytes(noise))
    board.send(bytes(noise))
    end_ns = board.now_ns + len(noise) * board.byte_time_ns + 1200 * MS
    while board.now_ns < end_ns:
        board.run_until(end_ns)
    pulses = len(truth.changes(board, "gate", True)) - before
    account.pulses += pulses


def _tempting(chance: random.Random, session: int, part: int) -> Message:
    """Something that would have an effect if it were whole."""
    return chance.choice(
        [
            messages.make(messages.DECIDE, part=part, verdict=codes.VERDICTS[Verdict.NG]),
            messages.make(messages.DECIDE, part=part, verdict=codes.VERDICTS[Verdict.OK]),
            messages.make(messages.REJECT_TEST, pulse_us=2000),
            messages.make(messages.PING, session=session, token=1),
            messages.make(messages.ASK, session=session, part=1, count=255),
        ]
    )


def _damaged(message: Message, number: int, chance: random.Random) -> bytes:
    query = message.kind.direction is messages.Direction.QUERY
    wire = bytearray(Frame(0 if query else number, message.encode()).encode())
    for _ in range(chance.randrange(1, 4)):
        position = chance.randrange(1, len(wire) - 1)
        kind = chance.randrange(3)
        if kind == 0:
            del wire[position]
        elif kind == 1:
            wire.insert(position, chance.randrange(256))
        else:
            wire[position] ^= chance.randrange(1, 256)
    return bytes(wire)


def _allowed(noise: bytes) -> int:
    """Commands in the noise that are whole, by chance, and may cause a pulse."""
    count = 0
    for frame in FrameParser().feed(noise):
        for message in messages.decode(frame.content) or []:
            rejects = message.kind is messages.DECIDE and message["verdict"] == 0xF0
            count += bool(frame.sequence) and (rejects or message.kind is messages.REJECT_TEST)
    return count
