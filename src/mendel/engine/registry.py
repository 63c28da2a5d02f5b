"""Named plug-ins: a decorator registers one, a package's entry points bring more, nobody edits a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from mendel.engine.errors import InputError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Plug-ins of one kind by name; entry points of the group `mendel.<kind>s` are loaded when first asked.

    `plural` replaces `<kind>s` where the word has another plural.
    """

    def __init__(self, kind: str, plural: str | None = None) -> None:
        self.kind, self.plural = kind, plural or f"{kind}s"
        self._items: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers what it decorates under `name`; raises ValueError if the name is taken."""

        def decorate(item: T) -> T:
            taken = self._items.get(name)
            # A module that is imported twice (notebooks, reloads) registers the same thing again: no clash.
            if taken is not None and _identity(taken) != _identity(item):
                raise ValueError(f"a {self.kind} named {name!r} is registered already: {taken!r}")
            self._items[name] = item
            return item

        return decorate

    def get(self, name: str, *, where: str | None = None) -> T:
        """The plug-in of that name; raises InputError that names the closest one."""
        self._load()
        if name not in self._items:
            raise InputError(
                f"unknown {self.kind} {name!r}", where=where, fix=did_you_mean(name, self._items)
            )
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for point in entry_points(group=f"mendel.{self.plural}"):
            self.register(point.name)(point.load())


def _identity(item: object) -> tuple[str | None, str | None]:
    return getattr(item, "__module__", None), getattr(item, "__qualname__", None)
