"""An Inspect task as a value: what a trait file says of one, and the checks that a wrong argument never survives."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from mendel.engine.digest import digest, file_digest
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks import source as _source
from mendel.study.schema import Config

PREFIX = "inspect:"


class InspectConfig(Config):
    """The `inspect:` section of a trait file."""

    task: Annotated[str, Field(min_length=1)]
    """A registered name such as `inspect_evals/agentic_misalignment`, or `PATH.py@NAME`, relative to the trait's file."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the task, the same for all variants."""
    variants: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] = ({},)
    """Each is a scenario (or, where the task has several samples, a set of them): further arguments, or other values."""
    metric: str | None = None
    """Which value counts where the task's own scorer gives several; None: it gives one."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Samples of the task, its first ones; None: all."""

    @field_validator("args", "variants")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"arguments are texts, numbers, true, false, null, lists and maps: {error}"
            ) from None
        return value

    @field_validator("variants")
    @classmethod
    def _distinct(cls, variants: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        texts = [_canonical(variant) for variant in variants]
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            raise ValueError(f"the variant {twice} stands twice: more samples of one are 'generate: samples'")
        return variants

    def build(self, root: Path) -> InspectTask:
        """The value; a file is looked for from `root` on. Raises InputError for a file that is not there."""
        task = _named(self.task, root)
        return replace(
            task,
            args=_canonical(self.args),
            variants=tuple(_canonical(variant) for variant in self.variants),
            metric=self.metric,
            limit=self.limit,
        )


@dataclass(frozen=True)
class InspectTask:
    """A task with its arguments, in one variant or several. Hashable and picklable."""

    name: str
    """The registered name; of a file, the function's name (empty: the file's only task)."""
    file: str | None = None
    """The absolute path of the file that defines it."""
    args: str = "{}"
    """JSON text with sorted keys, as `variants`."""
    variants: tuple[str, ...] = ("{}",)
    metric: str | None = None
    limit: int | None = None
    system: str | None = None
    """A system prompt for the model; one that the task has follows in the same turn."""

    @property
    def digest(self) -> str:
        """Content address of what is asked: the task and its arguments, and the versions (of a file: the content) it comes from.

        What a file imports from beside it is not in it. Raises InputError where Inspect or the task's package is missing.
        """
        where_from = file_digest(Path(self.file)) if self.file else _source.package_version(self.name)
        versions = [_source.inspect_version(), where_from]
        asked: list[Any] = [self.name, self.args, [*self.variants], self.limit, versions]
        return digest("inspect-task", [*asked, self.system] if self.system else asked)

    def limited(self, count: int) -> InspectTask:
        """The first `count` variants and, of a task with a single one, its first `count` samples."""
        if len(self.variants) > 1:
            return replace(self, variants=self.variants[:count])
        return replace(self, limit=min(count, self.limit or count))

    def under_system(self, system: str) -> InspectTask:
        """The same, asked under a system prompt; one that it has already follows."""
        return replace(self, system=f"{system}\n\n{self.system}" if self.system else system)

    @property
    def labels(self) -> tuple[str, ...]:
        """The variants' names: their values joined by hyphens, with the keys where two would read alike."""
        variants = [json.loads(variant) for variant in self.variants]
        short = ["-".join(_text(value) for value in variant.values()) for variant in variants]
        if len(set(short)) < len(short):
            short = ["-".join(f"{key}={_text(value)}" for key, value in v.items()) for v in variants]
        return tuple(text or self.title for text in short)

    @property
    def title(self) -> str:
        """The task's name without its package."""
        return self.name.rpartition("/")[2] or Path(self.file or "task").stem

    def arguments(self, variant: int) -> dict[str, Any]:
        """The arguments of a variant (its place, from 0)."""
        arguments: dict[str, Any] = json.loads(self.args) | json.loads(self.variants[variant])
        return arguments

    def check(self, where: str | None = None) -> None:
        """Makes every variant once, asking nobody.

        Raises InputError, naming the variant, for a task that is not there, and for arguments that it does not have or
        refuses.
        """
        for variant in range(len(self.variants)):
            self.create(variant, where=where)

    def create(self, variant: int, extra: dict[str, Any] | None = None, where: str | None = None) -> Any:
        """Inspect's `Task` of a variant, with `extra` arguments (not checked). Raises InputError as `check` does."""
        named = f"{self.title}, variant {self.labels[variant]!r}"
        place = f"{where}: {named}" if where else named
        function = self.function(where)
        arguments = self.arguments(variant)
        _source.check_arguments(function, arguments, place)
        try:
            task = function(**arguments, **(extra or {}))
        except Exception as error:  # the task is others' code: whatever it raises, it refuses
            raise InputError(
                f"the task refuses its arguments: {type(error).__name__}: {error}",
                where=place,
                value=arguments,
            ) from error
        if getattr(task, "sample_source", None) is not None or not len(task.dataset):
            raise InputError("the task has no samples of its own before it runs", where=place)
        return task

    def function(self, where: str | None = None) -> Any:
        """The function that makes the task; raises InputError for one that is not there, naming the closest."""
        if self.file is not None:
            return _source.function_of_file(Path(self.file), self.name, where)
        return _source.registered_function(self.name, where)

    def has_argument(self, name: str) -> bool:
        """Whether the task's function takes it."""
        return name in _source.parameters(self.function())


def parse_inspect_ref(ref: str, root: Path = Path()) -> InspectTask:
    """The task of `inspect:NAME` or `inspect:PATH.py@NAME`, with its own default arguments; raises InputError for neither."""
    if not ref.startswith(PREFIX) or not ref.removeprefix(PREFIX):
        raise InputError(
            "not the name of an Inspect task", value=ref, allowed="inspect:PACKAGE/TASK, inspect:PATH.py@TASK"
        )
    return _named(ref.removeprefix(PREFIX), root)


def _named(text: str, root: Path) -> InspectTask:
    path, _, name = text.partition("@")
    if not path.endswith(".py"):
        return InspectTask(text)
    file = (root / path).resolve()
    if not file.is_file():
        raise InputError(
            "no such file of Inspect tasks", value=str(file), fix="Paths start at the trait's file."
        )
    return InspectTask(name, str(file))


def _canonical(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
