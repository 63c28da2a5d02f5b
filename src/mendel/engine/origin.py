"""Where a plug-in comes from: its package, its version, and whether two registrations are the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    entry_points,
    packages_distributions,
    version,
)

from mendel._version import __version__

BUILT_IN = "mendel"
"""The package whose plug-ins have plain names."""
SCRIPT = "__main__"
"""The package of a script or notebook. A script's plug-ins have plain names, too."""


@dataclass(frozen=True)
class Origin:
    """Where a plug-in comes from."""

    package: str
    """The top-level module: `mendel` for a built-in plug-in, `__main__` for a script or notebook."""
    module: str
    """The module that registers the plug-in."""

    @property
    def built_in(self) -> bool:
        """Whether the plug-in ships with mendel."""
        return self.package == BUILT_IN

    def version(self) -> str | None:
        """Return the version of the distribution that holds the package; None for a package without a
        distribution."""
        if self.built_in:
            return __version__
        for distribution in packages_distributions().get(self.package, ()):
            try:
                return version(distribution)
            except PackageNotFoundError:
                continue
        # An editable install lists no modules, but its entry points name them.
        for group in entry_points().groups:
            for point in entry_points(group=group) if group.startswith("mendel.") else ():
                if top_module(point_module(point)) == self.package and point.dist is not None:
                    return str(point.dist.version)
        return None


def registering_origin() -> Origin:
    """Return the origin of the code that registers: the first module body, or the first function outside of
    mendel.

    The module of the registered item would not do: a package may register a function of another package.
    """
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", SCRIPT))
        if frame.f_code.co_name == "<module>" or top_module(module) != BUILT_IN:
            # A worker process imports the script of its parent under this name.
            module = SCRIPT if module == "__mp_main__" else module
            return Origin(top_module(module), module)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return Origin(BUILT_IN, BUILT_IN)


def same_definition(first: object, second: object) -> bool:
    """Return whether two objects are equal, or are the same definition imported twice."""
    if first is second:
        return True
    name, other = _definition(first), _definition(second)
    if name is not None or other is not None:
        if name != other:
            return False
        # Two lambdas of a module share their name.
        return "<" not in str(name) or getattr(first, "__code__", 0) == getattr(second, "__code__", 1)
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        return len(first) == len(second) and all(map(same_definition, first, second))
    if _definition(type(first)) != _definition(type(second)):
        return False
    if is_dataclass(first):
        return all(
            same_definition(getattr(first, f.name), getattr(second, f.name, None)) for f in fields(first)
        )
    if type(first).__eq__ is object.__eq__:
        return bool(vars(first) == vars(second)) if hasattr(first, "__dict__") else False
    return bool(first == second)


def _definition(item: object) -> tuple[str, str] | None:
    """Return the module and the qualified name of a function or class; None for other objects."""
    qualname = getattr(item, "__qualname__", None)
    return (str(getattr(item, "__module__", "")), qualname) if isinstance(qualname, str) else None


def top_module(module: str) -> str:
    """Return the top-level package of a module's name."""
    return module.partition(".")[0]


def point_module(point: EntryPoint) -> str:
    """Return the module that an entry point names; `EntryPoint.module` fails where its value is malformed."""
    return point.value.partition(":")[0].partition("[")[0].strip()
