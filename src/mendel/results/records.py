"""Frozen dataclasses read from JSON that others wrote, written back, and described key by key.

A class says what a file holds: its fields are the file's keys, the docstring under a field says what the
key means. A field named `interval` stands inline: its `estimate`, `low` and `high` are keys of the object
itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from mendel.engine.interval import Interval, as_float

T = TypeVar("T")
INLINE = "interval"
_UNREADABLE = object()


def as_dict(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    """Return a JSON array, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return a string, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


def optional() -> Any:
    """Declare a key that a file may lack: None where it does, and then not written."""
    return field(default=None, metadata={"optional": True})


def by(name: str) -> Any:
    """Declare an object whose keys are names, such as those of traits or arms."""
    return field(default_factory=dict, metadata={"by": name})


def read_record(kind: type[T], content: object) -> T:
    """Return a record of this class from parsed JSON, whatever the JSON holds.

    Args:
        kind: A frozen dataclass whose fields all have defaults.
        content: Parsed JSON. A key that is missing, or whose value has another type, gets the field's
        default; keys that
            the class does not know are left out.

    Returns:
        The record.
    """
    given = as_dict(content)
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        if name == INLINE:
            values[name] = Interval.read(given)
        elif name in given:
            value = _read(hint, given[name])
            if value is not _UNREADABLE:
                values[name] = value
    return kind(**values)


def record_json(record: Any) -> dict[str, Any]:
    """Return a record as a JSON object: the reverse of `read_record`."""
    content: dict[str, Any] = {}
    for declared in fields(record):
        value = getattr(record, declared.name)
        if declared.name == INLINE:
            content |= value.json()
        elif value is not None or not declared.metadata.get("optional"):
            content[declared.name] = _json(value)
    return content


class KeyDescription(NamedTuple):
    """One key of a JSON file or one column of a table, for the documentation."""

    file: str
    """The file's name in a run's folder."""
    key: str
    """The key's path, such as `traits.TRAIT.effects.EFFECT`; words in capitals stand for names."""
    type: str
    """What stands there: text, number, whole number, true or false, E, a list of one of these."""
    meaning: str
    """What it means, and in which unit."""


def describe_record(kind: type[Any], file: str, prefix: str = "") -> Iterator[KeyDescription]:
    """Yield every key of a record, those of the records inside it after it."""
    hints, meanings = _hints(kind), _meanings(kind)
    for declared in fields(kind):
        hint, name = hints[declared.name], declared.name
        if name == INLINE:
            yield KeyDescription(file, f"{prefix}estimate, low, high", "E", meanings.get(name, ""))
            continue
        kept = ", may be missing" if declared.metadata.get("optional") else ""
        yield KeyDescription(file, prefix + name, _type_name(hint) + kept, meanings.get(name, ""))
        inner, path = _inner(hint, prefix + name, declared.metadata.get("by", "name"))
        if inner is not None:
            yield from describe_record(inner, file, path + ".")


def _hints(kind: Any) -> dict[str, Any]:
    return _all_hints(kind)


@cache
def _all_hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: object) -> Any:
    """Return the value as the hint has it, or `_UNREADABLE`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        empty = value is None or (is_dataclass(inner) and not as_dict(value))
        return None if empty else _read(inner, value)
    if origin is tuple:
        return tuple(_item(arguments[0], item) for item in as_list(value))
    if origin is Mapping:
        return {str(key): _item(arguments[1], item) for key, item in as_dict(value).items()}
    if hint is Interval:
        return Interval.read(value)
    if is_dataclass(hint):
        return read_record(hint, value)  # type: ignore[arg-type]
    if hint is Any:
        return value
    return _plain(hint, value)


def _plain(hint: Any, value: object) -> Any:
    if hint is str:
        return value if isinstance(value, str) and value else _UNREADABLE
    if hint is bool:
        return value if isinstance(value, bool) else _UNREADABLE
    number = as_float(value)
    if number is None:
        return _UNREADABLE
    return int(number) if hint is int else number


def _item(hint: Any, value: object) -> Any:
    """Return an item of a list or an object; one that cannot be read still has its place."""
    item = _read(hint, value)
    if item is not _UNREADABLE:
        return item
    if hint is str:
        return "" if value is None or value == "" else json.dumps(value, default=str)
    if get_origin(hint) in (Union, UnionType):
        return None
    return hint()


def _json(value: Any) -> Any:
    if isinstance(value, Interval):
        return value.json()
    if is_dataclass(value):
        return record_json(value)
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    return value


def _meanings(kind: Any) -> dict[str, str]:
    """Return the docstring under each field."""
    import ast
    import inspect
    import textwrap

    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(declared, ast.ClassDef), "a record is a class"
    meanings: dict[str, str] = {}
    last = ""
    for statement in declared.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            last = statement.target.id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            meanings.setdefault(last, " ".join(str(statement.value.value).split()))
        else:
            last = ""
    meanings.pop("", None)
    return meanings


_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Interval: "E"}


def _type_name(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return f"{_type_name(inner)} or null"
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is Mapping:
        return f"object of {_type_name(arguments[1])}"
    return _NAMES.get(hint, "object" if is_dataclass(hint) else "any")


def _inner(hint: Any, path: str, name: str) -> tuple[type[Any] | None, str]:
    """Return the record inside a hint, if there is one, and the path to its keys."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return _inner(inner, path, name)
    if origin is tuple:
        return _inner(arguments[0], f"{path}[]", name)
    if origin is Mapping:
        return _inner(arguments[1], f"{path}.{name.upper()}", name)
    return (hint if is_dataclass(hint) and hint is not Interval else None), path  # type: ignore[return-value]
