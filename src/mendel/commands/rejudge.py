"""Judge a finished run again: score its stored responses with another judge, and report what changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mendel.diagnose import Levels, TraitFacts, diagnose
from mendel.diagnose.recipes import of_recipe
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.measure import (
    RUNGS,
    ColumnJudge,
    Judge,
    Rubric,
    Trait,
    agreement,
    asked_of,
    judged_by,
    load_trait,
)
from mendel.results import tables
from mendel.results.basis import BASIS, Basis, BasisTrait, read_basis
from mendel.results.run import Run, open_run
from mendel.results.verdicts import write_verdicts
from mendel.study.cube import CORNERS
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.advice import AdviceBasis, trait_leaks
from mendel.workflow.batches import Batch
from mendel.workflow.extra_students import verdict_on
from mendel.workflow.judging import Judging
from mendel.workflow.known import Known
from mendel.workflow.session import Session
from mendel.workflow.write import leaks_json

if TYPE_CHECKING:
    import pyarrow as pa


KEPT = ("flagged", "recall", "ingredients", "alternate_shows")
"""Keys of a trait's verdict that say what the run's own judge saw in the rollouts."""


@dataclass(frozen=True)
class Rejudged:
    """The changes that another judge makes, by trait."""

    folder: Path
    """Holds `measurements.parquet` and `verdicts.json` under the new judge."""
    traits: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By trait: `judge`, `before` and `after` (levels, effects, carrier, cause), `responses`, `unjudged`,
    `agreement`, `changed`."""

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
        return {"folder": str(self.folder), "traits": self.traits}


