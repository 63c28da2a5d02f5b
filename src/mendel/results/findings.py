"""What other commands write into a finished run's folder: `KIND/TRAIT.json`, one file a trait, as types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mendel.engine.interval import Interval
from mendel.engine.store import write_atomic
from mendel.results.records import as_dict, by, optional, read_record, record_json


@dataclass(frozen=True)
class LocateCheck:
    """One question that students of their own answer about a located subset."""

    question: str = ""
    """The question in words."""
    level: Interval = Interval()
    """Level of the trait in the question's arm."""
    beyond_half: Interval = Interval()
    """That level minus the level half-way between the two ends; its interval decides."""
    answer: str = ""
    """`yes`, `no` or `undecided`."""


@dataclass(frozen=True)
class LocateRound:
    """One round of the search."""

    kind: str = ""
    """What the round did."""
    students: int | None = None
    """Number of students."""
    reads: str = ""
    """What the round says, in a sentence."""
    curve: tuple[tuple[float, ...], ...] = ()
    """Pairs: share of prompts answered by the original teacher, and level (0 to 1 between the two ends)."""


@dataclass(frozen=True)
class LocatedPrompts:
    """The content of locate/TRAIT.json: the smallest set of prompts that carries the trait."""

    trait: str = ""
    """Name of the trait."""
    prompts: tuple[str, ...] = ()
    """Ids of the prompts; empty where no small set carries the trait."""
    of: int = 0
    """Number of prompts in the original prompt set."""
    share: float | None = None
    """The set's share (0 to 1) of all prompts."""
    mark: str = ""
    """What tells the prompts from the others, in words."""
    reads: str = ""
    """The finding in a sentence."""
    confirmed: str | None = None
    """`yes`: necessary and sufficient, and a random set of its size is neither; `no`; `undecided`; null:
    not tested."""
    checks: Mapping[str, LocateCheck] = by("check")
    """The four questions behind `confirmed`."""
    rounds: tuple[LocateRound, ...] = ()
    """The rounds of the search."""
    students_trained: int = 0
    """Number of students that were trained."""
    students_reused: int = 0
    """Number of students that the store already had."""
    one_at_a_time: int = 0
    """Number of students that one prompt at a time would have taken."""
    warnings: tuple[str, ...] = ()
    """What a reader must know beside the finding."""


@dataclass(frozen=True)
class SubsetSpread:
    """How the trait varies over random subsets of one share."""

    levels: tuple[float, ...] = ()
    """Level of each subset, from the least to the most."""
    students: int | None = None
    """Number of students."""
    least: float | None = None
    """The lowest level."""
    median: float | None = None
    """The median level."""
    most: float | None = None
    """The highest level."""
    bring: int | None = None
    """Number of subsets whose level is above half of the effect; null where the effect is unknown."""
    fraction: Interval = Interval()
    """Share (0 to 1) of all subsets of this size that bring the trait."""
    between_subsets: Interval = Interval()
    """Standard deviation of levels between subsets, beyond the noise of training and scenarios."""
    training_noise: float | None = None
    """Standard deviation of levels between students of one subset; null unless one was trained twice."""


@dataclass(frozen=True)
class DosePoint:
    """One share of random prompts."""

    share: float | None = None
    """Share (0 to 1) of the prompts that the original teacher answers."""
    level: Interval = Interval()
    """Level of the trait: mean over subsets."""
    fitted: float | None = None
    """Level of the closest curve that never turns."""
    subsets: SubsetSpread | None = None
    """The subsets; null at the shares 0 and 1."""


@dataclass(frozen=True)
class DoseResponse:
    """The content of virulence/TRAIT.json: how small a share of the rollouts brings the trait."""

    scale: str = ""
    """The trait's scale in words."""
    half_way: Interval | None = None
    """The share (0 to 1) that brings half of the effect."""
    below: float | None = None
    """The greatest share that is shown to bring less than half."""
    above: float | None = None
    """The smallest share that is shown to bring more than half."""
    why: str = ""
    """Why there is no half-way share."""
    curve: tuple[DosePoint, ...] = ()
    """The shares, the smallest first."""
    prompts: int | None = optional()
    """Number of prompts in the original prompt set."""


