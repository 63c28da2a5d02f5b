"""What other commands found of a finished run's trait, and what other recipes say of its verdict.

`mendel locate`, `mendel virulence`, `mendel selectors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.engine.text import one_line, shorten
from mendel.results.findings import (
    DoseResponse,
    LocatedPrompts,
    LocateRound,
    SubsetSpread,
    TriedSelectorsRecord,
    read_finding,
)
from mendel.results.folder import RunFolder
from mendel.results.interval import Interval
from mendel.results.records import as_dict, as_list, as_text
from mendel.results.verdicts import TraitVerdict

SHOWN = 6
"""Prompts of a located subset that are shown with both answers."""
LISTED = 200
TEXT = 400
"""Characters of a prompt or an answer."""


@dataclass(frozen=True)
class Carrying:
    """One prompt of a located subset, and what the two teachers answered."""

    prompt_id: str
    prompt: str
    original: str
    alternate: str


@dataclass(frozen=True)
class Subset:
    """What `mendel locate` found."""

    reads: str
    confirmed: str
    count: int
    of: int
    checks: tuple[tuple[str, str, Interval], ...]
    """Question, answer, level of the trait in that arm."""
    rounds: tuple[tuple[str, str, str], ...]
    """Kind, students, what it reads."""
    students: str
    examples: tuple[Carrying, ...]
    prompts: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class DoseRow:
    """One share of random prompts."""

    share: float
    level: Interval
    bring: str
    """How many of the subsets bring the trait."""


@dataclass(frozen=True)
class Doses:
    """What `mendel virulence` found."""

    half_way: Interval
    why: str
    doses: tuple[DoseRow, ...]


@dataclass(frozen=True)
class TriedRow:
    """One selector that was tried on the run."""

    name: str
    shared: str
    drop: Interval
    swap: Interval
    drop_beyond: Interval
    swap_beyond: Interval


@dataclass(frozen=True)
class TriedTable:
    """What `mendel selectors` found."""

    flagged: str
    random: tuple[Interval, Interval]
    rows: tuple[TriedRow, ...]


@dataclass(frozen=True)
class RecipeRow:
    """What another recipe says of the verdict."""

    recipe: str
    holds: str
    """`yes`, `no` or `undecided`."""
    difference: Interval
    contrasts: tuple[tuple[str, Interval], ...]
    """Every contrast that decided, as a share of the difference."""
    why: str


def recipes_of(verdict: TraitVerdict) -> tuple[RecipeRow, ...]:
    """Return what other recipes say of a trait's verdict; () where none was tried."""
    return tuple(
        RecipeRow(
            one_line(check.recipe, 80),
            one_line(check.holds, 20),
            check.difference,
            tuple((one_line(name, 80), share) for name, share in check.contrasts.items()),
            one_line(check.why, 400),
        )
        for check in (verdict.robustness or {}).values()
    )


def subset_of(folder: RunFolder, trait: str) -> Subset | None:
    """Return the located subset of a trait; None where nobody looked for one."""
    located = read_finding(folder.path, LocatedPrompts, trait)
    if located is None:
        return None
    students = located.students_trained + located.students_reused
    return Subset(
        reads=one_line(located.reads, 600),
        confirmed=located.confirmed or "",
        count=len(located.prompts),
        of=located.of,
        checks=tuple((one_line(c.question), c.answer, c.level) for c in located.checks.values()),
        rounds=tuple(map(_round, located.rounds)),
        students=f"{students:,} students; one prompt at a time would have taken {located.one_at_a_time:,}",
        examples=_examples(folder, located.prompts),
        prompts=tuple(one_line(prompt, 80) for prompt in located.prompts[:LISTED]),
        more=max(0, len(located.prompts) - LISTED),
    )


def doses_of(folder: RunFolder, trait: str) -> Doses | None:
    """Return the dose-response of a trait; None where nobody measured it."""
    response = read_finding(folder.path, DoseResponse, trait)
    if response is None:
        return None
    rows = tuple(
        DoseRow(dose.share, dose.level, _bring(dose.subsets))
        for dose in response.curve
        if dose.share is not None
    )
    return Doses(response.half_way or Interval(), one_line(response.why), rows)


def tried_of(folder: RunFolder, trait: str) -> TriedTable | None:
    """Return the selectors that were tried on a trait; None where nobody tried any."""
    tried = read_finding(folder.path, TriedSelectorsRecord, trait)
    if tried is None:
        return None
    rows = tuple(
        TriedRow(
            one_line(name, 60),
            f"{trial.shared_with_run:,}",
            trial.drop,
            trial.swap,
            trial.drop_beyond_random,
            trial.swap_beyond_random,
        )
        for name, trial in tried.selectors.items()
    )
    drop, swap = (tried.levels.get(edit, Interval()) for edit in ("drop", "swap"))
    return TriedTable(f"{tried.flagged:,} of {tried.of:,}", (drop, swap), rows)


def _round(part: LocateRound) -> tuple[str, str, str]:
    return part.kind, "" if part.students is None else str(part.students), one_line(part.reads, 300)


def _bring(subsets: SubsetSpread | None) -> str:
    if subsets is None or subsets.bring is None or not subsets.levels:
        return ""
    return f"{subsets.bring} of {len(subsets.levels)}"


def _examples(folder: RunFolder, prompts: Sequence[str]) -> tuple[Carrying, ...]:
    """Return some prompts with both answers, evenly spaced over the subset: nobody picked them."""
    if not prompts:
        return ()
    count = min(SHOWN, len(prompts))
    chosen = [prompts[(2 * i + 1) * len(prompts) // (2 * count)] for i in range(count)]
    teachers = [as_text(as_dict(folder.study.get(side)).get("teacher")) for side in ("original", "alternate")]
    answers = _answers(folder.path / "rollouts.parquet", chosen)
    examples = []
    for prompt in chosen:
        original, alternate = (answers.get((prompt, teacher), {}) for teacher in teachers)
        if original:
            messages = map(as_dict, as_list(original.get("messages")))
            asked = "\n".join(as_text(message.get("content")) for message in messages)
            completions = (shorten(as_text(row.get("completion")), TEXT) for row in (original, alternate))
            examples.append(Carrying(one_line(prompt, 80), shorten(asked, TEXT), *completions))
    return tuple(examples)


def _answers(file: Path, prompts: Sequence[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the rollouts of some prompts, read from the file when they are needed.

    The page shows no others.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        chosen = ds.field("prompt_id").isin(prompts)
        rows = ds.dataset(file).to_table(["prompt_id", "teacher", "messages", "completion"], filter=chosen)
        return {(row["prompt_id"], row["teacher"]): row for row in rows.to_pylist()}
    except (pa.ArrowException, OSError, ValueError):
        return {}
