"""Registries of plug-ins: a decorator registers a plug-in by name, and the entry points of installed packages
bring more."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Generic, TypeVar

from mendel.engine.errors import InputError, MendelError, RunError, did_you_mean
from mendel.engine.options import Options, parse_options
from mendel.engine.origin import (
    BUILT_IN,
    SCRIPT,
    Origin,
    point_module,
    registering_origin,
    same_definition,
    top_module,
)

__all__ = ["Origin", "Registry", "callable_with", "instance_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class _Entry(Generic[T]):
    """A registered plug-in."""

    item: T
    origin: Origin
    options: Options | None


@dataclass(frozen=True)
class _Broken:
    """An entry point that could not be loaded."""

    package: str
    name: str
    fault: InputError


class Registry(Generic[T]):
    """Plug-ins of one kind by name.

    A built-in plug-in has a plain name (`length`), and a plug-in of another package has a qualified name
    (`my_pkg/length`). A plain name finds the built-in plug-in, or the only package that has a plug-in of that
    name. The registry loads the entry points of the group `mendel.<kind>s` when it is first asked for a
    plug-in. An entry point names a plug-in, or a module whose decorators register plug-ins.

    Args:
        kind: The word for one such plug-in in messages.
        plural: Replaces `<kind>s` in the name of the entry points' group.
        check: A function that returns what is wrong with an item, or '' for an item that can be registered.
    """

    def __init__(
        self, kind: str, plural: str | None = None, *, check: Callable[[Any], str] | None = None
    ) -> None:
        self.kind, self.plural = kind, plural or f"{kind}s"
        self._check = check
        self._items: dict[str, _Entry[T]] = {}
        self._aliases: dict[str, str] = {}
        """Names of entry points whose plug-in a decorator has registered under another name."""
        self._broken: list[_Broken] = []
        self._loaded = False
        self._loading = threading.RLock()

    @property
    def group(self) -> str:
        """The group of entry points that bring plug-ins of this kind."""
        return f"mendel.{self.plural}"

    def register(self, name: str, *, options: Options | None = None) -> Callable[[T], T]:
        """Return a decorator that registers a plug-in and returns it unchanged.

        Args:
            name: The plug-in's name without its package.
            options: A pydantic model of the plug-in's options, or a function that takes the options (a dict),
                raises ValueError for a wrong option and returns what the plug-in receives. None: the plug-in
                declares none.

        Raises:
            InputError: The name is taken (a built-in plug-in's name is taken for all packages), the name is
                not valid, or the item is not a plug-in of this kind.
        """

        def decorate(item: T) -> T:
            self.add(name, item, registering_origin(), options)
            return item

        return decorate

    def add(self, name: str, item: T, origin: Origin, options: Options | None = None) -> str:
        """Register a plug-in that comes from `origin` and return its qualified name; raises InputError as
        `register`."""
        where = f"{origin.package}: {self.kind} {name!r}"
        if not isinstance(name, str) or not name or "/" in name or name != name.strip():
            raise InputError(
                "is not a valid name of a plug-in",
                where=where,
                fix="Write a name without '/'. The package's name is put before it.",
            )
        if wrong := self._check(item) if self._check else "":
            raise InputError(wrong, where=where, fix=f"Change it in {origin.module}.")
        full = name if origin.package in (BUILT_IN, SCRIPT) else f"{origin.package}/{name}"
        for taken in sorted({name, full} & self._items.keys()):
            entry = self._items[taken]
            if taken != full and not entry.origin.built_in:
                continue  # A script's plain name does not take the name from packages.
            if not self._repeats(entry, item, origin):
                article = "an" if self.kind[0] in "aeiou" else "a"
                raise InputError(
                    f"{article} {self.kind} of that name is already registered by {entry.origin.module}",
                    where=where,
                    fix="Choose another name.",
                )
        self._items[full] = _Entry(item, origin, options)
        return full

    @staticmethod
    def _repeats(entry: _Entry[T], item: T, origin: Origin) -> bool:
        """Whether a registration repeats an earlier one: a module imported again, or a notebook's cell run
        again."""
        if entry.origin != origin:
            return False
        return origin.package == SCRIPT or same_definition(entry.item, item)

    def get(self, name: str, *, where: str | None = None) -> T:
        """Return the plug-in of that plain or qualified name.

        Args:
            name: The plug-in's name.
            where: The place in the user's input that names the plug-in, for messages.

        Raises:
            InputError: As `full_name`.
        """
        return self._items[self.full_name(name, where=where)].item

    def call(self, name: str, *arguments: Any, where: str | None = None, needs: tuple[str, ...] = ()) -> Any:
        """Call a plug-in that is a function, and return what it makes.

        Args:
            name: The plug-in's name.
            *arguments: What the plug-in is called with.
            where: The place in the user's input that names the plug-in, for messages.
            needs: Attributes that the result must have.

        Raises:
            InputError: As `full_name`; or the result lacks an attribute.
            RunError: The plug-in raised something else than an error of mendel. The message names its
                package.
        """
        full = self.full_name(name, where=where)
        entry = self._items[full]
        place = f"{where}: {self.kind} {full!r}" if where else f"{self.kind} {full!r}"
        function: Any = entry.item
        try:
            made = function(*arguments)
        except MendelError:
            raise
        except Exception as error:  # A plug-in's code may raise anything.
            raise RunError(
                f"failed: {type(error).__name__}: {error}",
                where=place,
                fix=f"Correct {entry.origin.module}, or leave the {self.kind} out of the study.",
            ) from error
        missing = [part for part in needs if not hasattr(made, part)]
        if missing:
            raise InputError(
                f"makes a {type(made).__name__}, which has no {missing[0]!r}",
                where=place,
                fix=f"Add {', '.join(missing)} in {entry.origin.module}.",
            )
        return made

    def full_name(self, name: str, *, where: str | None = None) -> str:
        """Return the name under which a plug-in is registered.

        Args:
            name: The plug-in's plain or qualified name.
            where: The place in the user's input that names the plug-in, for messages.

        Raises:
            InputError: There is no such plug-in, several packages have a plug-in of that plain name, or the
                plug-in's package cannot be loaded.
        """
        self._load()
        if name in self._items:
            return name
        ends = sorted(full for full in self._items if full.partition("/")[2] == name)
        ends += sorted(
            full for alias, full in self._aliases.items() if name in (alias, alias.partition("/")[2])
        )
        ends = list(dict.fromkeys(ends))
        if len(ends) == 1:
            return ends[0]
        if ends:
            raise InputError(
                f"several packages have a {self.kind} {name!r}", where=where, allowed=", ".join(ends)
            )
        raise self._missing(name, where)

    def _missing(self, name: str, where: str | None) -> InputError:
        """Return the error for a name that no loaded plug-in has: a broken package's fault where it is to
        blame."""
        package = name.partition("/")[0] if "/" in name else None
        for broken in self._broken:
            if name in (broken.name, f"{broken.package}/{broken.name}"):
                return _copy(broken.fault, where)
        for broken in self._broken:
            # A module that could not be loaded may have brought the plug-in under any name.
            if package == broken.package:
                return _copy(broken.fault, where)
        names = set(self._items) if package else {full.rpartition("/")[2] for full in self._items}
        fix = did_you_mean(name, names)
        if self._broken:
            fix += f" Not loaded: {'; '.join(str(broken.fault) for broken in self._broken)}"
        return InputError(f"unknown {self.kind} {name!r}", where=where, fix=fix)

    def remove(self, name: str) -> None:
        """Remove a plug-in, for notebooks and tests; raises InputError as `full_name`."""
        del self._items[self.full_name(name)]

    def origin(self, name: str) -> Origin:
        """Return where a plug-in comes from; raises InputError as `full_name`."""
        return self._items[self.full_name(name)].origin

    def declares_options(self, name: str) -> bool:
        """Return whether the plug-in says which options it takes; raises InputError as `full_name`."""
        return self._items[self.full_name(name)].options is not None

    def parse_options(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        where: str | None = None,
        line: Callable[..., str] | None = None,
    ) -> Any:
        """Check a plug-in's options and return them as the plug-in receives them.

        Args:
            name: The plug-in's name.
            values: The options as the user wrote them.
            where: The place of the options in the user's input, for messages.
            line: A function from an option's keys to the option's own place in the user's input.

        Returns:
            An instance of the declared pydantic model, or what the declared function returns.

        Raises:
            InputError: An option is wrong, the plug-in takes no options, or as `full_name`.
        """
        full = self.full_name(name, where=where)
        return parse_options(
            self._items[full].options, values, f"{self.kind} {full!r}", where=where, line=line
        )

    def __iter__(self) -> Iterator[str]:
        """Iterate over the full names of all loaded plug-ins in alphabetical order."""
        self._load()
        return iter(sorted(self._items))

    def __contains__(self, name: object) -> bool:
        """Return whether a plug-in is registered under this full name."""
        self._load()
        return name in self._items

    def faults(self) -> list[InputError]:
        """Return what is wrong with each entry point that could not be loaded."""
        self._load()
        return [broken.fault for broken in self._broken]

    def require_all(self) -> None:
        """Raise InputError for the first entry point that could not be loaded.

        For kinds whose plug-ins all take part in every study: a missing hypothesis would change every
        verdict.
        """
        self._load()
        for broken in self._broken:
            raise _copy(broken.fault)

    def _load(self) -> None:
        with self._loading:
            if self._loaded:
                return
            self._loaded = True  # First: a plug-in's module may ask the registry while it is imported.
            for point in entry_points(group=self.group):
                before = dict(self._items)
                try:
                    self._load_point(point)
                except InputError as fault:
                    # A package that is half loaded must not take part.
                    package = top_module(point_module(point))
                    for name in [n for n in self._items if n not in before]:
                        if self._items[name].origin.package == package:
                            del self._items[name]
                    self._broken.append(_Broken(package, point.name, fault))

    def _load_point(self, point: EntryPoint) -> None:
        package = point.dist.name if point.dist is not None else top_module(point_module(point))
        where = f"package {package}: entry point {point.name!r} of {self.group}"
        item = _imported(point, package, where)
        origin = Origin(top_module(point_module(point)), point_module(point))
        registered = [name for name, entry in self._items.items() if entry.origin.package == origin.package]
        if isinstance(item, ModuleType):
            if not registered:
                raise InputError(
                    f"the module {point.value} registers no {self.kind}",
                    where=where,
                    fix=f"Let it register one, or let the entry point name it: '{point.value}:NAME'.",
                )
            return
        same = [name for name in registered if self._items[name].item is item]
        if not same and self._check is not None and self._check(item):
            # A decorator may register another form of what it decorates, such as an arm kind of a function.
            same = [name for name in registered if self._items[name].origin.module == point_module(point)]
            same = [name for name in same if name == f"{origin.package}/{point.name}"] or same
        if same:
            self._aliases[f"{origin.package}/{point.name}"] = same[0]
            return
        try:
            self.add(point.name, item, origin)
        except InputError as fault:
            raise InputError(fault.what, where=where, fix=fault.fix) from None


def callable_with(*parameters: str) -> Callable[[Any], str]:
    """Return a registry's check for functions that take these arguments by position.

    Args:
        *parameters: Names of the arguments, for the message.
    """
    wanted = f"({', '.join(parameters)})"

    def check(item: Any) -> str:
        if not callable(item):
            return f"must be a function of {wanted}, not a {type(item).__name__}"
        try:
            inspect.signature(item).bind(*parameters)
        except TypeError as error:
            return f"must be a function of {wanted}: {error}"
        except ValueError:  # A function of an extension module has no signature.
            return ""
        return ""

    return check


def instance_of(kind: type) -> Callable[[Any], str]:
    """Return a registry's check for instances of a class."""

    def check(item: Any) -> str:
        return "" if isinstance(item, kind) else f"must be a {kind.__name__}, not a {type(item).__name__}"

    return check


def _imported(point: EntryPoint, package: str, where: str) -> Any:
    """Return what an entry point names; raises InputError that names the package for all that can go
    wrong."""
    if not EntryPoint.pattern.match(point.value):
        fix = f"Write it as MODULE:NAME, or uninstall {package}."
        raise InputError(f"names no module or object: {point.value!r}", where=where, fix=fix)
    try:
        return point.load()
    except InputError as fault:
        inner = f"{where}: {fault.where}" if fault.where else where
        raise InputError(
            fault.what, where=inner, value=fault.value, allowed=fault.allowed, fix=fault.fix
        ) from None
    except ModuleNotFoundError as error:
        missing = error.name or ""
        fix = f"Install what it needs (pip install {missing}), or uninstall {package}."
        if top_module(missing) == top_module(point_module(point)):
            fix = f"Correct the entry point {point.value!r}, or uninstall {package}."
        raise InputError(f"cannot be imported: {error}", where=where, fix=fix) from error
    except (Exception, SystemExit) as error:  # A plug-in's module may do anything when it is imported.
        raise InputError(
            f"cannot be imported: {type(error).__name__}: {error}",
            where=where,
            fix=f"Correct {point_module(point)}, or uninstall {package}.",
        ) from error


def _copy(fault: InputError, where: str | None = None) -> InputError:
    """Return a new error with the same message: one that is raised twice would collect tracebacks."""
    place = f"{where}: {fault.where}" if where and fault.where else fault.where or where
    return InputError(fault.what, where=place, value=fault.value, allowed=fault.allowed, fix=fault.fix)
