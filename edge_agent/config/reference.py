"""The reference page of the configuration, generated from the tables.

``python -m edge_agent.config.reference > docs/configuration.md`` renews it.
"""

from __future__ import annotations

import inspect
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from edge_agent.config.tables import Config, Table

_INTRODUCTION = """\
# Configuration

One TOML file describes a station; `edge-agent check --config FILE.toml` tries everything in it.
Relative paths are relative to the folder of the file. Unknown keys are refused, with the nearest
known name. Where a table has a `type`, the type decides which keys it knows. Passwords are not
written here: keys that end in `_file` name the file that holds one in its first line.

The smallest file:

```toml
[source]
type = "folder"
path = "images"

[inspection]
model = "bottle.model"
```

This page is generated from the code.
"""

_WORDS: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true / false",
    Path: "path",
}


def reference() -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION]
    hints = get_type_hints(Config, include_extras=True)
    for name in Config.__struct_fields__:
        tables = _tables(hints[name])
        if len(tables) == 1:
            parts.append(_section(f"[{name}]", tables[0]))
            continue
        parts.append(f"## [{name}]\n")
        for table in tables:
            tag = table.__struct_config__.tag
            parts.append(_section(f'[{name}] type = "{tag}"', table, level=3))
    return "\n".join(parts)


def _tables(annotation: Any) -> list[type[Table]]:
    candidates = get_args(annotation) if _is_union(annotation) else (annotation,)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, Table)]


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _section(title: str, table: type[Table], level: int = 2) -> str:
    lines = [f"{'#' * level} {title}\n", f"{inspect.getdoc(table)}\n"]
    hints = get_type_hints(table, include_extras=True)
    fields = msgspec.structs.fields(table)
    if fields:
        lines += ["| key | value | default | |", "| --- | --- | --- | --- |"]
    for field in fields:
        value, description = _explain(hints[field.name])
        lines.append(f"| `{field.name}` | {value} | {_default(field)} | {description} |")
    return "\n".join([*lines, ""])


def _explain(annotation: Any) -> tuple[str, str]:
    """What may stand there, and the description."""
    description, limits = "", []
    while get_origin(annotation) is Annotated or _is_union(annotation):
        if _is_union(annotation):
            annotation = next(a for a in get_args(annotation) if a is not type(None))
            continue
        inner, *extra = get_args(annotation)
        for meta in extra:
            description = description or (meta.description or "")
            limits += [
                f"{sign} {value:g}"
                for sign, value in ((">", meta.gt), ("≥", meta.ge), ("<", meta.lt), ("≤", meta.le))
                if value is not None
            ]
        annotation = inner
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{v}`" for v in get_args(annotation)), description
    return " ".join([_WORDS[annotation], *limits]), description


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT:
        return "the host's name"
    if field.default is None:
        return "-"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f"`{field.default}`"


if __name__ == "__main__":
    print(reference(), end="")
