"""The tables of a run's folder, made from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.data.rollouts import Rollout
from mendel.design.catalogue import Arm, Design
from mendel.diagnose import TraitFacts
from mendel.engine.store import Store
from mendel.results import tables
from mendel.workflow.measurements import Measurements

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.measure import Health, Trait
    from mendel.workflow.inputs import Inputs
    from mendel.workflow.jobs import StudentResult


@dataclass(frozen=True)
class _Read:
    """A cache of measurements, which never change: every look at a run's effects needs all of them."""

    parts: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By the trait's digest."""


@dataclass(frozen=True)
class MeasuredModel(_Read):
    """A base or a teacher, which is measured and not trained, as a row of `students`."""

    arm: str
    model: str
    base: str
    health: Health


@dataclass(frozen=True)
class PlacedStudent(_Read):
    """A student's result, with the arm and seed that the student stands for."""

    arm: Arm
    seed: int
    base: str
    result: StudentResult


def name_students(
    models: Sequence[MeasuredModel], students: Sequence[PlacedStudent]
) -> list[tuple[str, str, MeasuredModel | PlacedStudent]]:
    """Return the name in the tables, the key in the store, and the model or student, for each of them.

    A student that two arms share has an entry for each.
    """
    named: list[tuple[str, str, MeasuredModel | PlacedStudent]] = []
    taken: set[str] = set()
    everything: list[MeasuredModel | PlacedStudent] = [*models, *students]
    for item in everything:
        key = item.model if isinstance(item, MeasuredModel) else item.result.trained.student
        arm = item.arm if isinstance(item, MeasuredModel) else item.arm.name
        name = key[:12] if key[:12] not in taken else f"{key[:12]}@{arm}"
        taken.add(name)
        named.append((name, key, item))
    return named


def students_table(named: Iterable[tuple[str, str, MeasuredModel | PlacedStudent]]) -> pa.Table:
    """Return the table `students`, in the order of `named`; models that are not trained have n_examples 0."""
    return tables.table("students", [_student_row(*entry) for entry in named])


def _student_row(name: str, key: str, item: MeasuredModel | PlacedStudent) -> dict[str, Any]:
    if isinstance(item, MeasuredModel):
        return {
            "student": name,
            "arm": item.arm,
            "base": item.base,
            "n_examples": 0,
            "tokens": 0,
            "train_seconds": 0.0,
            "status": "ok",
            "reason": "",
            "assistant_right": item.health.right,
            "digest": key,
        }
    trained, result = item.result.trained, item.result
    return {
        "student": name,
        "arm": item.arm.name,
        "base": item.base,
        "seed": item.seed,
        "n_examples": trained.n_examples,
        "tokens": trained.tokens,
        "train_seconds": trained.train_seconds,
        "train_loss": trained.train_loss,
        "status": result.status,
        "reason": result.reason,
        "trained_tokens": trained.trained_tokens,
        "first_loss": trained.first_loss,
        "steps": trained.steps,
        "n_cut": trained.n_cut,
        "weight_change": trained.weight_change,
        "bound_adapters": trained.bound_adapters,
        "template": trained.template_digest,
        "assistant_right": result.health.right if result.health else None,
        "digest": key,
    }


def measurements_table(
    store: Store, named: Iterable[tuple[str, str, MeasuredModel | PlacedStudent]], probes: Sequence[Trait]
) -> pa.Table:
    """Return the table `measurements`: every response of every model and student, with its score."""
    import numpy as np
    import pyarrow as pa

    schema = tables.schema("measurements")
    names: list[str] = []
    parts = [schema.empty_table()]
    for name, key, item in named:
        for probe in probes:
            part = _part(item, Measurements(store, key), probe)
            if part is not None:
                names.append(name)
                parts.append(part)
    whole = pa.concat_tables(parts)
    rows = np.repeat(np.arange(len(names)), [len(part) for part in parts[1:]])
    students = pa.array(names, pa.string()).take(pa.array(rows, pa.int64()))
    return whole.set_column(schema.get_field_index("student"), schema.field("student"), students)


def _part(item: MeasuredModel | PlacedStudent, measurements: Measurements, probe: Trait) -> pa.Table | None:
    """Return the measurements of a model or student on a trait; None if the store does not have them yet."""
    if probe.digest not in item.parts:
        scores = measurements.scores(probe)
        if scores is None:
            return None
        schema = tables.schema("measurements")
        item.parts[probe.digest] = scores.select(schema.names).cast(schema)
    return item.parts[probe.digest]


def rollouts_table(rollouts: Mapping[tuple[str, str], Rollout]) -> pa.Table:
    """Return the table `rollouts`, with a row for each prompt and teacher."""
    rows = [
        {
            "prompt_id": rollout.prompt_id,
            "teacher": rollout.teacher,
            "messages": [dict(message) for message in rollout.messages],
            "completion": rollout.completion,
            "finish_reason": rollout.finish_reason,
            "tokens": rollout.tokens,
        }
        for rollout in rollouts.values()
    ]
    return tables.table("rollouts", rows)


def assignments_table(design: Design, arms: set[str]) -> pa.Table:
    """Return the table `assignments` of `arms`; `seed` is null where all seeds share one assignment."""
    rows: list[dict[str, Any]] = []
    for arm in design:
        if arm.name not in arms:
            continue
        pairs: list[tuple[int | None, Any]] = (
            list(zip(arm.seeds, arm.assignments, strict=True)) if arm.random else [(None, arm.assignments[0])]
        )
        for seed, assignment in pairs:
            rows += [
                {"arm": arm.name, "prompt_id": prompt_id, "teacher": teacher, "seed": seed}
                for prompt_id, teacher in assignment.pairs
            ]
    return tables.table("assignments", rows)


def measured_tables(
    store: Store, inputs: Inputs, models: Sequence[MeasuredModel], students: Sequence[PlacedStudent]
) -> tuple[pa.Table, pa.Table]:
    """Return the tables `students` and `measurements` of these models and students."""
    named = name_students(models, students)
    probes = (*inputs.probes, inputs.assistant)
    return students_table(named), measurements_table(store, named, probes)


def trait_facts(traits: Iterable[Trait]) -> list[TraitFacts]:
    """Return what the statistics need to know of each trait."""
    return [TraitFacts(t.name, t.scale, t.metric, t.judge_id, score_range=t.score_range) for t in traits]
