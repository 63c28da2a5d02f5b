"""An audit: how much of each trait a model shows, as it is, before anybody trains on its answers."""

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
from mendel.workflow.session import Session
from mendel.workflow.untrained import measure_models

if TYPE_CHECKING:
    import pyarrow as pa

TRAITS = ("negative_emotion", "date_confusion", "blackmail")
"""What is audited where nobody says what: the three traits of the study."""


@dataclass(frozen=True)
class AuditedModel:
    """A model to audit."""

    name: str
    source: ModelSource
    system: str | None = None


@dataclass
class Audit(Shown):
    """What an audit found; `measurements` holds every response with its score."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By model: `ref`, `traits` (by name: E and what stands beside it), `assistant`."""
    measurements: pa.Table | None = None
    notes: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    stopped: Stopped | None = None
    """What ended it early; what it found until then is here."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`: `traits` are those of the first model."""
        first: dict[str, Any] = next(iter(self.models.values()), {"traits": {}})
        return {
            "traits": first["traits"],
            "models": self.models,
            "notes": self.notes,
            "endpoints": asdict(self.spent),
            "complete": self.stopped is None,
        }

    def describe(self) -> str:
        """For people: the levels; `mendel audit` prints what stands beside them, too."""
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
    """Measure traits in a model, or in all teachers of a study, before anybody trains on its answers.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`: its teachers are audited. None: `teacher` is.
        teacher: A model: `hf:…`, `openai:…`, `vllm:…`.
        system: A system prompt for `teacher`.
        traits: Names, trait files or `inspect:TASK`; empty: the study's traits, else the three built-in ones.
        judge: A model that judges by the traits' rubrics; None: the traits' own judges.
        endpoint: How `teacher` is asked, where it is an endpoint.
        samples: Responses to each scenario; None: as the trait says.
        scenarios: At most so many of each trait; None: all.
        max_tokens: Tokens of a response at most; None: as the trait says.
        out: A folder for `audit.json`, `measurements.parquet` and Inspect's logs; None: nothing is written.
        store: The store's folder; None: the default one.
        executor: Where checkpoints are measured; None: one worker.
        budget: Limits of dollars, tokens and requests; None: the study's, else none.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Who is told how the audit stands; None: nobody.

    Returns:
        Each model's levels with their intervals, and what a reader has to know beside them.

    Raises:
        InputError: the input is wrong; nothing was done.
        BudgetSpent: the budget ended the audit; its `result` is the Audit as far as it came, which is written, too.
        Waiting: requests to endpoints are in the batch file; `result` as above.
    """
    if (study is None) == (teacher is None):
        raise InputError(
            "name a study or a teacher to audit, not both", fix="mendel audit --teacher hf:FOLDER"
        )
    named = JudgeModelConfig(model=judge) if isinstance(judge, str) else judge
    if study is not None:
        loaded = study if isinstance(study, Study) else load_study(study)
        models, notes = _teachers(loaded)
        probes = _study_traits(loaded, traits, named)
    else:
        loaded = None
        source = resolve_model(str(teacher), Path.cwd(), endpoint, "--teacher")
        models, notes = [AuditedModel("teacher", source, system)], []
        probes = tuple(
            judged_by(find_trait(n, Path.cwd(), "--trait"), named, Path.cwd(), "--judge")
            for n in traits or TRAITS
        )
    probes = tuple(
        trait.limited(scenarios).with_samples(samples, "--samples").with_max_tokens(max_tokens)
        for trait in probes
    )
    result = Audit(notes=notes)
    limits = budget or (loaded.config.budget if loaded else None)
    session = Session(store=store, executor=executor, budget=limits, batch=batch, progress=progress)
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
    """The teachers of the two pipelines, the original's first; a note on those who only left finished rollouts."""
    config = study.config
    models, notes = [], []
    for name in dict.fromkeys((config.original.teacher, config.alternate.teacher)):
        own = config.teachers[name]
        if not parse_reference(own.model).names_model:
            notes.append(f"{name}: {own.model} holds finished rollouts, so there is no model to ask")
            continue
        where = study.lines.where("teachers", name, "model")
        models.append(
            AuditedModel(name, resolve_model(own.model, study.root, own.endpoint, where), own.system)
        )
    if not models:
        raise InputError(
            "no teacher of the study is a model that could be asked", where=str(study.path), fix=notes[0]
        )
    return models, notes


def _study_traits(study: Study, names: Sequence[str], judge: JudgeModelConfig | None) -> tuple[Trait, ...]:
    """The study's traits under its judges; `names` choose among them, `judge` replaces the judges."""
    found: dict[str, Trait] = {}
    for number, own in enumerate(study.config.traits):
        trait = find_trait(own.name, study.root, study.lines.where("traits", number))
        trait = trait.with_samples(own.samples).with_max_tokens(own.max_tokens)
        chosen, must = judge or own.judge, (judge or own.judge) is not None
        trait = judged_by(
            trait, chosen or study.config.judge, study.root, study.lines.where("judge"), must=must
        )
        found[trait.name] = trait
    unknown = [name for name in names if name not in found]
    if unknown:
        raise InputError(
            f"the study has no trait {unknown[0]!r}", where=str(study.path), allowed=", ".join(found)
        )
    return tuple(found[name] for name in names or found)


def _measure(
    models: Sequence[AuditedModel], probes: Sequence[Trait], session: Session, result: Audit
) -> None:
    """Measure one trait of one model after another, so that what is finished is there when a budget ends it."""
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
                # A batch may hold the requests of all traits; a spent budget has no more to spend.
                result.stopped = stopped
                if isinstance(stopped, BudgetSpent):
                    return
                continue
            entry["assistant"] = asdict(health)
            entry["traits"][trait.name] = _trait_level(job, trait, result)
            session.progress.step(1, f"{model.name}: {trait.name}")


def _trait_level(job: ModelJob, trait: Trait, result: Audit) -> dict[str, Any]:
    """The trait's level with what a reader has to know of it: the judge, the share of hits, loops, the controls."""
    import pyarrow as pa

    parts = [job.measurements.scores(part) for part in trait.parts]
    scores = [part for part in parts if part is not None]
    before = [result.measurements] if result.measurements else []
    result.measurements = pa.concat_tables([*before, *scores])
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
    rows = [{"student": table["student"][0].as_py(), "arm": "model", "status": "ok", "n_examples": 0}]
    levels = arm_levels(tables.table("students", rows), table, facts, value)
    if "model" not in levels:
        return {"estimate": None, "low": None, "high": None, "why": "no response could be judged"}
    return levels["model"].json()


def _write(
    folder: Path, result: Audit, models: Sequence[AuditedModel], probes: Sequence[Trait], store: Store
) -> None:
    """`audit.json`, `measurements.parquet`, and the logs of Inspect's tasks in `inspect/`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "audit.json", json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")
    if result.measurements is not None:
        tables.write_table(folder / "measurements.parquet", result.measurements)
    for model in models:
        for trait in probes:
            job = ModelJob(model.source, model.system, Probes(trait.parts, trait), store.root)
            job.measurements.copy_logs(trait, folder / "inspect" / f"{model.name}-{trait.name}")
