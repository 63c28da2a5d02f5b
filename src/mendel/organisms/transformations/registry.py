"""What a transformation is: one change of an organism that a real study may have, and the truth after it.

A transformation draws from generators of its own name. So an organism with a seed is the same with and
without it, but for the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mendel.engine.errors import InputError, did_you_mean
from mendel.engine.registry import Registry, instance_of
from mendel.organisms.planted.causes import CAUSES, NONE, OrganismPlan
from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.truth import PlantedTruth

EVERY_CAUSE = CAUSES
EVERY_DIFFERENCE = tuple(cause for cause in CAUSES if cause != NONE)


@dataclass(frozen=True)
class NumberValue:
    """A number between two limits, both included."""

    low: float
    high: float
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:g}"

    def read(self, text: str) -> float | int | None:
        """Return the value of a text; None if it is not allowed."""
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            return None
        return number if self.low <= number <= self.high else None


@dataclass(frozen=True)
class ChoiceValue:
    """One of several words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return ", ".join(self.words)

    def read(self, text: str) -> str | None:
        """Return the value of a text; None if it is not allowed."""
        return text if text in self.words else None


def _same_plan(plan: OrganismPlan, value: Any) -> OrganismPlan:
    return plan


def _same_planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    return planted


def _same_truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    return truth


@dataclass(frozen=True)
class Transformation:
    """One change of an organism."""

    says: str
    """What it changes, as a sentence. `X` stands for its value."""
    causes: tuple[str, ...]
    """The causes it applies to; to a pair of causes if it applies to both."""
    value: NumberValue | ChoiceValue | None = None
    """Which values it takes. None: it takes none."""
    excludes: tuple[str, ...] = ()
    """Names of transformations that make no sense beside it."""
    on_plan: Callable[[OrganismPlan, Any], OrganismPlan] = _same_plan
    """Returns the plan, before anything is planted, from the plan and the value."""
    on_planted: Callable[[Planted, Any, Rng], Planted] = _same_planted
    """Returns the organism in memory, after it was planted, from it, the value and the generators."""
    on_truth: Callable[[PlantedTruth, Planted, Any], PlantedTruth] = _same_truth
    """Returns the truth, from the truth before, the finished organism and the value."""


@dataclass(frozen=True)
class ChosenTransformation:
    """A transformation with its value."""

    name: str
    transformation: Transformation
    value: Any = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


transformations: Registry[Transformation] = Registry("transformation", check=instance_of(Transformation))
transformation = transformations.register
"""Decorator that registers a transformation."""


def choose(texts: Sequence[str], causes: tuple[str, ...]) -> tuple[ChosenTransformation, ...]:
    """Return the transformations of an organism, in the order given.

    Args:
        texts: `NAME` or `NAME=VALUE` each.
        causes: The planted causes.

    Raises:
        InputError: A name is unknown or given twice, a value is missing or not allowed, or a transformation
            does not apply to the causes or beside another one.
    """
    chosen: list[ChosenTransformation] = []
    for text in texts:
        one = _chosen(text)
        if not set(causes) <= set(one.transformation.causes):
            raise InputError(
                f"{one.name} does not apply to {'+'.join(causes)}",
                value=text,
                allowed=", ".join(one.transformation.causes),
            )
        for other in chosen:
            if other.name == one.name:
                raise InputError("the same transformation twice", value=text, fix=f"Leave out {other}.")
            if one.name in other.transformation.excludes or other.name in one.transformation.excludes:
                raise InputError(
                    f"{one.name} does not apply beside {other.name}",
                    value=",".join(texts),
                    fix="Leave one of the two out.",
                )
        chosen.append(one)
    return tuple(chosen)


def _chosen(text: str) -> ChosenTransformation:
    name, equals, value = (part.strip() for part in text.partition("="))
    if name not in transformations:
        raise InputError(
            "unknown transformation",
            value=name,
            allowed=", ".join(transformations),
            fix=did_you_mean(name, list(transformations)),
        )
    found = transformations.get(name)
    if found.value is None:
        if equals:
            raise InputError(f"{name} takes no value", value=text, fix=f"Write {name}.")
        return ChosenTransformation(name, found)
    read = found.value.read(value) if equals else None
    if read is None:
        raise InputError(
            f"{name} needs {'another' if equals else 'a'} value",
            value=text,
            allowed=found.value.allowed,
            fix=f"Write {name}=VALUE.",
        )
    return ChosenTransformation(name, found, read)
