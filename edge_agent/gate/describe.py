"""A sentence about a gate that was just opened: who answered, and what it is set up with."""

from __future__ import annotations

from firmware_bridge import Identity, McuRejector, Rejector


def describe(rejector: Rejector) -> str:
    """What commissioning wants to know; the rejector is open."""
    status = rejector.status()
    state = f"safe state: {status.safe_reason.value}"
    if not isinstance(rejector, McuRejector):
        kind = "of real-time priority" if status.real_time else "without real-time priority"
        return f"the GPIO lines are free; edges come from a thread {kind}; {state}"
    identity, link = rejector.identity, status.link
    assert identity is not None
    assert link is not None
    return (
        f"{identity.board}: firmware {identity.firmware}, build {identity.build}"
        f" ({_origin(identity)}), protocol {identity.protocol}; configuration"
        f" {rejector.configuration.hash:08x} is active, {_before(identity, rejector)}; its clock is"
        f" known within {link.clock_uncertainty_us:.0f} us; {state}"
    )


def _origin(identity: Identity) -> str:
    return "the one shipped here" if identity.as_shipped else "another than the one shipped here"


def _before(identity: Identity, rejector: McuRejector) -> str:
    if identity.configuration_hash == rejector.configuration.hash:
        return "as it was before"
    return f"before it was {identity.configuration_hash:08x}"
