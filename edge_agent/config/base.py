"""What tables and keys are made of: the base of all tables, and values with their limits."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""
