"""Reading a configuration file: a sentence for every mistake, with the nearest known name."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from edge_agent.config.gate_check import gate_problem
from edge_agent.config.tables import Config, Table
from edge_agent.errors import ConfigError

_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": 'text in "quotes"',
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}


def load_config(path: Path) -> Config:
    """Read and check a configuration file. Relative paths in it are relative to its folder.

    Raises:
        ConfigError: with a sentence that names the key and says what to write instead.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error
    return parse_config(data, path)


def parse_config(data: dict[str, Any], path: Path) -> Config:
    """Check what a file contains; ``path`` names it in messages and anchors relative paths."""
    _refuse_unknown(data, Config, (), path)
    try:
        config = msgspec.convert(data, Config, dec_hook=_to_path(path.resolve().parent))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_in_words(str(error), data)}") from error
    _check_together(config, path)
    return config


def _to_path(folder: Path) -> Any:
    def convert(wanted: type, value: Any) -> Any:
        if wanted is Path:
            if not isinstance(value, str):
                raise ValueError("Expected `str`")
            return folder / value
        raise NotImplementedError(wanted)

    return convert


def _check_together(config: Config, path: Path) -> None:
    problem = gate_problem(config)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}")
    mqtt = config.mqtt
    if mqtt is None:
        return
    if not mqtt.tls and (mqtt.ca_file or mqtt.certificate_file or mqtt.key_file):
        raise ConfigError(f"{path}: [mqtt] names certificates, and tls is false: set tls = true")
    if bool(mqtt.certificate_file) != bool(mqtt.key_file):
        raise ConfigError(f"{path}: [mqtt] certificate_file and key_file belong together")
    if mqtt.password_file and not mqtt.user:
        raise ConfigError(f"{path}: [mqtt] has a password_file and no user")


def _refuse_unknown(data: Any, table: type, where: tuple[str, ...], path: Path) -> None:
    if not isinstance(data, dict):
        return
    known = {**_keys(table)}
    tag = table.__struct_config__.tag_field  # type: ignore[attr-defined]
    if tag:
        known[tag] = None
    for key, value in data.items():
        if key not in known:
            raise ConfigError(f"{path}: {_unknown(key, list(known), where)}")
        below = known[key]
        choice = _table_for(below, value) if below is not None else None
        if choice is not None:
            _refuse_unknown(value, choice, (*where, key), path)


def _keys(table: type) -> dict[str, Any]:
    return get_type_hints(table, include_extras=True)


def _table_for(annotation: Any, value: Any) -> type | None:
    """The table type that a value is to become, if it is to become one."""
    tables = _tables_in(annotation)
    tagged = {t.__struct_config__.tag: t for t in tables if t.__struct_config__.tag}
    if tagged:
        return tagged.get(value.get("type")) if isinstance(value, dict) else None
    return tables[0] if tables else None


def _tables_in(annotation: Any) -> list[Any]:
    candidates = get_args(annotation) if get_origin(annotation) is not None else (annotation,)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, Table)]


def _unknown(key: str, known: list[str], where: tuple[str, ...]) -> str:
    place = f"[{'.'.join(where)}] " if where else ""
    kind = "key" if where else "table"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return f"{place}{key} is no {kind} of the configuration: {hint}"


def _in_words(message: str, data: dict[str, Any]) -> str:
    """msgspec's message as a sentence about the file."""
    text, _, location = message.partition(" - at ")
    keys = [part for part in location.strip("`").removeprefix("$").split(".") if part]
    place = " ".join([f"[{keys[0]}]", ".".join(keys[1:])]).strip() + " " if keys else ""
    allowed, description = _about(keys, data)
    hint = f" ({description})" if description else ""
    missing = re.fullmatch(r"Object missing required field `(\w+)`", text)
    if missing and not keys:
        return f"the table [{missing[1]}] is missing"
    if missing:
        _, description = _about([*keys, missing[1]], data)
        return f"{place}needs a key {missing[1]}" + (f": {description}" if description else "")
    wrong = re.fullmatch(r"Expected `([^`]+)`(.*?)(?:, got `(\w+)`)?", text)
    if wrong:
        types = [t.strip() for t in wrong[1].split("|") if t.strip() != "null"]
        words = " or ".join(_TYPE_WORDS.get(t, t) for t in types)
        limit = "" if wrong[2].startswith(" matching") else wrong[2]
        limit = " of the right form" if wrong[2] and not limit else limit
        got = f", not {_TYPE_WORDS.get(wrong[3], wrong[3])}" if wrong[3] else ""
        return f"{place}must be {words}{limit}{got}{hint}"
    invalid = re.fullmatch(r"Invalid (?:enum )?value '?([^']*)'?", text)
    if invalid and allowed:
        near = difflib.get_close_matches(invalid[1], allowed, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        return f"{place}cannot be {invalid[1]!r}: {guess}use one of {', '.join(allowed)}"
    return f"{place}{text}{hint}"


def _about(keys: list[str], data: Any) -> tuple[list[str], str]:
    """Possible values and description of the key at a place in the file, as far as there are."""
    table: Any = Config
    annotation: Any = None
    for number, key in enumerate(keys):
        if key == "type" and number == len(keys) - 1:
            tables = _tables_in(annotation)
            return [str(t.__struct_config__.tag) for t in tables], ""
        annotation = _keys(table).get(key) if table else None
        data = data.get(key) if isinstance(data, dict) else None
        table = _table_for(annotation, data) if annotation is not None else None
    allowed: list[str] = []
    description = ""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        description = next((m.description for m in extra if m.description), "")
        allowed = [str(v) for v in get_args(inner)] if get_origin(inner) is Literal else []
    return allowed, description
