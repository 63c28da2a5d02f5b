"""Where Inspect tasks come from: functions of installed packages and files, their arguments and versions."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import typing
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

from mendel.engine.digest import file_digest
from mendel.engine.errors import InputError, did_you_mean

INSTALL = "Install it: pip install 'mendel[inspect]'."
"""Fix of every message about a package that is not installed."""


def require_inspect() -> None:
    """Raise InputError, with the command that installs it, where Inspect is not installed."""
    if importlib.util.find_spec("inspect_ai") is None:
        raise InputError(
            "this trait is measured through Inspect, and inspect_ai is not installed", fix=INSTALL
        )


def inspect_version() -> str:
    """Return the installed version of Inspect; raise InputError without one."""
    require_inspect()
    return version("inspect_ai")


def package_version(task: str) -> str:
    """Return `DISTRIBUTION VERSION` of a registered task's package.

    Raises:
        InputError: The package is not installed.
    """
    package = task.partition("/")[0]
    distributions = packages_distributions().get(package, [package])
    try:
        return f"{distributions[0]} {version(distributions[0])}"
    except PackageNotFoundError:
        raise InputError(f"the package {package!r} is not installed", value=task, fix=INSTALL) from None


def registered_function(name: str, where: str | None) -> Any:
    """Return the function of a registered task `PACKAGE/TASK`.

    Raises:
        InputError: There is no such task; the message names the closest one.
    """
    require_inspect()
    package, slash, task = name.partition("/")
    points = {point.name: point for point in entry_points(group="inspect_ai")}
    if not slash or package not in points:
        closest = did_you_mean(package, points) if points else ""
        raise InputError(
            f"no installed package registers an Inspect task {name!r}",
            where=where,
            fix=f"{closest} {INSTALL} A file's task is PATH.py@TASK.".strip(),
        )
    # The task's module first: the package's entry point may import hundreds of tasks, which takes seconds.
    if task.isidentifier() and importlib.util.find_spec(f"{package}.{task}") is not None:
        module_tasks = _tasks(importlib.import_module(f"{package}.{task}"))
        if name in module_tasks:
            return module_tasks[name]
    tasks = _tasks(points[package].load())
    if name not in tasks:
        raise InputError(f"no Inspect task {name!r}", where=where, fix=_closest(name, list(tasks)))
    return tasks[name]


def function_of_file(file: Path, name: str, where: str | None) -> Any:
    """Return the function of a file's task; an empty name means its only task.

    Raises:
        InputError: There is no such task; the message names the file's tasks.
    """
    require_inspect()
    tasks = {title.rpartition("/")[2]: task for title, task in _tasks(_module(file)).items()}
    if not name and len(tasks) == 1:
        return next(iter(tasks.values()))
    if name not in tasks:
        raise InputError(
            f"the file has no task {name!r}" if name else f"the file has {len(tasks)} tasks: say which",
            where=where or str(file),
            value=str(file),
            fix=(f"Write {file.name}@NAME. " if not name else "")
            + (did_you_mean(name, tasks) if tasks else "A task is a function with @inspect_ai.task."),
        )
    return tasks[name]


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a task's function by name."""
    return dict(inspect.signature(function).parameters)


def validate_arguments(function: Any, arguments: dict[str, Any], where: str) -> None:
    """Raise InputError for arguments that the function lacks or does not take, by name or by annotation.

    Tasks do not check this themselves: agentic_misalignment takes any goal_type, and leaves the goal out
    without a warning.
    """
    accepted = parameters(function)
    catch_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    for name, value in arguments.items():
        if name in accepted:
            _validate_value(function, name, value, where)
        elif not catch_all:
            raise InputError(
                f"the task has no argument {name!r}", where=where, fix=did_you_mean(name, accepted)
            )
    for name, parameter in accepted.items():
        single = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if single and parameter.default is parameter.empty and name not in arguments:
            raise InputError(
                f"the task needs the argument {name!r}", where=where, fix="Write it under 'args'."
            )


def _validate_value(function: Any, name: str, value: Any, where: str) -> None:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        hint = typing.get_type_hints(inspect.unwrap(function)).get(name, Any)
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except Exception:  # an annotation that cannot be resolved or checked excludes nothing
        return
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        options = _options(hint)
        close = did_you_mean(str(value), options) if options else ""
        raise InputError(
            f"the task does not take this value as its argument {name!r}",
            where=where,
            value=value,
            allowed=", ".join(options) if options else str(error.errors()[0]["msg"]),
            fix=close if close.startswith("Did") else None,
        ) from None


def _options(hint: Any) -> list[str]:
    """Return the values of all `Literal`s in an annotation, as texts."""
    if typing.get_origin(hint) is typing.Literal:
        return [str(option) for option in typing.get_args(hint)]
    return [option for part in typing.get_args(hint) for option in _options(part)]


def _tasks(module: ModuleType) -> dict[str, Any]:
    """Return the tasks among a module's attributes, by registered name."""
    from inspect_ai.util import registry_info

    tasks = {}
    for item in list(vars(module).values()):
        if not callable(item):
            continue
        try:
            info = registry_info(item)
        except ValueError:  # the item is not registered
            continue
        if info.type == "task":
            tasks[info.name] = item
    return tasks


def _module(file: Path) -> ModuleType:
    # Named after the content, so that a changed file is another module, and an unchanged file is read once.
    name = f"_mendel_inspect_{file_digest(file)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError("this is no Python file", value=str(file), fix="Write PATH.py@TASK.")
    module = importlib.util.module_from_spec(spec)
    # Inspect looks up the modules of tasks, and a task may import modules from its folder.
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(
            f"the file of the task cannot be imported: {type(error).__name__}: {error}", where=str(file)
        ) from error
    finally:
        sys.path.remove(str(file.parent))
    return module


def _closest(name: str, names: list[str]) -> str:
    hint = did_you_mean(name, names)
    # A package may have hundreds of tasks: where none is close, they are not listed.
    return hint if hint.startswith("Did") else f"Its package has {len(names)} others."
