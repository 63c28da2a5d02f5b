"""What a run says at its end in the terminal or a pipe: one narrow table of traits, plain without colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.design.names import random_control, trait_arm
from mendel.engine.text import one_line
from mendel.report.views.arms import find_contrast, read_contrasts
from mendel.report.views.trait import read_half_way
from mendel.results.values import (
    MISSING,
    Estimate,
    Format,
    as_dict,
    as_float,
    as_list,
    as_text,
    duration,
    fitting,
    read_estimate,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100
"""Columns of the widest line: a terminal of any size, and a CI log, show it unbroken."""
_SIDE_BY_SIDE = 3
_CELL = 23
_ROWS = (
    "present", "carrier", "cause", "original", "alternate", "base effect", "prompts effect", "teacher effect",
    "drop flagged", "  - drop random", "swap flagged", "  - swap random", "half-way share",
)  # fmt: skip


def terminal_summary(verdicts: Mapping[str, Any], report: Path | None = None) -> RenderableType:
    """The verdicts as tables of at most 100 columns, three traits side by side, and where the page is.

    `verdicts` is the content of verdicts.json; values that are not there are said to be missing.
    """
    from rich.console import Group
    from rich.text import Text

    traits = [(name, as_dict(verdict)) for name, verdict in as_dict(verdicts.get("traits")).items()]
    parts: list[RenderableType] = [
        _table(traits[i : i + _SIDE_BY_SIDE]) for i in range(0, len(traits), _SIDE_BY_SIDE)
    ]
    if not traits:
        parts.append(Text("No trait has a verdict yet."))
    lines = [line for name, verdict in traits for line in _leaks(name, verdict)]
    lines += [*_counts(verdicts), *(f"warning: {one_line(as_text(w), 300)}" for w in _warnings(verdicts))]
    if report is not None:
        lines.append(f"report: {one_line(str(report), 1000)}")
    # The path must stay in one piece, so that one can click or copy it.
    parts += [Text(line, no_wrap=line.startswith("report: "), overflow="ignore") for line in lines]
    return Group(*parts)


def _table(traits: Sequence[tuple[str, Mapping[str, Any]]]) -> RenderableType:
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


def _cells(name: str, verdict: Mapping[str, Any]) -> Iterator[str]:
    """One trait's column, in the order of `_ROWS`."""
    levels, effects = as_dict(verdict.get("levels")), as_dict(verdict.get("effects"))
    original, alternate = read_estimate(verdict.get("original")), read_estimate(verdict.get("alternate"))
    numbers = fitting(original, alternate)
    present = verdict.get("present")
    yield "yes" if present is True else "no" if present is False else "undecided"
    yield one_line(as_text(verdict.get("carrier")) or "undecided", 40)
    yield one_line(as_text(verdict.get("cause")) or "undecided", 40)
    yield _short(numbers, original)
    yield _short(numbers, alternate)
    for part in ("base", "prompts", "teacher"):
        yield _short(numbers, read_estimate(effects.get(part)), signed=True)
    for edit in ("drop", "swap"):
        arm, control = trait_arm(edit, name), trait_arm(random_control(edit), name)
        yield _short(numbers, read_estimate(levels.get(arm)))
        yield _short(numbers, find_contrast(read_contrasts(verdict), arm, control), signed=True)
    half_way, why = read_half_way(verdict)
    yield _short(Format(2), half_way) if half_way else why if why == MISSING else f"none: {why}"


def _leaks(name: str, verdict: Mapping[str, Any]) -> Iterator[str]:
    """A line for every edit that was measured on the trait's ladder: what it leaves near to and far from the filter."""
    ladder = as_dict(verdict.get("leaks"))
    numbers = Format(2)
    for kind, leak in as_dict(ladder.get("edits")).items():
        found = as_dict(leak)
        near, far, index = (
            _short(numbers, value) if (value := read_estimate(found.get(key))) else "undefined"
            for key in ("left_near", "left_far", "index")
        )
        beginning = f"{one_line(name, 30)}, {one_line(str(kind), 14)}"
        word = one_line(as_text(found.get("verdict")) or "undecided", 24)
        yield f"ladder: {beginning}: {word}"
        yield f"  left near {near}, far {far}; leak index {index}"
    if ladder and not as_dict(ladder.get("edits")):
        why = one_line(as_text(ladder.get("why")) or "nothing was measured", 60)
        yield f"ladder: {one_line(name, 30)}: {why}"


def _short(numbers: Format, value: Estimate | None, signed: bool = False) -> str:
    text = numbers.value(value, signed).replace("\N{MINUS SIGN}", "-")
    return text.replace("interval unknown", "[unknown]")


def _warnings(verdicts: Mapping[str, Any]) -> list[Any]:
    return as_list(verdicts.get("warnings"))


def _counts(verdicts: Mapping[str, Any]) -> Iterator[str]:
    trained, reused = as_float(verdicts.get("students_trained")), as_float(verdicts.get("students_reused"))
    seconds = as_float(verdicts.get("wall_seconds"))
    parts = [
        f"{count:,.0f} students {what}"
        for count, what in ((trained, "trained"), (reused, "reused"))
        if count is not None
    ]
    if seconds is not None:
        parts.append(duration(seconds))
    if parts:
        yield ", ".join(parts)
