"""What other commands found of a finished run's trait: `mendel locate`, `mendel virulence`, `mendel selectors`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.text import one_line, shorten
from mendel.results.values import Estimate, as_dict, as_float, as_list, as_text, read_estimate

if TYPE_CHECKING:
    from mendel.report.views.folder import RunFolder

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
    checks: tuple[tuple[str, str, Estimate | None], ...]
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
    level: Estimate | None
    bring: str
    """How many of the subsets bring the trait."""


@dataclass(frozen=True)
class Doses:
    """What `mendel virulence` found."""

    half_way: Estimate | None
    why: str
    doses: tuple[DoseRow, ...]


@dataclass(frozen=True)
class TriedRow:
    """One selector that was tried on the run."""

    name: str
    shared: str
    drop: Estimate | None
    swap: Estimate | None
    drop_beyond: Estimate | None
    swap_beyond: Estimate | None


@dataclass(frozen=True)
class TriedTable:
    """What `mendel selectors` found."""

    flagged: str
    random: tuple[Estimate | None, Estimate | None]
    rows: tuple[TriedRow, ...]


def read_subset(folder: RunFolder, trait: str) -> Subset | None:
    """The located subset of a trait; None where nobody looked for one."""
    found = _json(folder.path / "locate", trait)
    if not found:
        return None
    prompts = [as_text(prompt) for prompt in as_list(found.get("prompts"))]
    trained = as_float(found.get("students_trained")) or 0.0
    reused, alone = as_float(found.get("students_reused")) or 0.0, as_float(found.get("one_at_a_time")) or 0.0
    return Subset(
        reads=one_line(as_text(found.get("reads")), 600),
        confirmed=as_text(found.get("confirmed")),
        count=len(prompts),
        of=int(as_float(found.get("of")) or 0),
        checks=tuple(_checks(as_dict(found.get("checks")))),
        rounds=tuple(_rounds(as_list(found.get("rounds")))),
        students=f"{trained + reused:,.0f} students; one prompt at a time would have taken {alone:,.0f}",
        examples=_examples(folder, prompts),
        prompts=tuple(one_line(prompt, 80) for prompt in prompts[:LISTED]),
        more=max(0, len(prompts) - LISTED),
    )


def read_doses(folder: RunFolder, trait: str) -> Doses | None:
    """The dose-response of a trait; None where nobody measured it."""
    found = _json(folder.path / "virulence", trait)
    if not found:
        return None
    doses = []
    for dose in map(as_dict, as_list(found.get("curve"))):
        share, subsets = as_float(dose.get("share")), as_dict(dose.get("subsets"))
        if share is not None:
            doses.append(DoseRow(share, read_estimate(dose.get("level")), _bring(subsets)))
    return Doses(read_estimate(found.get("half_way")), one_line(as_text(found.get("why"))), tuple(doses))


def read_tried(folder: RunFolder, trait: str) -> TriedTable | None:
    """The selectors that were tried on a trait; None where nobody tried any."""
    found = _json(folder.path / "selectors", trait)
    if not found:
        return None
    levels = as_dict(found.get("levels"))
    flagged, of = as_float(found.get("flagged")) or 0.0, as_float(found.get("of")) or 0.0
    rows = tuple(
        TriedRow(
            one_line(name, 60),
            f"{as_float(row.get('shared_with_run')) or 0:,.0f}",
            *(
                read_estimate(row.get(key))
                for key in ("drop", "swap", "drop_beyond_random", "swap_beyond_random")
            ),
        )
        for name, row in ((name, as_dict(row)) for name, row in as_dict(found.get("selectors")).items())
    )
    random = (read_estimate(levels.get("drop")), read_estimate(levels.get("swap")))
    return TriedTable(f"{flagged:,.0f} of {of:,.0f}", random, rows)


def _json(folder: Path, name: str) -> Mapping[str, Any]:
    """What a command wrote; empty where it did not, or not a whole file."""
    try:
        # The name is a trait's: it must not lead out of the folder.
        file = folder / f"{name}.json"
        if file.resolve().parent != folder.resolve():
            return {}
        return as_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}


def _checks(given: Mapping[str, Any]) -> Iterator[tuple[str, str, Estimate | None]]:
    for check in map(as_dict, given.values()):
        yield (
            one_line(as_text(check.get("question"))),
            as_text(check.get("answer")),
            read_estimate(check.get("level")),
        )


def _rounds(given: Sequence[Any]) -> Iterator[tuple[str, str, str]]:
    for part in map(as_dict, given):
        students = as_float(part.get("students"))
        yield (
            as_text(part.get("kind")),
            "" if students is None else f"{students:.0f}",
            one_line(as_text(part.get("reads")), 300),
        )


def _bring(subsets: Mapping[str, Any]) -> str:
    bring, count = as_float(subsets.get("bring")), len(as_list(subsets.get("levels")))
    return "" if bring is None or not count else f"{bring:.0f} of {count}"


def _examples(folder: RunFolder, prompts: Sequence[str]) -> tuple[Carrying, ...]:
    """Evenly spaced over the subset: nobody picked them."""
    if not prompts:
        return ()
    count = min(SHOWN, len(prompts))
    chosen = [prompts[(2 * i + 1) * len(prompts) // (2 * count)] for i in range(count)]
    teachers = [as_text(as_dict(folder.study.get(side)).get("teacher")) for side in ("original", "alternate")]
    rows = _answers(folder.path / "rollouts.parquet", chosen)
    found = []
    for prompt in chosen:
        own, other = (rows.get((prompt, teacher), {}) for teacher in teachers)
        if own:
            asked = "\n".join(as_text(as_dict(m).get("content")) for m in as_list(own.get("messages")))
            answers = (shorten(as_text(row.get("completion")), TEXT) for row in (own, other))
            found.append(Carrying(one_line(prompt, 80), shorten(asked, TEXT), *answers))
    return tuple(found)


def _answers(file: Path, prompts: Sequence[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The rollouts of some prompts, read from the file when they are needed: the page shows no others."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        asked = ds.field("prompt_id").isin(prompts)
        kept = ds.dataset(file).to_table(["prompt_id", "teacher", "messages", "completion"], filter=asked)
        return {(row["prompt_id"], row["teacher"]): row for row in kept.to_pylist()}
    except (pa.ArrowException, OSError, ValueError):
        return {}
