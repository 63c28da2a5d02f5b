"""Counter-examples: a study's own, or half of a trait's scenarios; checked before any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mendel.data.prompts import Prompt
from mendel.engine.errors import InputError
from mendel.measure import Trait
from mendel.measure.splitting import same_text, split_by_cluster, why_not_split
from mendel.study import Study
from mendel.study.references import MODELS, parse_reference
from mendel.study.schema import AUTO

SOURCE = "counter-examples"
"""The prompts' source where the run makes them."""


@dataclass(frozen=True)
class CounterExamples:
    """The counter-examples of a study's traits, and the scenarios that are left to measure them."""

    prompts: Mapping[str, tuple[Prompt, ...]]
    """By trait; traits without counter-examples are left out."""
    traits: tuple[Trait, ...]
    """The study's traits, without the scenarios that became counter-examples."""
    lacking: Mapping[str, str]
    """Why a trait has none, by trait."""
    notes: tuple[str, ...]
    """What a reader must know of them, in sentences."""


def counter_examples(
    study: Study,
    traits: Sequence[Trait],
    taken: Sequence[Prompt],
    shared: Mapping[str, bool],
    load: Callable[[int, str], tuple[Prompt, ...]],
) -> CounterExamples:
    """Return the counter-examples of every trait: those that the study names, or half of the scenarios.

    Rows that are one of the trait's scenarios (also of its ladder) are left out and counted: students would
    be measured on what they were trained on.

    Args:
        study: The study.
        traits: Its traits, with all scenarios.
        taken: The prompts of both sets, whose ids are taken.
        shared: Whether base, prompts and teacher are the same in both pipelines.
        load: Loads the prompts that the trait of that number names.

    Raises:
        InputError: A counter-example has another prompt's id, or every one of a file is a scenario.
    """
    prompts: dict[str, tuple[Prompt, ...]] = {}
    lacking: dict[str, str] = {}
    left: list[Trait] = []
    notes: list[str] = []
    ids = {prompt.prompt_id for prompt in taken}
    for number, (trait, config) in enumerate(zip(traits, study.config.traits, strict=True)):
        where = study.lines.where("traits", number, "counter_examples")
        measured, why = trait, "the study says 'none'"
        rows: tuple[Prompt, ...] = ()
        if config.counter_examples == AUTO:
            why = _why_not(study, shared) or why_not_split(trait)
            if not why:
                measured, rows = _halves(trait)
        elif config.counter_examples is not None:
            rows = load(number, config.counter_examples)
        kept = _not_scenarios(rows, measured, where, notes)
        _own_ids(kept, ids, where)
        if kept:
            prompts[trait.name] = kept
        else:
            lacking[trait.name] = f"no counter-examples were made: {why}"
        if measured is not trait:
            notes.append(
                f"{trait.name}: {len(kept)} of its {len(trait.scenarios)} scenarios are counter-examples; "
                f"it is measured on the other {len(measured.scenarios)}"
            )
        left.append(measured)
    return CounterExamples(prompts, tuple(left), lacking, tuple(notes))


def _why_not(study: Study, shared: Mapping[str, bool]) -> str:
    """Return why no trait of the study needs counter-examples or can have them, '' if it can."""
    config = study.config
    teacher = config.teachers[config.alternate.teacher]
    if config.design == "effects":
        return "the design 'effects' tests no cause"
    if shared["base"] and shared["prompts"]:
        return "the pipelines share base and prompts, so that no cause is left which they tell apart"
    if parse_reference(teacher.model).scheme not in MODELS:
        return f"the alternate teacher is {teacher.model}, which answers no other prompts"
    return ""


def _halves(trait: Trait) -> tuple[Trait, tuple[Prompt, ...]]:
    measuring, others = split_by_cluster(trait.scenarios)
    rows = tuple(Prompt(f"counter/{trait.name}/{s.scenario}", s.messages, SOURCE) for s in others)
    return replace(trait, scenarios=measuring), rows


def _not_scenarios(rows: Sequence[Prompt], trait: Trait, where: str, notes: list[str]) -> tuple[Prompt, ...]:
    """Return the rows that are none of the trait's scenarios, and note how many are."""
    probes = {same_text(s.messages) for s in (*trait.scenarios, *trait.controls, *trait.ladder)}
    kept = tuple(row for row in rows if same_text(row.messages) not in probes)
    out = len(rows) - len(kept)
    if rows and not kept:
        raise InputError(
            "every counter-example is one of the trait's scenarios: "
            "students would be measured on what they were trained on",
            where=where,
            fix="Write other prompts of the same situation, or 'auto', which splits the scenarios.",
        )
    if out:
        notes.append(
            f"{trait.name}: {out} of {len(rows)} counter-examples are among the scenarios that measure it "
            "and are left out; students would be measured on what they were trained on"
        )
    return kept


def _own_ids(rows: Sequence[Prompt], taken: set[str], where: str) -> None:
    for row in rows:
        if row.prompt_id in taken:
            raise InputError(
                f"the counter-example {row.prompt_id!r} has the id of another prompt",
                where=where,
                fix="Give it an id of its own.",
            )
        taken.add(row.prompt_id)
