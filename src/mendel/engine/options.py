"""Options of a plug-in: the plug-in declares them, and a wrong one is refused where the user wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mendel.engine.digest import canonical
from mendel.engine.errors import InputError, did_you_mean

Options = type[BaseModel] | Callable[[dict[str, Any]], Any]
"""How a plug-in declares its options: a pydantic model, or a function from the options to what the plug-in
receives."""


def parse_options(
    declared: Options | None,
    values: Mapping[str, Any],
    plugin: str,
    *,
    where: str | None = None,
    line: Callable[..., str] | None = None,
) -> Any:
    """Return a plug-in's options in the form that the plug-in declares.

    Args:
        declared: The declared options; None for a plug-in that takes none.
        values: The options as the user wrote them.
        plugin: The plug-in's kind and name, for messages.
        where: The place of the options in the user's input.
        line: A function from an option's keys to the option's own place in the user's input.

    Returns:
        An instance of the declared model, what the declared function returns, or an empty dict.

    Raises:
        InputError: An option is unknown, missing or wrong.
    """
    given = dict(values)

    def place(*keys: str | int) -> str | None:
        return line(*keys) if line is not None else where

    if declared is None:
        if given:
            first = next(iter(given))
            raise InputError(f"the {plugin} takes no options", where=place(first), value=first)
        return {}
    try:
        canonical(given)
    except (TypeError, ValueError) as error:
        raise InputError(f"options of the {plugin} must be plain values: {error}", where=place()) from None
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return _as_model(declared, given, plugin, place)
    check: Callable[[dict[str, Any]], Any] = declared
    try:
        return check(given)
    except InputError as error:
        raise InputError(
            error.what, where=error.where or place(), value=error.value, allowed=error.allowed, fix=error.fix
        ) from None
    except Exception as error:  # A plug-in's own check may raise anything.
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise InputError(f"options of the {plugin}: {text}", where=place()) from error


def _as_model(
    model: type[BaseModel], given: dict[str, Any], plugin: str, place: Callable[..., str | None]
) -> BaseModel:
    # A model that does not forbid unknown keys would drop a misspelt option in silence.
    unknown = [key for key in given if key not in _names(model)]
    if unknown and model.model_config.get("extra") != "allow":
        fix = did_you_mean(str(unknown[0]), _names(model)) if _names(model) else "It has no options."
        raise InputError(f"the {plugin} has no option {unknown[0]!r}", where=place(unknown[0]), fix=fix)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        keys = tuple(first["loc"])
        name = ".".join(map(str, keys)) or "options"
        if first["type"] == "missing":
            raise InputError(
                f"the {plugin} needs the option {name!r}",
                where=place(),
                fix=f"Write options: {{{name}: …}}.",
            ) from None
        value = first.get("input")
        raise InputError(
            f"option {name!r} of the {plugin}: {first['msg'].removeprefix('Value error, ')}",
            where=place(*keys),
            value=value if isinstance(value, str | int | float | bool) else None,
        ) from None


def _names(model: type[BaseModel]) -> set[str]:
    """Return the keys that a model takes."""
    return {field.alias or name for name, field in model.model_fields.items()}
