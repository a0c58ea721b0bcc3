from __future__ import annotations

from pathlib import Path

import msgspec

from edge_agent.config import tables
from edge_agent.config.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == reference(), (
        "run: python -m edge_agent.config.reference > docs/configuration.md"
    )


def test_every_key_is_described() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    for row in rows:
        description = row.rstrip(" |").rpartition("| ")[2]
        assert len(description) > 10, row
    names = {
        field.name
        for table in vars(tables).values()
        if isinstance(table, type)
        and issubclass(table, tables.Table)
        and table is not tables.Config
        for field in msgspec.structs.fields(table)
    }
    assert names == {row.split("`")[1] for row in rows}
