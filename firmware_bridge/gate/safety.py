"""The safe state: why it holds, what it does, and that only a deliberate clear ends it."""

from __future__ import annotations

from firmware_bridge.events import ALWAYS_STOP, BELT_UNKNOWN, SafeAction, SafeReason


class Safety:
    """Begins in the safe state.

    Attributes:
        reason: why; ``NONE`` while running.
        action: what the outputs do in the safe state.
        part: the part that led to it.
        since_ns: when it was entered, or left.
    """

    def __init__(self, reason: SafeReason, configured: SafeAction | None, now_ns: int) -> None:
        self._configured = configured
        self.reason = reason
        self.action = self._action_for(reason)
        self.part: int | None = None
        self.since_ns = now_ns

    @property
    def running(self) -> bool:
        """Whether verdicts rule the gate."""
        return self.reason is SafeReason.NONE

    @property
    def line_may_run(self) -> bool:
        """The run output."""
        return self.running or self.action is not SafeAction.STOP_LINE

    def enter(self, reason: SafeReason, now_ns: int, part: int | None = None) -> bool:
        """Enters the safe state; within it only a reason that stops the line changes anything.

        Returns:
            Whether anything has changed.
        """
        action = self._action_for(reason)
        stopped = self.action is SafeAction.STOP_LINE
        if not self.running and (action is not SafeAction.STOP_LINE or stopped):
            return False
        self.reason, self.action, self.part, self.since_ns = reason, action, part, now_ns
        return True

    def reconfigured(self, configured: SafeAction, now_ns: int) -> None:
        """Another configuration holds: its action, and a reason to look before clearing."""
        self._configured = configured
        if self.reason in (
            SafeReason.NONE,
            SafeReason.NO_CONFIGURATION,
            SafeReason.BAD_CONFIGURATION,
        ):
            self.reason = SafeReason.NEW_CONFIGURATION
        self.action = self._action_for(self.reason)
        self.since_ns = now_ns

    def clear(self, now_ns: int) -> None:
        """Leaves the safe state."""
        self.reason, self.action = SafeReason.NONE, SafeAction.PASS_ALL
        self.part, self.since_ns = None, now_ns

    def _action_for(self, reason: SafeReason) -> SafeAction:
        if self._configured is None or reason in ALWAYS_STOP:
            return SafeAction.STOP_LINE
        if reason in BELT_UNKNOWN and self._configured is SafeAction.REJECT_ALL:
            return SafeAction.STOP_LINE
        return self._configured
