"""Named plug-ins: a decorator registers one, a package's entry points bring more, nobody edits a list."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, packages_distributions, version
from types import ModuleType
from typing import Any, Generic, TypeVar

from mendel.engine.errors import InputError, did_you_mean

T = TypeVar("T")
BUILT_IN = "mendel"
"""The package whose plug-ins have plain names."""
_PLAIN = (BUILT_IN, "__main__")
"""Packages that do not qualify a name: mendel itself, and a script or notebook, which has no package."""


@dataclass(frozen=True)
class Origin:
    """Where a plug-in comes from."""

    package: str
    """Its top-level module: `mendel` for a built-in, `__main__` for a script or notebook."""
    module: str

    @property
    def built_in(self) -> bool:
        """Whether mendel brings it."""
        return self.package == BUILT_IN

    def version(self) -> str | None:
        """Return the version of the distribution that holds the package; None where there is none."""
        for distribution in packages_distributions().get(self.package, ()):
            try:
                return version(distribution)
            except PackageNotFoundError:
                continue
        return None


class Registry(Generic[T]):
    """Plug-ins of one kind by name.

    A built-in has a plain name (`length`), one of another package a qualified one (`my_pkg/length`). A plain name finds
    a built-in, or the only package that has such a plug-in. Entry points of the group `mendel.<kind>s` are loaded when
    the registry is first asked; an entry point names a plug-in, or a module whose decorators register some.

    Args:
        kind: What one of them is called in messages.
        plural: Replaces `<kind>s` in the entry points' group.
        check: Returns what is wrong with an item that is to be registered, '' if nothing is.
    """

    def __init__(
        self, kind: str, plural: str | None = None, *, check: Callable[[Any], str] | None = None
    ) -> None:
        self.kind, self.plural = kind, plural or f"{kind}s"
        self._check = check
        self._items: dict[str, T] = {}
        self._origins: dict[str, Origin] = {}
        self._loaded = False
        self._faults: dict[str, InputError] = {}
        """By `package/name` of the entry point."""

    @property
    def group(self) -> str:
        """The group of entry points that bring plug-ins of this kind."""
        return f"mendel.{self.plural}"

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates.

        Raises:
            InputError: the name is taken (a built-in's name is taken for all packages), is no name, or the item
                is not what the registry holds.
        """

        def decorate(item: T) -> T:
            self.add(name, item, _origin(item))
            return item

        return decorate

    def add(self, name: str, item: T, origin: Origin) -> str:
        """Register an item that comes from `origin`; return its qualified name. Raises InputError as `register`."""
        where = f"{origin.package}: {self.kind} {name!r}"
        if not name or "/" in name:
            raise InputError(
                "is no name of a plug-in",
                where=where,
                fix="Leave out the '/': the package's name is put before it.",
            )
        if wrong := self._check(item) if self._check else "":
            raise InputError(wrong, where=where)
        full = name if origin.package in _PLAIN else f"{origin.package}/{name}"
        for taken in {name, full} & self._items.keys():
            theirs = self._origins[taken]
            if taken == name != full and not theirs.built_in:
                continue
            # A module that is imported twice registers the same thing again, a notebook's cell a new form of it: no clash.
            again = origin.package == "__main__" or _same(self._items[taken], item)
            if theirs != origin or not again:
                raise InputError(
                    f"a {self.kind} of that name is registered already, by {theirs.module}",
                    where=where,
                    fix="Choose another name.",
                )
        self._items[full], self._origins[full] = item, origin
        return full

    def get(self, name: str, *, where: str | None = None) -> T:
        """Return the plug-in of that name; raises InputError as `full_name`."""
        return self._items[self.full_name(name, where=where)]

    def full_name(self, name: str, *, where: str | None = None) -> str:
        """Return the name under which a plug-in is registered, for a plain or a qualified name.

        Raises:
            InputError: no such plug-in (the closest name is said), several packages have one of that plain name, or
                its package cannot be loaded.
        """
        self._load()
        if name in self._items:
            return name
        ends = [full for full in self._items if full.partition("/")[2] == name]
        if len(ends) == 1:
            return ends[0]
        if ends:
            raise InputError(
                f"several packages have a {self.kind} {name!r}", where=where, allowed=", ".join(sorted(ends))
            )
        for broken, fault in self._faults.items():
            if name in (broken, broken.partition("/")[2]):
                raise fault
        # A module that did not load may have brought it under any name.
        fix = did_you_mean(name, {full.rpartition("/")[2] for full in self._items})
        if self._faults:
            fix += f" Not loaded: {'; '.join(str(fault) for fault in self._faults.values())}"
        raise InputError(f"unknown {self.kind} {name!r}", where=where, fix=fix)

    def origin(self, name: str) -> Origin:
        """Return where a plug-in comes from; raises InputError as `full_name`."""
        return self._origins[self.full_name(name)]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the full names of all plug-ins that could be loaded, in order."""
        self._load()
        return iter(sorted(self._items))

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def faults(self) -> list[InputError]:
        """Return what is wrong with the entry points that could not be loaded."""
        self._load()
        return list(self._faults.values())

    def require_all(self) -> None:
        """Raise the first fault: for kinds of which every one takes part in every study."""
        for fault in self.faults():
            raise fault

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for point in entry_points(group=self.group):
            try:
                self._load_point(point)
            except InputError as fault:
                self._faults[f"{_top(point.module)}/{point.name}"] = fault

    def _load_point(self, point: EntryPoint) -> None:
        package = point.dist.name if point.dist is not None else _top(point.module)
        where = f"package {package}: entry point {point.name!r} of {self.group}"
        before = set(self._items)
        try:
            item = point.load()
        except InputError as fault:
            raise InputError(fault.what, where=f"{where}: {fault.where}", fix=fault.fix) from None
        except ModuleNotFoundError as error:
            raise InputError(
                f"cannot be imported: {error}",
                where=where,
                fix=f"Install what it needs (pip install {error.name}), or uninstall {package}.",
            ) from error
        except (
            Exception
        ) as error:  # a plug-in is somebody else's code, which may do anything when it is imported
            raise InputError(
                f"cannot be imported: {type(error).__name__}: {error}",
                where=where,
                fix=f"Mend {point.module}, or uninstall {package}.",
            ) from error
        origin = Origin(_top(point.module), point.module)
        if isinstance(item, ModuleType):
            mine = [n for n, known in self._origins.items() if _top(known.module) == origin.package]
            if not mine and set(self._items) == before:
                raise InputError(
                    f"the module {point.value} registers no {self.kind}",
                    where=where,
                    fix=f"Let it register one, or let the entry point name it: '{point.value}:NAME'.",
                )
            return
        if any(known is item for known in self._items.values()):
            return
        try:
            self.add(point.name, item, origin)
        except InputError as fault:
            raise InputError(fault.what, where=where, fix=fault.fix) from None


def callable_with(*parameters: str) -> Callable[[Any], str]:
    """Return a registry's check: an item is a callable that takes these arguments by position."""

    def check(item: Any) -> str:
        wanted = f"({', '.join(parameters)})"
        if not callable(item):
            return f"is no function of {wanted}: {type(item).__name__}"
        try:
            inspect.signature(item).bind(*parameters)
        except TypeError as error:
            return f"does not take {wanted}: {error}"
        except ValueError:  # a built-in function without a signature
            return ""
        return ""

    return check


def instance_of(kind: type) -> Callable[[Any], str]:
    """Return a registry's check: an item is an instance of `kind`."""

    def check(item: Any) -> str:
        return "" if isinstance(item, kind) else f"is a {type(item).__name__}, no {kind.__name__}"

    return check


def _origin(item: object) -> Origin:
    """Return the origin of what is being registered: a function's or class's module, else that of the code that registers."""
    named = getattr(item, "__module__", None) if hasattr(item, "__qualname__") else None
    module = named or _registering_module()
    return Origin(_top(module), module)


def _registering_module() -> str:
    """Return the module whose body registers; within a function, the first that is none of mendel's."""
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "__main__"))
        if frame.f_code.co_name == "<module>" or _top(module) != BUILT_IN:
            return module
        if frame.f_back is None:
            break
        frame = frame.f_back
    return BUILT_IN


def _same(one: object, other: object) -> bool:
    """Whether a registration only repeats another: the same function or class imported again, or an equal value."""
    names = [(getattr(x, "__module__", None), getattr(x, "__qualname__", None)) for x in (one, other)]
    return one == other or (names[0][1] is not None and names[0] == names[1])


def _top(module: str) -> str:
    return module.partition(".")[0]
