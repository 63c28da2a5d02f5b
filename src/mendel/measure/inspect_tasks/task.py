"""An Inspect task as a value: the `inspect:` section of a trait file, and how a task is validated."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from mendel.engine.digest import digest, file_digest
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks import source
from mendel.study.schema import Config

PREFIX = "inspect:"


class InspectConfig(Config):
    """The `inspect:` section of a trait file."""

    task: Annotated[str, Field(min_length=1)]
    """A registered name such as `inspect_evals/agentic_misalignment`, or `PATH.py@NAME`.

    The path is relative to the trait's file.
    """
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the task, the same for all variants."""
    variants: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] = ({},)
    """Arguments of each variant, added to `args` or replacing some.

    A variant is a scenario, or a set of scenarios where the task has several samples.
    """
    metric: str | None = None
    """The value that counts where the task's scorer gives several; None: the scorer gives one."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Number of samples, the task's first ones; None: all."""

    @field_validator("args", "variants")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"arguments must be texts, numbers, true, false, null, lists and maps: {error}"
            ) from None
        return value

    @field_validator("variants")
    @classmethod
    def _distinct(cls, variants: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        texts = [_canonical(variant) for variant in variants]
        double = next((text for text in texts if texts.count(text) > 1), None)
        if double is not None:
            raise ValueError(
                f"the variant {double} is listed twice: for more samples, write generate: {{samples: N}}"
            )
        return variants

    def build(self, root: Path) -> InspectTask:
        """Return the task as a value.

        Args:
            root: Folder that a file's path starts from.

        Raises:
            InputError: There is no such file.
        """
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
    """An Inspect task with its arguments, in one variant or several. Hashable and picklable."""

    name: str
    """The registered name; for a file the function's name, empty for the file's only task."""
    file: str | None = None
    """The absolute path of the file that defines the task; None for a registered one."""
    args: str = "{}"
    """JSON text with sorted keys, like each of the `variants`."""
    variants: tuple[str, ...] = ("{}",)
    metric: str | None = None
    limit: int | None = None
    system: str | None = None
    """A system prompt for the model; a system prompt of the task follows in the same turn."""

    @property
    def digest(self) -> str:
        """Content address of the task and its arguments.

        It includes the versions of Inspect and of the task's package, or the file's content, but not the
        modules that a file imports from its folder. Raises InputError where Inspect or the task's package is
        not installed.
        """
        origin = file_digest(Path(self.file)) if self.file else source.package_version(self.name)
        versions = [source.inspect_version(), origin]
        content: list[Any] = [self.name, self.args, [*self.variants], self.limit, versions]
        return digest("inspect-task", [*content, self.system] if self.system else content)

    def limited(self, count: int) -> InspectTask:
        """Return the task with its first `count` variants; a task with one variant with its first samples."""
        if len(self.variants) > 1:
            return replace(self, variants=self.variants[:count])
        return replace(self, limit=min(count, self.limit or count))

    def under_system(self, system: str) -> InspectTask:
        """Return the task under a system prompt; a system prompt that it already has follows."""
        return replace(self, system=f"{system}\n\n{self.system}" if self.system else system)

    @property
    def labels(self) -> tuple[str, ...]:
        """The variants' names: their values joined by hyphens, with the keys where two would be the same."""
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
        """Return the arguments of a variant, given by its place (from 0)."""
        arguments: dict[str, Any] = json.loads(self.args) | json.loads(self.variants[variant])
        return arguments

    def validate(self, where: str | None = None) -> None:
        """Create every variant once; no model is asked.

        Args:
            where: Place in the user's file, for messages.

        Raises:
            InputError: There is no such task, or it does not take a variant's arguments. The message names
                the variant.
        """
        for variant in range(len(self.variants)):
            self.create(variant, where=where)

    def create(self, variant: int, extra: dict[str, Any] | None = None, where: str | None = None) -> Any:
        """Return Inspect's `Task` of a variant.

        Args:
            variant: The variant's place, from 0.
            extra: Further arguments, which are not validated.
            where: Place in the user's file, for messages.

        Raises:
            InputError: As `validate`.
        """
        variant_name = f"{self.title}, variant {self.labels[variant]!r}"
        place = f"{where}: {variant_name}" if where else variant_name
        function = self.function(where)
        arguments = self.arguments(variant)
        source.validate_arguments(function, arguments, place)
        try:
            task = function(**arguments, **(extra or {}))
        except Exception as error:  # a task is another package's code and may raise anything
            raise InputError(
                f"the task refuses its arguments: {type(error).__name__}: {error}",
                where=place,
                value=arguments,
            ) from error
        if getattr(task, "sample_source", None) is not None or not len(task.dataset):
            raise InputError(
                "the task has no samples before it runs",
                where=place,
                fix="Choose a task with a data set, or other arguments.",
            )
        return task

    def function(self, where: str | None = None) -> Any:
        """Return the function that makes the task; raise InputError where there is none."""
        if self.file is not None:
            return source.function_of_file(Path(self.file), self.name, where)
        return source.registered_function(self.name, where)

    def has_argument(self, name: str) -> bool:
        """Return whether the task's function takes an argument."""
        return name in source.parameters(self.function())


def parse_inspect_ref(ref: str, root: Path = Path()) -> InspectTask:
    """Return the task of `inspect:NAME` or `inspect:PATH.py@NAME`, with the task's default arguments.

    Args:
        ref: The reference.
        root: Folder that PATH starts from.

    Raises:
        InputError: The reference has another form, or there is no such file.
    """
    if not ref.startswith(PREFIX) or not ref.removeprefix(PREFIX):
        raise InputError(
            "this names no Inspect task", value=ref, allowed="inspect:PACKAGE/TASK, inspect:PATH.py@TASK"
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
