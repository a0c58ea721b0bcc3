"""An engine that needs a Python of its own, timed by turns with ours on the same core.

The engine is a process that reads a line and answers with a line of JSON:

=========================  =====================================================================
line                       answer
=========================  =====================================================================
``conv CHANNELS H W``      the names of what it can run of this: ``["larq indirect"]``
``time NAME CALLS``        microseconds for one call, the mean of so many: ``1473.2``
=========================  =====================================================================
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self


class RemoteCall:
    """Something the other process can run; calling it runs it once."""

    def __init__(self, engine: RemoteEngine, name: str) -> None:
        self._engine, self._name = engine, name

    def __call__(self) -> None:
        """Run once."""
        self.sample_us(1)

    def sample_us(self, calls: int) -> float:
        """Microseconds a call, measured over there."""
        return float(self._engine.ask(f"time {self._name} {calls}"))


class RemoteEngine:
    """The process; ends with the context.

    Args:
        command: what to start.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def prepare(self, work: str) -> dict[str, Callable[[], object]]:
        """What the engine can run of this work, by name."""
        return {name: RemoteCall(self, name.replace(" ", "_")) for name in self.ask(work)}

    def ask(self, line: str) -> Any:
        """Send a line, wait for the answer.

        Raises:
            OSError: if the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError(f"the engine ended with status {self._process.wait()} on {line!r}")
        return json.loads(answer)
