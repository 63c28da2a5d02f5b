"""What a run says at its end in the terminal or a pipe: one narrow table of traits, plain without colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.design.names import random_control, trait_arm
from mendel.engine.text import one_line
from mendel.report.views.arms import find_contrast, shown_contrasts
from mendel.report.views.recall import recall_sentence
from mendel.report.views.trait import half_way_of
from mendel.report.views.words import PLACES
from mendel.results.advice import RecommendationVerdict
from mendel.results.interval import MISSING, Format, Interval, duration, fitting
from mendel.results.leaks import LeakVerdict
from mendel.results.verdicts import LocationPart, TraitVerdict, Verdicts

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100
"""Columns of the widest line: a terminal of any size, and a CI log, show it unbroken."""
_SIDE_BY_SIDE = 3
_CELL = 23
_ROWS = (
    "state", "located in", "carrier", "cause", "original", "alternate", "base effect", "prompts effect",
    "teacher effect",
    "drop flagged", "  - drop random", "swap flagged", "  - swap random", "half-way share",
)  # fmt: skip


def terminal_summary(verdicts: Verdicts | Mapping[str, Any], report: Path | None = None) -> RenderableType:
    """Return the verdicts as tables of at most 100 columns, three traits side by side.

    Args:
        verdicts: The verdicts, as values or as the content of verdicts.json; what is missing is said.
        report: Where the run's page is, printed in the last line.

    Returns:
        What rich prints.
    """
    from rich.console import Group
    from rich.text import Text

    record = verdicts if isinstance(verdicts, Verdicts) else Verdicts.read(verdicts)
    traits = list(record.traits.items())
    parts: list[RenderableType] = [
        _table(traits[i : i + _SIDE_BY_SIDE]) for i in range(0, len(traits), _SIDE_BY_SIDE)
    ]
    if not traits:
        parts.append(Text("No trait has a verdict yet."))
    lines = [line for name, verdict in traits for line in _advice(name, verdict.recommendation)]
    lines += [line for name, verdict in traits for line in _leaks(name, verdict.leaks)]
    lines += [
        f"judge ({one_line(name, 40)}): {recall_sentence(verdict.recall)}"
        for name, verdict in traits
        if verdict.recall is not None
    ]
    lines += [*_counts(record), *(f"warning: {one_line(warning, 300)}" for warning in record.warnings)]
    if report is not None:
        lines.append(f"report: {one_line(str(report), 1000)}")
    # Folded: rich would cut a line that it may not wrap at the console's width, and a path's end be lost.
    parts += [Text(line, overflow="fold") for line in lines]
    return Group(*parts)


def _table(traits: Sequence[tuple[str, TraitVerdict]]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    table.add_column("", no_wrap=True)
    columns = []
    for name, verdict in traits:
        table.add_column(Text(one_line(name, 80)), width=_CELL, overflow="fold")
        columns.append(list(_cells(name, verdict)))
    for i, label in enumerate(_ROWS):
        # Text, not markup: a trait's name or carrier may hold brackets.
        table.add_row(Text(label), *(Text(column[i]) for column in columns))
    return table


def _cells(name: str, verdict: TraitVerdict) -> Iterator[str]:
    """Yield one trait's column, in the order of `_ROWS`."""
    numbers = fitting(verdict.original, verdict.alternate)
    yield verdict.known_state
    yield _located(verdict)
    yield one_line(verdict.carrier, 40)
    yield one_line(verdict.cause, 40)
    yield _short(numbers, verdict.original)
    yield _short(numbers, verdict.alternate)
    for part in ("base", "prompts", "teacher"):
        yield _short(numbers, verdict.effects.get(part, Interval()), signed=True)
    for edit in ("drop", "swap"):
        arm, control = trait_arm(edit, name), trait_arm(random_control(edit), name)
        level = verdict.levels.get(arm)
        yield _short(numbers, level.interval if level else Interval())
        yield _short(numbers, find_contrast(shown_contrasts(verdict), arm, control), signed=True)
    half_way, why = half_way_of(verdict)
    yield _short(Format(2), half_way) if half_way else why if why == MISSING else f"none: {why}"


def _located(verdict: TraitVerdict) -> str:
    """Return the parts that are shown to carry more than a quarter of the difference."""
    location = verdict.location or {}
    carrying = [part.replace("_", " ") for part in PLACES if part in location and _carries(location[part])]
    return ", ".join(carrying) or ("undecided" if location else "-")


def _carries(part: LocationPart) -> bool:
    return part.decision == "carries"


def _advice(name: str, advice: RecommendationVerdict | None) -> Iterator[str]:
    """Yield whether a filter helps and what to do, in the run's own words."""
    if advice is None or not advice.why:
        return
    title = one_line(name, 40)
    if advice.filtering_why and advice.filtering_why != advice.why:
        yield f"does filtering help ({title})? {one_line(advice.filtering_why, 800)}"
    yield f"what to do ({title}): {one_line(advice.why, 800)}"
    for option in advice.options:
        said = option.prior_why in advice.filtering_why or option.prior_why in advice.why
        if option.prior_why and not said:
            yield f"beside the prior ({title}): {one_line(option.prior_why, 400)}"


def _leaks(name: str, leaks: LeakVerdict | None) -> Iterator[str]:
    """Yield lines for every edit that was measured on the trait's ladder.

    What it leaves near to and far from the filter.
    """
    if leaks is None:
        return
    for kind, edit in leaks.edits.items():
        near, far, index = (
            _short(Format(2), value) if value else "undefined"
            for value in (edit.left_near, edit.left_far, edit.index)
        )
        yield f"ladder: {one_line(name, 30)}, {one_line(kind, 14)}: {one_line(edit.verdict, 24)}"
        yield f"  left near {near}, far {far}; leak index {index}"
        if edit.raised:
            rungs = ", ".join(one_line(rung, 20) for rung in edit.raised)
            yield f"  raised above the original pipeline on {one_line(rungs, 60)}"
    if not leaks.edits:
        yield f"ladder: {one_line(name, 30)}: {one_line(leaks.why or 'nothing was measured', 60)}"


def _short(numbers: Format, value: Interval, signed: bool = False) -> str:
    text = numbers.value(value, signed).replace("\N{MINUS SIGN}", "-")
    return text.replace("interval unknown", "[unknown]")


def _counts(verdicts: Verdicts) -> Iterator[str]:
    counts = ((verdicts.students_trained, "trained"), (verdicts.students_reused, "reused"))
    parts = [f"{count:,} students {what}" for count, what in counts if count is not None]
    if verdicts.wall_seconds is not None:
        parts.append(duration(verdicts.wall_seconds))
    if parts:
        yield ", ".join(parts)
