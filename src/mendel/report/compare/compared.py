"""Several runs side by side as values.

What differs between their studies, and what each found of the traits they share.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.text import one_line
from mendel.report.views.trait import TraitSection, trait_sections
from mendel.results.folder import RunFolder, read_folder
from mendel.results.interval import Format, Interval, fitting
from mendel.results.records import as_dict, as_list, as_text

DEEP = 6
"""Levels of a study file that are compared key by key; what lies deeper is compared as one value."""
UNSET = "not set"
_FIRST = (
    "recipe",
    "original",
    "alternate",
    "seeds",
    "judge of",
    "select",
    "interpolate",
    "traits",
    "teachers",
)

LEVELS: Mapping[str, str] = {
    "original": "original pipeline",
    "alternate": "alternate pipeline",
    "drop": "flagged dropped",
    "swap": "flagged swapped",
}
EFFECTS: Mapping[str, str] = {
    "base": "effect of the base",
    "prompts": "effect of the prompts",
    "teacher": "effect of the teacher",
}
BEYOND: Mapping[str, str] = {
    "drop_beyond_random": "dropped, beyond random",
    "swap_beyond_random": "swapped, beyond random",
}


@dataclass(frozen=True)
class ComparedRun:
    """One run: the name that it has in the comparison, its folder and its traits."""

    label: str
    path: Path
    folder: RunFolder
    traits: Mapping[str, TraitSection]

    @property
    def unfinished(self) -> str:
        """Why the run is no finished one; empty where it is."""
        if self.folder.missing:
            return "not finished, or part of its folder is missing: " + " ".join(self.folder.missing)
        return "it stopped before its end" if self.folder.verdicts.complete is False else ""


@dataclass(frozen=True)
class StudyDifference:
    """A key of the studies that has not the same value in all runs; values are by run, as text."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class RunTrait:
    """One run's verdict of a trait."""

    label: str
    """The run's name in the comparison."""
    trait: TraitSection

    @property
    def values(self) -> Mapping[str, Interval]:
        """Levels, effects and what the edits do beyond random ones, by their keys."""
        effects = {effect.name: effect.estimate for effect in self.trait.effects if not effect.shared}
        edits = {kind: self.trait.edit(kind) for kind in ("drop", "swap")}
        return {
            "original": self.trait.original,
            "alternate": self.trait.alternate,
            **{kind: row.level if row else Interval() for kind, row in edits.items()},
            **{part: effects.get(part, Interval()) for part in EFFECTS},
            **{
                f"{kind}_beyond_random": row.against_random if row else Interval()
                for kind, row in edits.items()
            },
        }

    @property
    def measured_by(self) -> tuple[bool, str, str]:
        """What numbers must have in common to stand on one axis: the kind, the scale and the judge."""
        return self.trait.is_rate, self.trait.scale, self.trait.judge

    @property
    def shared_parts(self) -> frozenset[str]:
        """Parts that both pipelines of the run have in common, so that they have no effect to measure."""
        return frozenset(effect.name for effect in self.trait.effects if effect.shared)


@dataclass(frozen=True)
class ComparedTrait:
    """A trait that two runs or more have."""

    name: str
    runs: tuple[RunTrait, ...]

    @property
    def numbers(self) -> Format:
        """One number of decimals for all runs."""
        return fitting(*(value for run in self.runs for value in run.values.values()))

    @property
    def panels(self) -> list[tuple[RunTrait, ...]]:
        """The runs in groups whose numbers can stand on one axis."""
        kinds = dict.fromkeys(run.measured_by for run in self.runs)
        return [tuple(run for run in self.runs if run.measured_by == kind) for kind in kinds]

    @property
    def why_not_comparable(self) -> str:
        """Why the runs' numbers cannot be held against one another; empty where they can."""
        kinds = [run.measured_by for run in self.runs]
        what = [
            word
            for i, word in ((1, "scales"), (2, "judges"))
            if len({kind[i] for kind in kinds}) > 1 or (i == 1 and len({kind[0] for kind in kinds}) > 1)
        ]
        return f"the runs have different {' and '.join(what)}" if what else ""

    @property
    def agreement(self) -> str:
        """Whether the runs name the same carrier, as a sentence."""
        carriers = Counter(run.trait.carrier for run in self.runs)
        if len(carriers) == 1:
            (carrier,) = carriers
            return f"All {len(self.runs)} runs say of the carrier: {carrier}."
        each = ", ".join(f"{run.trait.carrier} ({run.label})" for run in self.runs)
        return f"The runs differ in the carrier: {each}."


