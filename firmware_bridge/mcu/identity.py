"""Who is at the other end of the wire."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.errors import OtherProtocol
from firmware_bridge.wire.codes import ResetCause, Rule
from firmware_bridge.wire.limits import CONFIGURATION_LIMITS
from firmware_bridge.wire.messages import MAGIC, PROTOCOL_VERSION, Message

FIRMWARE_SOURCES = Path(__file__).resolve().parents[1] / "firmware"

BOARDS = {1: "Arduino Uno or Nano", 255: "virtual MCU"}


@dataclass(frozen=True)
class Identity:
    """What the MCU says about itself.

    Attributes:
        protocol: version of the messages.
        firmware: version, e.g. ``1.0.0``.
        build: first 16 hexadecimal digits of the SHA-256 over its sources.
        board: what it was built for.
        reset_cause: why it started; None if it names a cause that we do not know.
        configuration_hash: CRC-32 of the active configuration; 0: none.
        session: the session it is in; 0: none since its start.
    """

    protocol: int
    firmware: str
    build: str
    board: str
    reset_cause: ResetCause | None
    configuration_hash: int
    session: int

    @property
    def as_shipped(self) -> bool:
        """Whether it was built from exactly the sources in this package."""
        return self.build == shipped_build()


def from_report(report: Message) -> Identity:
    """The ``identity`` report, as far as it is ours.

    Raises:
        OtherProtocol: it speaks another version.
    """
    firmware = f"{report['major']}.{report['minor']}.{report['patch']}"
    if report["protocol"] != PROTOCOL_VERSION:
        raise OtherProtocol(
            f"The MCU runs firmware {firmware}, which speaks protocol version"
            f" {report['protocol']}; this software speaks version {PROTOCOL_VERSION}."
            " Flash the firmware that came with it: make -C firmware_bridge/firmware flash"
        )
    causes = {int(cause): cause for cause in ResetCause}
    return Identity(
        protocol=PROTOCOL_VERSION,
        firmware=firmware,
        build=report.raw("build").hex(),
        board=BOARDS.get(report["board"], f"board {report['board']}"),
        reset_cause=causes.get(report["reset_cause"]),
        configuration_hash=report["configuration"],
        session=report["session"],
    )


def is_ours(report: Message) -> bool:
    """Whether an ``identity`` begins as ours do."""
    return report.raw("magic") == MAGIC


def shipped_build(sources: Path = FIRMWARE_SOURCES) -> str:
    """The build hash of the sources in this package, as the Makefile computes it."""
    names = sorted(path for path in sources.iterdir() if path.suffix in {".c", ".h"})
    digest = hashlib.sha256()
    for path in [*names, sources / "Makefile"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def why_refused(detail: int) -> str:
    """Why an MCU refused a configuration that had passed the host's own check."""
    advice = "Its firmware does not fit this software: flash the one that came with it."
    if detail < len(CONFIGURATION_LIMITS):
        limit = CONFIGURATION_LIMITS[detail]
        return f"The MCU refused {limit.name}, outside {limit.minimum} .. {limit.maximum}. {advice}"
    rules = {128 + rule: rule.name.lower().replace("_", " ") for rule in Rule}
    return f"The MCU refused the configuration: {rules.get(detail, f'detail {detail}')}. {advice}"
