"""YAML files with the line of every value, so that an error can name the line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mendel.engine.errors import InputError, did_you_mean

Location = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class LineNumbers:
    """The lines of a file's values."""

    path: Path
    lines: Mapping[Location, int]

    def where(self, *location: str | int) -> str:
        """Return `path:line` of a value.

        Args:
            *location: The keys and list positions that lead to the value. For a value that is not in the
                file, the closest enclosing value's line is returned.
        """
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return f"{self.path}:{self.lines[location[:end]]}"
        return str(self.path)


def load_yaml(path: Path, model: type[Model]) -> tuple[Model, LineNumbers]:
    """Read a YAML file as a validated model.

    Args:
        path: The file.
        model: The pydantic model of its content.

    Returns:
        The model's instance, and the lines of the file's values.

    Raises:
        InputError: The file is missing, unreadable or not valid YAML, a key stands twice, or the model
            refuses a value. The message has file and line, and for an unknown key the closest known one.
    """
    data, lines = read_yaml(path)
    try:
        return model.model_validate(data), lines
    except ValidationError as error:
        raise _located(error, model, lines) from None


def read_yaml(path: Path) -> tuple[Any, LineNumbers]:
    """Read a YAML file.

    Args:
        path: The file.

    Returns:
        The file's content, and the lines of its values.

    Raises:
        InputError: The file is missing, unreadable or not valid YAML, or a key stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), fix="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"no valid YAML: {error.problem or error.context}", where=where) from None
    except yaml.YAMLError as error:
        raise InputError(f"no valid YAML: {error}", where=str(path)) from None
    if root is None:
        raise InputError("the file is empty", where=str(path))
    lines: dict[Location, int] = {}
    try:
        data = _construct(root, (), lines, path)
    except RecursionError:
        raise InputError("nested too deeply, or an alias that holds itself", where=str(path)) from None
    return data, LineNumbers(path, lines)


def _construct(node: yaml.Node, at: Location, lines: dict[Location, int], path: Path) -> Any:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, path)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str | int):
                raise InputError(f"a key must be a word, got {key!r}", where=f"{path}:{line}")
            if key in mapping:
                raise InputError(f"the key {key!r} stands twice", where=f"{path}:{line}")
            lines[(*at, key)] = line
            mapping[key] = _construct(value_node, (*at, key), lines, path)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*at, i), lines, path) for i, child in enumerate(node.value)]
    return _scalar(node, path)


def _scalar(node: yaml.Node, path: Path) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        raise InputError(f"no valid value: {problem}", where=f"{path}:{node.start_mark.line + 1}") from None


def _located(error: ValidationError, model: type[BaseModel], lines: LineNumbers) -> InputError:
    problems = error.errors(include_url=False)
    # Unknown keys first: a misspelt key is also reported as a missing key, and the misspelling is the cause.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    location = tuple(first["loc"])
    # The message has both key and problem, so that it can be understood without opening the file.
    name = ".".join(str(part) for part in location) or "the file"
    if first["type"] == "extra_forbidden":
        what = f"unknown key {str(location[-1])!r}"
        if len(location) > 1:
            what += f" in {'.'.join(str(part) for part in location[:-1])!r}"
        return InputError(
            what,
            where=lines.where(*location),
            fix=did_you_mean(str(location[-1]), _keys(model, location[:-1])),
        )
    if first["type"] == "missing":
        return InputError(
            f"{name!r} is missing", where=lines.where(*location), fix=f"Add '{location[-1]}: …'."
        )
    if first["type"] == "model_type":
        return InputError(
            f"{name} must be a mapping", where=lines.where(*location), fix="Write 'key: value' lines."
        )
    if location and location[-1] == "key":
        # An API key that was pasted where its variable's name belongs must not appear in a log.
        return InputError(
            f"{name}: not the name of an environment variable",
            where=lines.where(*location),
            allowed="capital letters, digits and underscores",
            fix="Write the NAME of an environment variable, not the key itself, such as "
            "'key: OPENAI_API_KEY'.",
        )
    value = first.get("input")
    return InputError(
        f"{name}: {first['msg'].removeprefix('Value error, ')}",
        where=lines.where(*location),
        value=value if isinstance(value, str | int | float | bool) else None,
    )


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the fields known at a location inside a model, following nested models, tuples and dicts."""
    current: Any = model
    for part in location:
        options = _models(current)
        if isinstance(part, str):
            annotations = [m.model_fields[part].annotation for m in options if part in m.model_fields]
            current = annotations[0] if annotations else current
    return sorted({field for m in _models(current) for field in m.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models(argument)]