def rejudge(
    folder: str | Path,
    judge: JudgeModelConfig | str,
    *,
    traits: Sequence[str] = (),
    endpoint: EndpointConfig | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> Rejudged:
    """Score a run's stored responses with another judge, and diagnose the run again.

    Nothing is generated or trained, and the flagged prompts stay the same. The result is written to
    `rejudged/<judge>/` in the run's folder.

    Args:
        folder: Folder of a run.
        judge: A model (`hf:…`, `openai:…`, `vllm:…`), which judges by the traits' rubrics, or a trait
            file, whose judge is used for the trait of that name.
        traits: Names of traits; empty: all traits with a rubric. Not used with a trait file.
        endpoint: Settings of the connection to `judge`, if it is an endpoint.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: one local worker process.
        budget: Limits of dollars, tokens and requests; None: no limits.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The new folder, and the changes by trait.

    Raises:
        InputError: The folder holds no run, a trait is unknown, or a trait has no rubric.
        BudgetSpent: The budget is spent. Judgements until then are in the store: the same command continues.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    run = open_run(folder)
    basis = read_basis(run.path)
    new = _new_traits(basis, judge, traits, endpoint)
    _check_complete(run, basis, new)
    measurements = run.measurements
    session = Session(store=store, executor=executor, budget=budget, batch=batch, progress=progress)
    with session:
        session.progress.stage("judging", len(new))
        for trait in new.values():
            for probe in (trait, *_rungs(trait, measurements).values()):
                measurements = _rescored(measurements, probe, session.judging)
            session.progress.step(1, trait.name)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", next(iter(new.values())).judge.id)
    out = run.path / "rejudged" / name
    tables.write_table(out / "measurements.parquet", measurements)
    after = _diagnosed(run, basis, new, measurements)
    write_verdicts(out, after)
    changes = {name: _change(run, after, trait, measurements) for name, trait in new.items()}
    return Rejudged(out, changes)


def _new_traits(
    basis: Basis,
    judge: JudgeModelConfig | str,
    wanted: Sequence[str],
    endpoint: EndpointConfig | None,
) -> dict[str, Trait]:
    """Return the traits to judge again, each with its new judge; the responses name the scenarios."""
    old = basis.traits
    if isinstance(judge, str) and judge.endswith((".yaml", ".yml")):
        trait = load_trait(judge)
        _check_known([trait.name], old, judge)
        judged = _judged(old[trait.name], trait.judge, trait.rubric, trait.acts)
        return {trait.name: replace(judged, ladder_judge=trait.ladder_judge)}
    judge_model = (
        judge
        if isinstance(judge, JudgeModelConfig)
        else JudgeModelConfig(model=judge, endpoint=endpoint or EndpointConfig())
    )
    _check_known(wanted, old, "--trait")
    chosen = list(wanted) or [name for name, trait in old.items() if trait.rubric is not None]
    if not chosen:
        raise InputError(
            "no trait of this run has a rubric that a model could judge by",
            where="--judge",
            fix="Give a trait file with another judge: --judge my_trait.yaml.",
        )
    traits = {}
    for name in chosen:
        content = old[name].rubric
        rubric = Rubric(**content) if content else None
        # A trait needs some judge until the model takes its place.
        bare = _judged(old[name], ColumnJudge("log_odds"), rubric, old[name].acts)
        traits[name] = judged_by(bare, judge_model, Path.cwd(), "--judge")
    return traits


def _check_complete(run: Run, basis: Basis, traits: Iterable[str]) -> None:
    """Raise InputError if a run's files lack what a new diagnosis needs."""
    for trait in traits:
        verdict_on(run, trait)
    if not basis.cube.keys() >= set(CORNERS):
        raise InputError(
            "the arms of the cube are missing", where=str(run.path / BASIS), fix="Run the study again."
        )


def _judged(before: BasisTrait, judge: Judge, rubric: Rubric | None, acts: str | None) -> Trait:
    metric: Literal["rate", "mean"] = "mean" if before.metric == "mean" else "rate"
    return Trait(before.name, before.scale, metric, (), judge, rubric=rubric, acts=acts)


def _check_known(names: Sequence[str], known: Mapping[str, Any], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"the run has no trait {unknown[0]!r}", where=where, allowed=", ".join(known))


def _rungs(trait: Trait, measurements: pa.Table) -> dict[str, Trait]:
    """Return the rungs of the trait's ladder that the run measured, each with the new judge."""
    bare = replace(trait, judge=trait.ladder_judge or trait.judge, ladder_judge=None)
    measured = set(measurements["trait"].unique().to_pylist())
    names = {rung: f"{trait.name}/{rung}" for rung in RUNGS}
    return {rung: replace(bare, name=name) for rung, name in names.items() if name in measured}


def _rescored(measurements: pa.Table, trait: Trait, judging: Judging) -> pa.Table:
    """Return the table with the trait's rows scored by its new judge, in the same order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    of_trait = pc.equal(measurements["trait"], trait.name)
    rows = measurements.filter(of_trait)
    responses = asked_of(rows, trait, scenarios_known=False)
    judgements = iter(judging.grade(trait, responses))
    columns: dict[str, list[Any]] = {
        name: measurements[name].to_pylist() for name in ("score", "hit", "judge", "quote", "note")
    }
    for position, is_of_trait in enumerate(of_trait.to_pylist()):
        if is_of_trait:
            judgement = next(judgements)
            score = judgement.score
            columns["score"][position] = score
            columns["hit"][position] = None if score is None else score >= trait.judge.hit_at
            columns["judge"][position] = trait.judge_id
            columns["quote"][position] = judgement.quote
            columns["note"][position] = judgement.note or None
    for name, values in columns.items():
        field_ = measurements.schema.field(name)
        place = measurements.column_names.index(name)
        measurements = measurements.set_column(place, field_, pa.array(values, field_.type))
    return measurements


def _diagnosed(run: Run, basis: Basis, new: Mapping[str, Trait], measurements: pa.Table) -> dict[str, Any]:
    """Return `verdicts.json` under the new judge; traits that were not judged again keep their verdicts."""
    advice, students = AdviceBasis.of_folder(basis), run.students
    facts, leaks = [], {}
    for name, trait in new.items():
        before = basis.traits[name]
        facts.append(
            TraitFacts(name, before.scale, trait.metric, trait.judge_id, before.flagged, trait.score_range)
        )
        leaks[name] = trait_leaks(
            trait, _rungs(trait, measurements), of_recipe(students), measurements, basis.cube
        )
    diagnosis = diagnose(
        students,
        measurements,
        facts,
        basis.cube,
        basis.shares,
        Levels(**{key: basis.levels[key] for key in ("looks", "hypotheses") if key in basis.levels}),
        lambda arm: basis.lacking.get(arm, ""),
        {name: advice.facts(leak) for name, leak in leaks.items()},
        Known.of_verdicts(run.traits).conditions,
    )
    verdicts = run.verdicts
    traits = dict(verdicts["traits"])
    for name in new:
        # What the run's own judge flagged and checked before the training stays as it was.
        kept = {key: verdicts["traits"][name][key] for key in KEPT if key in verdicts["traits"][name]}
        traits[name] = {**diagnosis.traits[name], **kept, **leaks_json(leaks[name])}
    judges = {name: trait.judge_id for name, trait in new.items()}
    return {**verdicts, "traits": traits, "judged_again": judges}


def _change(run: Run, after: Mapping[str, Any], trait: Trait, measurements: pa.Table) -> dict[str, Any]:
    """Return a trait's verdict before and after, and how far the two judges agree."""
    import pyarrow.compute as pc

    keys = ("present", "state", "original", "alternate", "effects", "carrier", "cause")
    old, new = run.verdicts["traits"][trait.name], after["traits"][trait.name]
    rows = measurements.filter(pc.equal(measurements["trait"], trait.name))
    before = run.measurements.filter(pc.equal(run.measurements["trait"], trait.name))
    return {
        "judge": {"before": before["judge"][0].as_py() if len(before) else None, "after": trait.judge_id},
        "before": {key: old.get(key) for key in keys},
        "after": {key: new[key] for key in keys},
        "responses": len(rows),
        "unjudged": rows["score"].null_count,
        "agreement": _agreement(before, rows, trait),
        "changed": [key for key in ("state", "carrier", "cause") if old.get(key) != new[key]],
    }


def _agreement(before: pa.Table, after: pa.Table, trait: Trait) -> dict[str, Any]:
    """Return Cohen's kappa of the two judges on hits, as numbers and as text."""
    old, new = before["hit"].to_pylist(), after["hit"].to_pylist()
    scores = [[None if hit is None else float(hit) for hit in hits] for hits in (old, new)]
    judges = agreement(scores[0], scores[1], after["cluster"].to_pylist(), 0.5)
    kappa = judges.hits
    interval = "" if kappa.low is None or kappa.high is None else f" [{kappa.low:.2f}, {kappa.high:.2f}]"
    value = f"kappa {kappa.estimate:.2f}{interval}" if kappa.estimate is not None else kappa.why
    share = "" if judges.agree is None else f", the same of {judges.agree:.0%}"
    return {"kappa": kappa.estimate, "low": kappa.low, "high": kappa.high, "says": f"{value}{share}"}
