"""Write a run's folder: tables, verdicts, basis file and report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mendel._version import versions
from mendel.data.rollouts import Rollout
from mendel.data.selectors import Flagged
from mendel.design.words import arm_words
from mendel.diagnose import Catalogue, Design, Leaks, TraitFacts, arm_levels, diagnose
from mendel.diagnose.recipes import of_recipe
from mendel.engine.budget import Spent
from mendel.engine.store import write_atomic
from mendel.measure import Trait
from mendel.report import write_report
from mendel.results import tables
from mendel.results.basis import Remembered, write_basis
from mendel.results.records import record_json
from mendel.results.verdicts import write_verdicts
from mendel.workflow.advice import AdviceBasis, trait_leaks
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores
from mendel.workflow.known import Known
from mendel.workflow.measurements import Measurements
from mendel.workflow.plugins import plugins_of
from mendel.workflow.rounds import Outcome, mix_shares, significance_levels
from mendel.workflow.session import Session
from mendel.workflow.strata import PlacedRollout, strata_table
from mendel.workflow.students import faults
from mendel.workflow.tables import (
    assignments_table,
    measured_tables,
    name_students,
    rollouts_table,
    trait_facts,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Finished:
    """Everything that a run's folder is written from."""

    inputs: Inputs
    catalogue: Catalogue
    design: Design
    flagged: Mapping[str, Flagged]
    rollouts: Mapping[tuple[str, str], Rollout]
    scores: Mapping[str, RolloutScores]
    outcome: Outcome
    spent: Spent
    strata: Mapping[str, Sequence[PlacedRollout]]
    """The original teacher's rollouts with their strata, by trait."""
    known: Known
    """What is known beside the contrasts."""
    earlier_looks: int = 0
    """How often verdicts of this run were reached before, with other seeds."""


