"""One Markdown table from the JSON of ``edge-agent bench``: ours, theirs, and the ratio."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(files: list[str]) -> None:
    """Print the table."""
    print("| work | who | us (min) | us (median) | GMAC/s | MAC/cycle | ours is faster by |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for file in files:
        rows = json.loads(Path(file).read_text())["rows"]
        works = list(dict.fromkeys(work(row) for row in rows))
        for name in works:
            group = [row for row in rows if work(row) == name]
            ours = min(row["us_min"] for row in group if "engine" not in row)
            for row in group:
                print_row(name, row, row["us_min"] / ours)


def work(row: dict[str, Any]) -> str:
    """What was done, in words."""
    if row["op"] == "search":
        return f"search {row['queries']} in {row['bank']}, {row['bits']} bits"
    if row["op"] == "conv3x3":
        return f"3x3, {row['channels']} channels, {row['height']} x {row['width']}"
    if row["op"] == "shrink":
        sides = ("from_height", "from_width", "height", "width")
        return "shrink {} x {} to {} x {}".format(*(row[side] for side in sides))
    return str(row["op"])


def print_row(name: str, row: dict[str, Any], ratio: float) -> None:
    """A line of the table."""
    who = row.get("engine") or f"**{row.get('kernel') or row.get('backend')}**"
    figures = [f"{row['us_min']:.0f}", f"{row['us_median']:.0f}"]
    figures += [f"{row[key]:.0f}" if key in row else "" for key in ("gmacs", "macs_per_cycle")]
    print(f"| {name} | {who} | {' | '.join(figures)} | {ratio:.1f} |")


main(sys.argv[1:])
