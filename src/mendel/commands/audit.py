"""Audit models: measure how much of each trait a model shows, before students are trained on its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.diagnose import TraitFacts, arm_levels
from mendel.engine.budget import Spent
from mendel.engine.errors import BudgetSpent, InputError, Stopped, Waiting
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, write_atomic
from mendel.measure import Trait, builtin_assistant, find_trait, judged_by
from mendel.models import ModelSource, resolve_model
from mendel.report import Shown
from mendel.results import tables
from mendel.study import Study, load_study
from mendel.study.references import parse_reference
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.batches import Batch
from mendel.workflow.jobs import ModelJob, Probes
from mendel.workflow.session import Session, limits
from mendel.workflow.untrained import measure_models

if TYPE_CHECKING:
    import pyarrow as pa

TRAITS = ("negative_emotion", "date_confusion", "blackmail")
"""The traits that are audited by default."""


@dataclass(frozen=True)
class AuditedModel:
    """A model to audit."""

    name: str
    source: ModelSource
    system: str | None = None


@dataclass
class Audit(Shown):
    """The result of an audit."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By model: `ref`, `traits` (by name: the level with its interval, judge and counts), `assistant`."""
    measurements: pa.Table | None = None
    """Every response with its score."""
    notes: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    stopped: Stopped | None = None
    """What ended the audit early; the results until then are kept."""

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`; its `traits` are those of the first model."""
        first: dict[str, Any] = next(iter(self.models.values()), {"traits": {}})
        return {
            "traits": first["traits"],
            "models": self.models,
            "notes": self.notes,
            "endpoints": asdict(self.spent),
            "complete": self.stopped is None,
        }

    def describe(self) -> str:
        """Return the levels as text, with the judge and the counts of each."""
        from mendel.report import audit_text

        return audit_text(self.to_json())


def audit(
    study: Study | str | Path | None = None,
    *,
    teacher: str | None = None,
    system: str | None = None,
    traits: Sequence[str] = (),
    judge: JudgeModelConfig | str | None = None,
    endpoint: EndpointConfig | None = None,
    samples: int | None = None,
    scenarios: int | None = None,
    max_tokens: int | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Measure traits in a model, or in all teachers of a study, before students are trained on its answers.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`; its teachers are audited. None: name
            a `teacher`.
        teacher: A model to audit: `hf:…`, `openai:…`, `vllm:…`. None: name a `study`.
        system: A system prompt for `teacher`.
        traits: Names, trait files or `inspect:TASK`; empty: the study's traits or, without a study, `TRAITS`.
        judge: A model that judges by the traits' rubrics; None: each trait's own judge.
        endpoint: Settings of the connection to `teacher`, if it is an endpoint.
        samples: Number of responses to each scenario; None: as the trait says.
        scenarios: Greatest number of scenarios of each trait; None: all.
        max_tokens: Greatest length of a response, in tokens; None: as the trait says.
        out: A folder for `audit.json`, `measurements.parquet` and Inspect's logs; None: nothing is written.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: one local worker process.
        budget: Limits of dollars, tokens and requests; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        Each model's levels with their intervals, judges and counts.

    Raises:
        InputError: The input is wrong. Nothing was done.
        BudgetSpent: The budget is spent. The error's `result` is the unfinished Audit, which is written, too.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
            The error's `result` is the unfinished Audit.
    """
    if (study is None) == (teacher is None):
        raise InputError(
            "name a study or a teacher to audit, not both", fix="mendel audit --teacher hf:FOLDER"
        )
    judge_model = JudgeModelConfig(model=judge) if isinstance(judge, str) else judge
    if study is not None:
        loaded = study if isinstance(study, Study) else load_study(study)
        models, notes = _teachers(loaded)
        probes = _study_traits(loaded, traits, judge_model)
    else:
        loaded = None
        source = resolve_model(str(teacher), Path.cwd(), endpoint, "--teacher")
        models, notes = [AuditedModel("teacher", source, system)], []
        probes = tuple(
            judged_by(find_trait(name, Path.cwd(), "--trait"), judge_model, Path.cwd(), "--judge")
            for name in traits or TRAITS
        )
    probes = tuple(
        trait.limited(scenarios).with_samples(samples, "--samples").with_max_tokens(max_tokens)
        for trait in probes
    )
    result = Audit(notes=notes)
    # Not the study's session: an audit runs in one worker here, whatever the study's `engine`.
    session = Session(
        store=store, executor=executor, budget=limits(loaded, budget), batch=batch, progress=progress
    )
    with session:
        _measure(models, probes, session, result)
        result.spent = session.spent
    if out is not None:
        _write(Path(out), result, models, probes, session.store)
    if result.stopped is not None:
        result.stopped.result = result
        raise result.stopped
    return result


def _teachers(study: Study) -> tuple[list[AuditedModel], list[str]]:
    """Return the teachers of the two pipelines, original first, and a note for each that is no model."""
    config = study.config
    models, notes = [], []
    for name in dict.fromkeys((config.original.teacher, config.alternate.teacher)):
        teacher = config.teachers[name]
        if not parse_reference(teacher.model).names_model:
            notes.append(f"{name}: {teacher.model} holds finished rollouts, so there is no model to ask")
            continue
        where = study.lines.where("teachers", name, "model")
        source = resolve_model(teacher.model, study.root, teacher.endpoint, where)
        models.append(AuditedModel(name, source, teacher.system))
    if not models:
        raise InputError(
            "no teacher of the study is a model that could be asked", where=str(study.path), fix=notes[0]
        )
    return models, notes


def _study_traits(study: Study, names: Sequence[str], judge: JudgeModelConfig | None) -> tuple[Trait, ...]:
    """Return the study's traits with its judges, or with `judge`; empty `names` stand for all traits."""
    traits: dict[str, Trait] = {}
    for number, config in enumerate(study.config.traits):
        trait = find_trait(config.name, study.root, study.lines.where("traits", number))
        trait = trait.with_samples(config.samples).with_max_tokens(config.max_tokens)
        trait_judge = judge or config.judge
        trait = judged_by(
            trait,
            trait_judge or study.config.judge,
            study.root,
            study.lines.where("judge"),
            must=trait_judge is not None,
        )
        traits[trait.name] = trait
    unknown = [name for name in names if name not in traits]
    if unknown:
        raise InputError(
            f"the study has no trait {unknown[0]!r}", where=str(study.path), allowed=", ".join(traits)
        )
    return tuple(traits[name] for name in names or traits)


