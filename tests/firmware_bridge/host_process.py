"""A host in a process of its own, to be killed: rejects every part, and says so.

python -m tests.firmware_bridge.host_process PORT
"""

from __future__ import annotations

import sys
import threading

from firmware_bridge.configuration import RejectConfiguration
from firmware_bridge.events import Event, LatePolicy, Outcome, SafeAction, Trigger, Verdict
from firmware_bridge.mcu.rejector import McuRejector
from firmware_bridge.mcu.transport import SerialTransport

CONFIGURATION = RejectConfiguration(
    delay_ms=400,
    pulse_ms=10,
    heartbeat_ms=300,
    late_policy=LatePolicy.PASS,
    safe_action=SafeAction.PASS_ALL,
    worst_case_verdict_ms=50,
)


def main(port: str) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, Trigger):
            rejector.decide(event.part, Verdict.NG)
        elif isinstance(event, Outcome):
            print(event.part, event.kind.value, flush=True)

    rejector = McuRejector(SerialTransport(port), CONFIGURATION, on_event)
    with rejector:
        rejector.clear()
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
