"""`mendel compare`: several runs (recipes, bases, studies) on one page, in the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic
from mendel.engine.text import one_line
from mendel.report.compare.compared import (
    BEYOND,
    EFFECTS,
    LEVELS,
    ComparedRun,
    ComparedTrait,
    RunTrait,
    StudyDifference,
    differences,
    estimate_json,
    read_runs,
    shared_traits,
    warnings_of,
)
from mendel.report.figures import Figure, describe, safe_names
from mendel.report.figures.specs import PAGE_THEME, PAPER_THEME, Axis, FigurePanel, FigureRow, panels
from mendel.report.page.document import asset, environment, markup, policy
from mendel.results.interval import MISSING, Format
from mendel.results.notebook import Shown

PAGE = "compare.html"
_PACKAGE = "mendel.report.compare"
_COLUMNS = 3
_WIDTH = 26
_KEYS = 30
"""Keys of the studies that the terminal shows."""


@dataclass(frozen=True)
class Comparison(Shown):
    """Several runs side by side."""

    runs: tuple[ComparedRun, ...]
    differs: tuple[StudyDifference, ...]
    """Keys of the studies that are not the same in all runs."""
    traits: tuple[ComparedTrait, ...]
    """Those that two runs or more have."""
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Comparison({', '.join(run.label for run in self.runs)})"

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints; values by the runs' labels, null where something was not measured."""
        labels = [run.label for run in self.runs]
        return {
            "runs": [
                {
                    "label": run.label,
                    "path": str(run.path),
                    "study": run.folder.name,
                    "unfinished": run.unfinished,
                }
                for run in self.runs
            ],
            "differs": [
                {"key": row.key, "values": dict(zip(labels, row.values, strict=True))} for row in self.differs
            ],
            "traits": {trait.name: _trait_json(trait) for trait in self.traits},
            "warnings": list(self.warnings),
        }

    def describe(self) -> str:
        """Return the comparison as lines of at most 100 columns, but for long values of a study."""
        return "\n".join(_lines(self))

    def figures(self) -> Mapping[str, Figure]:
        """Return the figures by name, in light colours on white; one for each axis that numbers can share."""
        stems = safe_names(trait.name for trait in self.traits)
        drawn = (
            figure
            for trait, stem in zip(self.traits, stems, strict=True)
            for panel in _drawn(trait, stem, PAPER_THEME)
            for figure in panel.figures
        )
        return {figure.name: figure for figure in drawn}

    def html(self) -> str:
        """Return the page: one document that runs nothing and fetches nothing."""
        style = asset("page.css") + asset("compare.css", _PACKAGE)
        return (
            environment(_PACKAGE)
            .get_template("compare.html.j2")
            .render(
                style=markup(style),
                policy=policy(style),
                comparison=self,
                traits=[
                    (f"trait-{i}", trait, list(_drawn(trait, f"trait-{i}", PAGE_THEME)))
                    for i, trait in enumerate(self.traits, 1)
                ],
                rows=[("levels", LEVELS, False), ("effects", EFFECTS, True), ("edits", BEYOND, True)],
                half_way=Format(2),
            )
        )

    def write(self, path: str | Path = PAGE) -> Path:
        """Write the page atomically and return its path; raise InputError where it cannot be a file."""
        target = Path(path)
        if target.is_dir():
            raise InputError(
                "a folder, where the page is to be written", where=str(target), fix="Name a file."
            )
        write_atomic(target, self.html())
        return target


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Compare two runs or more: what differs between their studies, and what each says of shared traits.

    Args:
        folders: The runs' folders. Half-finished runs are taken as far as they have come, with a warning.

    Returns:
        The comparison.

    Raises:
        InputError: Fewer than two folders, one given twice, one without a run, or runs without a common
        trait.
    """
    runs = read_runs([folders] if isinstance(folders, str | Path) else folders)
    traits = shared_traits(runs)
    return Comparison(runs, differences(runs), traits, tuple(warnings_of(runs, traits)))


@dataclass(frozen=True)
class DrawnPanel:
    """Figures of runs whose numbers can share an axis, and what these numbers are."""

    runs: tuple[str, ...]
    scale: str
    judge: str
    figures: tuple[Figure, ...]


def _drawn(trait: ComparedTrait, stem: str, theme: Mapping[str, str]) -> Iterator[DrawnPanel]:
    groups = trait.panels
    for i, group in enumerate(groups, 1):
        name = stem if len(groups) == 1 else f"{stem}-{i}"
        _, scale, judge = group[0].measured_by
        figures = tuple(_figures(trait, group, name, theme))
        yield DrawnPanel(tuple(run.label for run in group), scale, judge, figures)


def _figures(
    trait: ComparedTrait, group: Sequence[RunTrait], name: str, theme: Mapping[str, str]
) -> Iterator[Figure]:
    unit = "share of responses" if group[0].trait.is_rate else "mean score"
    kinds = (
        ("levels", LEVELS, Axis(unit, domain=group[0].trait.domain)),
        ("effects", EFFECTS, Axis(f"effect on the {unit}", signed=True)),
    )
    for kind, words, axis in kinds:
        rows = [
            FigurePanel(
                label, tuple(FigureRow(run.label, value) for run in group if (value := run.values[key]))
            )
            for key, label in words.items()
        ]
        spec = panels(rows, [run.label for run in group], axis, theme)
        if spec is None:
            continue
        values = [(f"{panel.label}, {row.label}", row.estimate) for panel in rows for row in panel.rows]
        label = describe(f"{kind.capitalize()} by run, with 95 % intervals.", values, trait.numbers)
        yield Figure(f"{name}-{kind}", label, spec)


def _trait_json(trait: ComparedTrait) -> dict[str, Any]:
    return {
        "comparable": not trait.why_not_comparable,
        "why": trait.why_not_comparable,
        "runs": {
            run.label: {
                "state": run.trait.state,
                "carrier": run.trait.carrier,
                "cause": run.trait.cause,
                "scale": run.trait.scale,
                "judge": run.trait.judge,
                "shared": sorted(run.shared_parts),
                **{key: estimate_json(value) for key, value in run.values.items()},
                "half_way": estimate_json(run.trait.half_way),
            }
            for run in trait.runs
        },
    }


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"{len(comparison.runs)} runs"
    for run in comparison.runs:
        yield f"  {run.label}: {one_line(str(run.path), 300)}"
    yield (
        "What differs between the studies, in this order"
        if comparison.differs
        else "The studies do not differ."
    )
    for row in comparison.differs[:_KEYS]:
        yield f"  {row.key}: {' | '.join(row.values)}"
    if len(comparison.differs) > _KEYS:
        yield f"  … and {len(comparison.differs) - _KEYS} more keys, on the page and in --json"
    for trait in comparison.traits:
        yield ""
        yield f"{one_line(trait.name, 80)}: {trait.agreement}"
        for i in range(0, len(trait.runs), _COLUMNS):
            yield from _block(trait, trait.runs[i : i + _COLUMNS])
    if comparison.warnings:
        yield ""
    yield from (f"warning: {warning}" for warning in comparison.warnings)


def _block(trait: ComparedTrait, some: Sequence[RunTrait]) -> Iterator[str]:
    """Up to three runs as columns."""

    def row(label: str, cells: Sequence[str]) -> str:
        return (f"  {label:<24}" + "".join(f"{cell:<{_WIDTH}}" for cell in cells)).rstrip()

    yield row("", [_cut(run.label) for run in some])
    yield row("state", [run.trait.state for run in some])
    yield row("carrier", [_cut(run.trait.carrier) for run in some])
    yield row("cause", [_cut(run.trait.cause) for run in some])
    for key, label in {**LEVELS, **EFFECTS, **BEYOND}.items():
        signed = key not in LEVELS
        yield row(
            label,
            [
                "shared by the pipelines"
                if key in run.shared_parts
                else trait.numbers.value(run.values[key], signed).replace("\N{MINUS SIGN}", "-")
                for run in some
            ],
        )
    halves = [run.trait.half_way for run in some]
    yield row("half-way share", [Format(2).value(half) if half else MISSING for half in halves])


def _cut(text: str) -> str:
    line = one_line(text, 300)
    return line if len(line) < _WIDTH else line[: _WIDTH - 3] + "…"
