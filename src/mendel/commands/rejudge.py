"""Another judge for a finished run: its stored responses are scored again, and what that changes is said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.diagnose import Levels, TraitFacts, diagnose
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.engine.store import write_atomic
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
from mendel.results.run import Run, open_run
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.basis import BASIS
from mendel.workflow.batches import Batch
from mendel.workflow.judging import Judging
from mendel.workflow.session import Session
from mendel.workflow.write import leaks as ladder_leaks

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rejudged:
    """What another judge changes, by trait; `folder` holds its `measurements.parquet` and `verdicts.json`."""

    folder: Path
    traits: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By trait: `judge` and `before`, `after`, each with original, alternate, effects, carrier, cause; `unjudged`."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
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
    """Scores a run's stored responses with another judge and diagnoses again; nothing is generated or trained.

    `judge` is a model (`hf:…`, `openai:…`, `vllm:…`), which judges by the traits' own rubrics, or a trait file, whose
    judge is taken for the trait of that name. Which prompts were flagged stays as it was. Raises InputError for a folder
    without a run, for a trait without rubric, and for an unknown one; BudgetSpent and Waiting as endpoints do: what was
    judged until then is kept.
    """
    run = open_run(folder)
    basis = _basis(run)
    new = _new_traits(basis, judge, traits, endpoint)
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
    write_atomic(
        out / "verdicts.json", json.dumps(after, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    )
    changes = {name: _change(run, after, trait, measurements) for name, trait in new.items()}
    return Rejudged(out, changes)


def _basis(run: Run) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run.path / BASIS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"no {BASIS}: this run was made before runs could be judged again",
            where=str(run.path),
            fix="Run the study again: what is in the store is not made anew.",
        ) from None
    return found


def _new_traits(
    basis: Mapping[str, Any],
    judge: JudgeModelConfig | str,
    wanted: Sequence[str],
    endpoint: EndpointConfig | None,
) -> dict[str, Trait]:
    """The traits that are judged anew, each with its new judge and no scenarios: the responses bring their own."""
    known = basis["traits"]
    if isinstance(judge, str) and judge.endswith((".yaml", ".yml")):
        own = load_trait(judge)
        _check_known([own.name], known, judge)
        anew = _judged(own.name, known[own.name], own.judge, own.rubric, own.acts)
        return {own.name: replace(anew, ladder_judge=own.ladder_judge)}
    named = (
        judge
        if isinstance(judge, JudgeModelConfig)
        else JudgeModelConfig(model=judge, endpoint=endpoint or EndpointConfig())
    )
    _check_known(wanted, known, "--trait")
    chosen = list(wanted) or [name for name, own in known.items() if own["rubric"] is not None]
    if not chosen:
        raise InputError(
            "no trait of this run has a rubric that a model could judge by",
            where="--judge",
            fix="Give a trait file with another judge: --judge my_trait.yaml.",
        )
    bare = {
        n: _judged(n, known[n], ColumnJudge("log_odds"), _rubric(known[n]), known[n]["acts"]) for n in chosen
    }
    return {name: judged_by(trait, named, Path.cwd(), "--judge") for name, trait in bare.items()}


def _judged(
    name: str, own: Mapping[str, Any], judge: Judge, rubric: Rubric | None, acts: str | None
) -> Trait:
    return Trait(name, own["scale"], own["metric"], (), judge, rubric=rubric, acts=acts)


def _rubric(own: Mapping[str, Any]) -> Rubric | None:
    return Rubric(**own["rubric"]) if own["rubric"] else None


def _check_known(names: Sequence[str], known: Mapping[str, Any], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"the run has no trait {unknown[0]!r}", where=where, allowed=", ".join(known))


def _rungs(trait: Trait, measurements: pa.Table) -> dict[str, Trait]:
    """The rungs of the trait's ladder that the run measured, each with the new judge."""
    bare = replace(trait, judge=trait.ladder_judge or trait.judge, ladder_judge=None)
    known = set(measurements["trait"].unique().to_pylist())
    named = {rung: f"{trait.name}/{rung}" for rung in RUNGS}
    return {rung: replace(bare, name=name) for rung, name in named.items() if name in known}