def write_run(folder: Path, finished: Finished, session: Session) -> Mapping[str, Mapping[str, Any]]:
    """Write the folder of a run that is finished or ended early, and return the verdicts by trait."""
    inputs, design, outcome = finished.inputs, finished.design, finished.outcome
    students, measurements = measured_tables(session.store, inputs, outcome.models, outcome.students)
    with_students = {student.arm.name for student in outcome.students}
    tables.write_table(folder / "students.parquet", students)
    tables.write_table(folder / "measurements.parquet", measurements)
    tables.write_table(folder / "rollouts.parquet", rollouts_table(finished.rollouts))
    tables.write_table(folder / "assignments.parquet", assignments_table(design, with_students))
    tables.write_table(folder / "strata.parquet", strata_table(finished.strata))
    config = inputs.study.config
    write_atomic(folder / "study.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    _copy_logs(folder, finished, session)
    lacking = Remembered(finished.catalogue.lacking)
    facts, shares, levels = (
        trait_facts(inputs.traits),
        mix_shares(design),
        significance_levels(finished.catalogue, finished.earlier_looks),
    )
    advice = AdviceBasis.of_run(inputs, design, students, measurements)
    leaks = {
        trait.name: trait_leaks(trait, _rungs(trait, inputs), of_recipe(students), measurements, design.cube)
        for trait in inputs.traits
    }
    remedy_facts = {name: advice.facts(leak) for name, leak in leaks.items()}
    known = finished.known
    diagnosis = diagnose(
        students, measurements, facts, design.cube, shares, levels, lacking, remedy_facts, known.conditions
    )
    ingredients = {name: known.of(name, effects) for name, effects in diagnosis.effects.items()}
    write_basis(
        folder, inputs.traits, facts, design.cube, shares, levels, lacking, advice, finished.earlier_looks
    )
    traits = {
        trait.name: {
            **diagnosis.traits[trait.name],
            "flagged": _flagged(trait, finished),
            "recall": record_json(known.recalls[trait.name]),
            **_control(trait, finished, students, measurements),
            **leaks_json(leaks[trait.name]),
            **ingredients[trait.name].json(),
        }
        for trait in inputs.traits
    }
    verdicts = {
        **_counts(finished, session),
        "warnings": [
            *outcome.warnings,
            *_price_unknown(finished.spent),
            *faults(outcome.students),
            *(text for checked in ingredients.values() for text in checked.warnings),
            *diagnosis.warnings,
        ],
        "traits": traits,
        "cube": dict(design.cube),
        "arms": arm_words(dict.fromkeys(students["arm"].to_pylist()), design.cube),
        "complete": outcome.stopped is None,
        "endpoints": asdict(finished.spent),
        "versions": versions(),
        "plugins": plugins_of(inputs, {arm.kind for arm in design}, own_executor=session.own_executor),
    }
    write_verdicts(folder, verdicts)
    write_report(folder)
    return traits


def _counts(finished: Finished, session: Session) -> dict[str, Any]:
    """Return the first keys of verdicts.json: study, number of students, time and cost."""
    students = {student.result.trained.student for student in finished.outcome.students}
    new = {student.result.trained.student for student in finished.outcome.students if student.result.new}
    return {
        "schema": 1,
        "study": finished.inputs.study.name,
        "students_trained": len(new),
        "students_reused": len(students - new),
        "wall_seconds": round(time.monotonic() - session.began, 3),
        "dollars": finished.spent.dollars or 0.0,
    }


def leaks_json(leaks: Leaks | None) -> dict[str, Any]:
    """Return the key `leaks` of a trait's verdict; nothing for a trait without a ladder."""
    return {} if leaks is None else {"leaks": leaks.json()}


def _rungs(trait: Trait, inputs: Inputs) -> Mapping[str, Trait]:
    return trait.rungs if inputs.study.config.ladder else {}


def _copy_logs(folder: Path, finished: Finished, session: Session) -> None:
    """Copy the logs of Inspect's tasks to `inspect/<student>-<trait>/`, where Inspect View can open them."""
    tasks = [trait for trait in finished.inputs.probes if trait.inspect is not None]
    for name, key, _ in name_students(finished.outcome.models, finished.outcome.students):
        for trait in tasks:
            place = folder / "inspect" / f"{name}-{trait.name}".replace("/", "-")
            Measurements(session.store, key).copy_logs(trait, place)


def _control(
    trait: Trait, finished: Finished, students: pa.Table, measurements: pa.Table
) -> dict[str, dict[str, Any]]:
    """Return the key `control` of a trait's verdict: the rate of hits on its control in the two pipelines.

    In a control, the trait's behaviour is the right answer: a model that never shows the behaviour fails.
    """
    if trait.control is None:
        return {}
    facts = TraitFacts(trait.control.name, trait.scale, judge=trait.control.judge_id)
    levels = arm_levels(students, measurements, facts, "hit")
    cube = finished.design.cube
    corners = {"original": cube["OOO"], "alternate": cube["AAA"]}
    return {"control": {side: levels[arm].json() for side, arm in corners.items() if arm in levels}}


def _flagged(trait: Trait, finished: Finished) -> dict[str, Any]:
    """Return the key `flagged` of a trait's verdict: the number of flagged prompts, and their selector.

    `alternate_shows` is the share of them on which the alternate teacher shows the trait, too; null without
    any.
    """
    inputs, flagged = finished.inputs, finished.flagged.get(trait.name)
    prompts = flagged.prompt_ids if flagged else ()
    teacher = inputs.study.config.alternate.teacher
    hit_at = inputs.flags(trait).judge.hit_at
    scores = [finished.scores[trait.name].of(finished.rollouts[prompt, teacher]) for prompt in prompts]
    shown = sum(score is not None and score >= hit_at for score in scores)
    return {
        "selector": flagged.description if flagged else "none",
        "count": len(prompts),
        "of": len(inputs.prompts["original"]),
        "alternate_shows": shown / len(prompts) if prompts else None,
    }


def _price_unknown(spent: Spent) -> list[str]:
    """Return a warning if an endpoint has no price."""
    if spent.dollars is not None:
        return []
    return ["dollars: an endpoint's price is not known, so what it took is not counted; write endpoint.price"]