def _measure(
    models: Sequence[AuditedModel], probes: Sequence[Trait], session: Session, result: Audit
) -> None:
    """Measure trait by trait, and add each to `result`: a spent budget does not lose finished traits."""
    assistant = builtin_assistant()
    session.progress.stage("audit", len(models) * len(probes))
    for model in models:
        entry: dict[str, Any] = {"ref": model.source.ref, "traits": {}}
        result.models[model.name] = entry
        for trait in probes:
            job = ModelJob(model.source, model.system, Probes(trait.parts, assistant), session.store.root)
            try:
                ((_, health),) = measure_models(session, [job])
            except (BudgetSpent, Waiting) as stopped:
                # After Waiting, the requests of the other traits are added to the same batch.
                result.stopped = stopped
                if isinstance(stopped, BudgetSpent):
                    return
                continue
            entry["assistant"] = asdict(health)
            entry["traits"][trait.name] = _trait_level(job, trait, result)
            session.progress.step(1, f"{model.name}: {trait.name}")


def _trait_level(job: ModelJob, trait: Trait, result: Audit) -> dict[str, Any]:
    """Return the trait's level with its judge, its counts and the level of its control."""
    import pyarrow as pa

    stored = [job.measurements.scores(part) for part in trait.parts]
    scores = [table for table in stored if table is not None]
    before = [result.measurements] if result.measurements else []
    result.measurements = pa.concat_tables([*before, *scores])
    # The first part is the trait itself, the second its control.
    table, responses = scores[0], len(scores[0])
    facts = TraitFacts(trait.name, trait.scale, trait.metric, trait.judge_id, score_range=trait.score_range)
    level: dict[str, Any] = {
        **_level(table, facts, None),
        "scale": trait.scale,
        "metric": trait.metric,
        "judge": trait.judge_id,
        "responses": responses,
        "unjudged": table["score"].null_count,
        "looping": sum(bool(loops) for loops in table["looping"].to_pylist()),
        "cut": table["finish_reason"].to_pylist().count("length"),
        "empty": sum(not text.strip() for text in table["response"].to_pylist()),
    }
    if trait.metric == "mean":
        level["hits"] = {**_level(table, facts, "hit"), "at": trait.judge.hit_at}
    if trait.control is not None:
        control = TraitFacts(trait.control.name, trait.scale, trait.metric, trait.judge_id)
        level["control"] = _level(scores[1], control, "hit")
    return level


def _level(table: pa.Table, facts: TraitFacts, value: Any) -> dict[str, Any]:
    """Return the level of one model with its interval; null with the reason where no response has a score."""
    rows = [{"student": table["student"][0].as_py(), "arm": "model", "status": "ok", "n_examples": 0}]
    levels = arm_levels(tables.table("students", rows), table, facts, value)
    if "model" not in levels:
        return {"estimate": None, "low": None, "high": None, "why": "no response could be judged"}
    return levels["model"].json()


def _write(
    folder: Path, result: Audit, models: Sequence[AuditedModel], probes: Sequence[Trait], store: Store
) -> None:
    """Write `audit.json`, `measurements.parquet`, and the logs of Inspect's tasks to `inspect/`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "audit.json", json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")
    if result.measurements is not None:
        tables.write_table(folder / "measurements.parquet", result.measurements)
    for model in models:
        for trait in probes:
            job = ModelJob(model.source, model.system, Probes(trait.parts, trait), store.root)
            job.measurements.copy_logs(trait, folder / "inspect" / f"{model.name}-{trait.name}")