def _rescored(measurements: pa.Table, trait: Trait, judging: Judging) -> pa.Table:
    """The table with the trait's rows scored by its new judge; the order of rows stays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mine = pc.equal(measurements["trait"], trait.name)
    rows = measurements.filter(mine)
    asked = asked_of(rows, trait, scenarios_known=False)
    said = iter(judging.grade(trait, asked))
    columns: dict[str, list[Any]] = {
        n: measurements[n].to_pylist() for n in ("score", "hit", "judge", "quote", "note")
    }
    for position, is_mine in enumerate(mine.to_pylist()):
        if is_mine:
            judgement = next(said)
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


def _diagnosed(
    run: Run, basis: Mapping[str, Any], new: Mapping[str, Trait], measurements: pa.Table
) -> dict[str, Any]:
    """`verdicts.json` under the new judge: as it was, but for the traits that were judged anew."""
    facts = []
    for name, trait in new.items():
        own = {key: basis["traits"][name][key] for key in ("scale", "metric", "flagged")}
        facts.append(TraitFacts(name, judge=trait.judge_id, score_range=trait.score_range, **own))
    reasons: Mapping[str, str] = basis["lacking"]
    found = diagnose(
        run.students,
        measurements,
        facts,
        basis["cube"],
        basis["shares"],
        Levels(**basis["levels"]),
        lambda arm: reasons.get(arm, ""),
    )
    before = run.verdicts
    traits = dict(before["traits"])
    for name, trait in new.items():
        leaks = ladder_leaks(trait, _rungs(trait, measurements), run.students, measurements, basis["cube"])
        traits[name] = {**found.traits[name], "flagged": before["traits"][name].get("flagged"), **leaks}
    return {**before, "traits": traits, "judged_again": {name: t.judge_id for name, t in new.items()}}


def _change(run: Run, after: Mapping[str, Any], trait: Trait, measurements: pa.Table) -> dict[str, Any]:
    import pyarrow.compute as pc

    keys = ("present", "original", "alternate", "effects", "carrier", "cause")
    old, new = run.verdicts["traits"][trait.name], after["traits"][trait.name]
    rows = measurements.filter(pc.equal(measurements["trait"], trait.name))
    before = run.measurements.filter(pc.equal(run.measurements["trait"], trait.name))
    return {
        "judge": {"before": before["judge"][0].as_py() if len(before) else None, "after": trait.judge_id},
        "before": {key: old[key] for key in keys},
        "after": {key: new[key] for key in keys},
        "responses": len(rows),
        "unjudged": rows["score"].null_count,
        "agreement": _agreement(before, rows, trait),
        "changed": [key for key in ("present", "carrier", "cause") if old[key] != new[key]],
    }


def _agreement(before: pa.Table, after: pa.Table, trait: Trait) -> dict[str, Any]:
    """Cohen's kappa of the two judges on hits, and in words."""
    old, new = before["hit"].to_pylist(), after["hit"].to_pylist()
    scores = [[None if hit is None else float(hit) for hit in hits] for hits in (old, new)]
    found = agreement(scores[0], scores[1], after["cluster"].to_pylist(), 0.5)
    kappa = found.hits
    ends = "" if kappa.low is None or kappa.high is None else f" [{kappa.low:.2f}, {kappa.high:.2f}]"
    value = f"kappa {kappa.value:.2f}{ends}" if kappa.value is not None else kappa.why
    share = "" if found.agree is None else f", the same of {found.agree:.0%}"
    return {"kappa": kappa.value, "low": kappa.low, "high": kappa.high, "says": f"{value}{share}"}
