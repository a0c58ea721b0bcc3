"""One JSON line per part, to a file or to standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from edge_agent.errors import ConfigError
from edge_agent.reporting.payload import Payload


class JsonLines:
    """Appends lines; each is written out at once, so that a reader can follow.

    Args:
        target: a file, or "-" for standard output.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the file. Raises ConfigError if that is not possible."""
        if self._target == "-":
            self._file = sys.stdout
            return self
        try:
            self._file = Path(self._target).open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"[archive] results: cannot write {self._target}: {error.strerror}"
            ) from error
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None and self._file is not sys.stdout:
            self._file.close()

    def write(self, payload: Payload) -> None:
        """Append one line."""
        if self._file is not None:
            self._file.write(json.dumps(payload, ensure_ascii=False) + "\n")
            self._file.flush()
