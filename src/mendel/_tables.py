"""The tables of a run's folder, gathered from what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.data.rollouts import Rollout
from mendel.diagnose.design import Arm, Design
from mendel.engine import tables
from mendel.engine.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel._jobs import StudentResult
    from mendel.measure import Health, Trait


@dataclass(frozen=True)
class MeasuredModel:
    """A base or a teacher as a row of `students`: measured, not trained."""

    arm: str
    model: str
    base: str
    health: Health


@dataclass(frozen=True)
class PlacedStudent:
    """A student's result and the arm and seed that it stands for."""

    arm: Arm
    seed: int
    base: str
    result: StudentResult


def name_students(
    models: Sequence[MeasuredModel], students: Sequence[PlacedStudent]
) -> list[tuple[str, str, MeasuredModel | PlacedStudent]]:
    """(name in the tables, name in the store, what it is); a student that serves two arms stands in both."""
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
    """The table `students`: bases and teachers first, with n_examples 0, then the students by seed and arm."""
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
    store: Store,
    named: Iterable[tuple[str, str, MeasuredModel | PlacedStudent]],
    probes: Sequence[Trait],
    seed: int,
) -> pa.Table:
    """The table `measurements`: every response that any student gave, with its score."""
    import pyarrow as pa

    from mendel._jobs import read_measurement

    schema = tables.schema("measurements")
    parts = [schema.empty_table()]
    for name, key, _ in named:
        for probe in probes:
            part = read_measurement(store, key, probe, seed)
            if part is not None:
                column = pa.array([name] * len(part), pa.string())
                part = part.set_column(part.column_names.index("student"), "student", column)
                parts.append(part.select(schema.names).cast(schema))
    return pa.concat_tables(parts)


def rollouts_table(rollouts: Mapping[tuple[str, str], Rollout]) -> pa.Table:
    """The table `rollouts`, by teacher and prompt."""
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
    """The table `assignments` of the arms that have students; `seed` is null where all seeds share one."""
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