def read_runs(folders: Sequence[str | Path]) -> tuple[ComparedRun, ...]:
    """Read the runs; raise InputError for fewer than two, for one that is given twice, and for a folder
    without a run."""
    paths = [Path(folder) for folder in folders]
    if len(paths) < 2:
        raise InputError(
            "a comparison needs two runs or more",
            value=len(paths),
            fix="mendel compare runs/one runs/another",
        )
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise InputError("the same run is given twice", where=str(path), fix="Name each folder once.")
        seen.add(path.resolve())
    read = [read_folder(path) for path in paths]
    return tuple(
        ComparedRun(label, path, folder, {trait.name: trait for trait in trait_sections(folder, {})})
        for label, path, folder in zip(_labels(read), paths, read, strict=True)
    )


def _labels(folders: Sequence[RunFolder]) -> list[str]:
    """Return labels: the study's name where only one run has it, else with the folder's name, else the
    whole path."""
    names = [one_line(folder.name, 60) for folder in folders]
    counts = Counter(names)
    longer = [
        name
        if counts[name] == 1
        else folder.path.resolve().name
        if folder.path.resolve().name == name
        else f"{name} ({folder.path.resolve().name})"
        for name, folder in zip(names, folders, strict=True)
    ]
    labels = [one_line(label, 100) for label in longer]
    counts = Counter(labels)
    return [
        label if counts[label] == 1 else f"{label}, {one_line(str(folder.path), 1000)}"
        for label, folder in zip(labels, folders, strict=True)
    ]


def shared_traits(runs: Sequence[ComparedRun]) -> tuple[ComparedTrait, ...]:
    """Return the traits that two runs or more have, in the order of the runs.

    Raise InputError where there is none.
    """
    names = dict.fromkeys(name for run in runs for name in run.traits)
    traits = [
        ComparedTrait(
            name, tuple(RunTrait(run.label, run.traits[name]) for run in runs if name in run.traits)
        )
        for name in names
    ]
    shared = tuple(trait for trait in traits if len(trait.runs) > 1)
    if not shared:
        each = "; ".join(
            f"{run.label}: {', '.join(one_line(name, 60) for name in run.traits) or 'no verdict yet'}"
            for run in runs
        )
        raise InputError("the runs have no trait in common", value=each, fix="Compare runs of one trait.")
    return shared


def differences(runs: Sequence[ComparedRun]) -> tuple[StudyDifference, ...]:
    """Return the keys of the resolved studies, and the judges, that are not the same in all runs.

    The studies' names aside.
    """
    flat = [{**dict(_flat(run.folder.study)), **_judges(run, runs)} for run in runs]
    keys = dict.fromkeys(key for study in flat for key in study)
    rows = [
        StudyDifference(key, tuple(study.get(key, UNSET) for study in flat)) for key in keys if key != "name"
    ]
    # What a run was made of stands before how it was carried out; within that the order of the studies stays.
    rows.sort(
        key=lambda row: min((i for i, k in enumerate(_FIRST) if row.key.startswith(k)), default=len(_FIRST))
    )
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _judges(run: ComparedRun, runs: Sequence[ComparedRun]) -> dict[str, str]:
    """Return the judge of every trait that any of the runs has."""
    names = dict.fromkeys(name for other in runs for name in other.traits)
    return {
        f"judge of {one_line(name, 80)}": (run.traits[name].judge or "not said")
        if name in run.traits
        else "no such trait"
        for name in names
    }


def _flat(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield dotted keys and their values; entries of a list that have names go by them."""
    inner = as_dict(value) or _named(as_list(value))
    if inner and depth < DEEP:
        for name, content in inner.items():
            yield from _flat(content, f"{key}.{name}" if key else str(name), depth + 1)
        return
    if isinstance(value, float) and value.is_integer():
        # `epochs: 2` and `epochs: 2.0` are one value.
        value = int(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    yield one_line(key, 120), UNSET if value is None else one_line(text, 300)


def _named(items: Sequence[Any]) -> dict[str, Any]:
    """Return a list of traits or the like by name; empty unless each entry has a name of its own."""
    entries = [item if isinstance(item, dict) else {"name": item} for item in items]
    names = [Path(as_text(entry.get("name"))).stem for entry in entries]
    return dict(zip(names, entries, strict=True)) if all(names) and len(set(names)) == len(names) else {}


def warnings_of(runs: Sequence[ComparedRun], traits: Sequence[ComparedTrait]) -> Iterator[str]:
    """Yield what a reader must know before holding the numbers against one another."""
    for run in runs:
        if run.unfinished:
            yield f"{run.label}: {run.unfinished}"
    for trait in traits:
        if why := trait.why_not_comparable:
            yield f"{one_line(trait.name, 80)}: {why}, so that their numbers are not comparable."
    shared = {trait.name for trait in traits}
    for run in runs:
        for name in run.traits:
            if name not in shared:
                yield f"{one_line(name, 80)}: only in {run.label}, so that there is nothing to compare."


def estimate_json(value: Interval) -> dict[str, Any] | None:
    """Return an E without its reason; None where it was not measured."""
    if not value:
        return None
    return {"estimate": value.estimate, "low": value.low, "high": value.high}