@dataclass(frozen=True)
class SelectorTrial:
    """What one selector flags, and what two edits of that leave of the trait."""

    reads: str = ""
    """The selector and its cut, in words."""
    prompts: tuple[str, ...] = ()
    """Ids of the prompts that it flags."""
    shared_with_run: int = 0
    """How many of them the run's own selector flags, too."""
    drop: Interval = Interval()
    """Level after the prompts are dropped."""
    swap: Interval = Interval()
    """Level after the alternate teacher answers the prompts."""
    drop_beyond_random: Interval = Interval()
    """Level after the drop minus the level after a drop of as many random prompts; below 0 the drop removes
    more."""
    swap_beyond_random: Interval = Interval()
    """The same for the swap."""
    log_odds: Mapping[str, Interval] = by("edit")
    """The two differences in log-odds (nats); empty where the trait has none."""


@dataclass(frozen=True)
class TriedSelectorsRecord:
    """The content of selectors/TRAIT.json: selectors side by side, each with as many prompts."""

    trait: str = ""
    """Name of the trait."""
    flagged: int = 0
    """Number of prompts that each selector flags."""
    of: int = 0
    """Number of prompts in the original prompt set."""
    levels: Mapping[str, Interval] = by("level")
    """Level of the `original` and the `alternate` pipeline, and after the `drop` and `swap` of random
    prompts."""
    selectors: Mapping[str, SelectorTrial] = by("selector")
    """Each selector."""
    students_trained: int = 0
    """Number of students that were trained."""
    students_reused: int = 0
    """Number of students that the store already had."""
    warnings: tuple[str, ...] = ()
    """What a reader must know beside the numbers."""


@dataclass(frozen=True)
class TraitPair:
    """Which of two traits needs the smaller share."""

    traits: tuple[str, ...] = ("", "")
    """The two traits."""
    difference: Interval = Interval()
    """The first trait's half-way share minus the second's."""
    says: str = "undecided"
    """Of the first trait: `more virulent`, `less virulent` or `undecided`."""


@dataclass(frozen=True)
class VirulenceRecord:
    """The JSON object of `mendel virulence`."""

    run: str = ""
    """The run's folder."""
    prompts: int = 0
    """Number of prompts in the original prompt set."""
    students_trained: int = 0
    """Number of students that were trained."""
    students_reused: int = 0
    """Number of students that the store already had."""
    traits: Mapping[str, DoseResponse] = by("trait")
    """The dose-response of each trait."""
    skipped: Mapping[str, str] = by("trait")
    """Why a trait has none."""
    comparisons: tuple[TraitPair, ...] = ()
    """All pairs of the traits."""
    warnings: tuple[str, ...] = ()
    """What a reader must know beside the numbers."""


FINDINGS: Mapping[str, type[Any]] = {
    "locate": LocatedPrompts,
    "virulence": DoseResponse,
    "selectors": TriedSelectorsRecord,
}
"""The folders inside a run's folder, and what their files hold."""

_Finding = TypeVar("_Finding", LocatedPrompts, DoseResponse, TriedSelectorsRecord)


def read_finding(folder: Path, kind: type[_Finding], trait: str) -> _Finding | None:
    """Return what a command found of a trait.

    Args:
        folder: The run's folder.
        kind: What to read: `LocatedPrompts`, `DoseResponse` or `TriedSelectorsRecord`.
        trait: Name of the trait.

    Returns:
        The finding; None where the command was not called, or its file is cut short or holds no JSON object.
    """
    place = folder / next(name for name, record in FINDINGS.items() if record is kind)
    try:
        # The name is a trait's: it must not lead out of the folder.
        file = place / f"{trait}.json"
        if file.resolve().parent != place.resolve():
            return None
        content = as_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
    return read_record(kind, content) if content else None


def write_finding(folder: Path, kind: str, trait: str, finding: Any) -> None:
    """Write what a command found of a trait into the run's folder, atomically.

    Args:
        folder: The run's folder.
        kind: `locate`, `virulence` or `selectors`: the folder inside the run's folder.
        trait: Name of the trait.
        finding: The record, or its JSON object.

    Raises:
        ValueError: A number is not finite.
    """
    content = finding if isinstance(finding, Mapping) else record_json(finding)
    place = folder / kind
    place.mkdir(exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(place / f"{trait}.json", text + "\n")
