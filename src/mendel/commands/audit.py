"""An audit: how much of each trait a model shows, as it is, before anybody trains on its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.diagnose import TraitFacts, arm_levels
from mendel.engine.budget import Spent
from mendel.engine.errors import BudgetSpent, InputError, MendelError, Waiting
from mendel.engine.executors import LocalExecutor
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store, default_store, write_atomic
from mendel.measure import Trait, builtin_assistant, find_trait, judged_by
from mendel.models import ModelSource, resolve_model
from mendel.report import Shown
from mendel.results import tables
from mendel.study import Study, load_study
from mendel.study.references import parse_reference
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.jobs import ModelJob, Probes, copy_logs, read_measurement
from mendel.workflow.judging import Judging
from mendel.workflow.untrained import measured, open_endpoints

if TYPE_CHECKING:
    import pyarrow as pa

TRAITS = ("negative_emotion", "date_confusion", "blackmail")
"""What is audited where nobody says what: the three traits of the study."""
SEED = 0


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
    stopped: MendelError | None = None
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
    budget: BudgetConfig | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    batch_in: str | Path | None = None,
    batch_out: str | Path | None = None,
) -> Audit:
    """Measures the traits in a model (`teacher`: `hf:…`, `openai:…`, `vllm:…`) or in all teachers of a study.

    `traits` are names, trait files or `inspect:TASK` (default: the study's, else the three built-in ones); `judge` a
    model that judges by the traits' rubrics; `scenarios` at most so many of each trait, `samples` responses to each, of
    `max_tokens` tokens at most.
    `out` is a folder for `audit.json`, `measurements.parquet` and Inspect's logs. Raises InputError for wrong input; a
    budget that is spent, or a batch that is to be sent, ends the audit early: `Audit.stopped`.
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
        budget = budget or loaded.config.budget
    else:
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
    shelf = Store(Path(store) if store is not None else default_store()).prepare()
    found = Audit(notes=notes)
    with (
        LocalExecutor(1) as executor,
        open_endpoints(shelf, budget or BudgetConfig(), batch_in, batch_out) as endpoints,
    ):
        _measure(models, probes, Judging(shelf, executor, endpoints), progress or NullProgress(), found)
        found.spent = endpoints.budget.spent
    if out is not None:
        _write(Path(out), found, models, probes, shelf)
    return found


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
    models: Sequence[AuditedModel],
    probes: Sequence[Trait],
    judging: Judging,
    told: Progress,
    found: Audit,
) -> None:
    """One trait of one model after another, so that what is finished is there when a budget ends it."""
    assistant = builtin_assistant()
    told.stage("audit", len(models) * len(probes))
    for model in models:
        entry: dict[str, Any] = {"ref": model.source.ref, "traits": {}}
        found.models[model.name] = entry
        for trait in probes:
            job = ModelJob(
                model.source, model.system, Probes(trait.parts, assistant, SEED), judging.store.root
            )
            try:
                ((_, health),) = measured([job], judging.executor, judging)
            except (BudgetSpent, Waiting) as stopped:
                # A batch may hold the requests of all traits; a spent budget has no more to spend.
                found.stopped = stopped
                if isinstance(stopped, BudgetSpent):
                    return
                continue
            entry["assistant"] = asdict(health)
            entry["traits"][trait.name] = _trait_found(job, trait, judging.store, found)
            told.step(1, f"{model.name}: {trait.name}")


def _trait_found(job: ModelJob, trait: Trait, store: Store, found: Audit) -> dict[str, Any]:
    """The trait's level with what a reader has to know of it: the judge, the share of hits, loops, the controls."""
    import pyarrow as pa

    parts = [read_measurement(store, job.model, part, SEED) for part in trait.parts]
    read = [part for part in parts if part is not None]
    found.measurements = pa.concat_tables([*([found.measurements] if found.measurements else []), *read])
    table, responses = read[0], len(read[0])
    facts = TraitFacts(trait.name, trait.scale, trait.metric, trait.judge_id, score_range=trait.score_range)
    told: dict[str, Any] = {
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
        told["hits"] = {**_level(table, facts, "hit"), "at": trait.judge.hit_at}
    if trait.control is not None:
        control = TraitFacts(trait.control.name, trait.scale, trait.metric, trait.judge_id)
        told["control"] = _level(read[1], control, "hit")
    return told


def _level(table: pa.Table, facts: TraitFacts, value: Any) -> dict[str, Any]:
    rows = [{"student": table["student"][0].as_py(), "arm": "model", "status": "ok", "n_examples": 0}]
    levels = arm_levels(tables.table("students", rows), table, facts, value)
    if "model" not in levels:
        return {"estimate": None, "low": None, "high": None, "why": "no response could be judged"}
    return levels["model"].json()


def _write(
    folder: Path, found: Audit, models: Sequence[AuditedModel], probes: Sequence[Trait], store: Store
) -> None:
    """`audit.json`, `measurements.parquet`, and the logs of Inspect's tasks in `inspect/`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "audit.json", json.dumps(found.to_json(), ensure_ascii=False, indent=1) + "\n")
    if found.measurements is not None:
        tables.write_table(folder / "measurements.parquet", found.measurements)
    for model in models:
        for trait in probes:
            job = ModelJob(model.source, model.system, Probes(trait.parts, trait, SEED), store.root)
            copy_logs(store, job.model, trait, SEED, folder / "inspect" / f"{model.name}-{trait.name}")
