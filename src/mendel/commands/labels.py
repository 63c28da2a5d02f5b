"""Labels by hand: responses of a run or an audit scored by a person, and how far judges agree with that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.measure import (
    Agreement,
    Kappa,
    Label,
    Rubric,
    Scenario,
    Trait,
    agreement,
    find_trait,
    judged_by,
    label_session,
    read_labels,
    rubric_id,
    unlabelled,
)
from mendel.results.tables import read_table
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.batches import Batch
from mendel.workflow.session import Session

OWN = "own"
"""Names the trait's own judge, where judges are named."""


def judge_label(
    folder: str | Path,
    trait: str,
    out: str | Path,
    count: int | None = None,
    *,
    ask: Callable[[str], str],
    tell: Callable[[str], None],
) -> int:
    """A person scores a run's or an audit's responses to a trait, one after another; how many labels `out` has then.

    `ask` shows a question and returns a line, `tell` shows text. With `count`, so many responses, drawn in a fixed order.
    Raises InputError for a folder without responses to the trait, and for a trait without a rubric.
    """
    found, rubric = _with_rubric(trait)
    file = Path(folder) / "measurements.parquet"
    table = read_table(file)
    rows = [
        unlabelled(row, f"{file} row {number}")
        for number, row in enumerate(table.to_pylist(), 1)
        if row["trait"] == found.name and row["response"].strip()
    ]
    if not rows:
        raise InputError(
            f"no response to the trait {found.name!r}",
            where=str(file),
            allowed=", ".join(sorted(set(table["trait"].to_pylist()))),
        )
    label_session(sorted(rows, key=lambda row: row.key)[:count], rubric, out, ask, tell)
    return len(read_labels(out)) if Path(out).exists() else 0


def _with_rubric(name: str) -> tuple[Trait, Rubric]:
    trait = find_trait(name, Path.cwd(), "--trait")
    if trait.rubric is None:
        raise InputError(
            f"trait {trait.name!r} has no rubric to score by",
            where="--trait",
            fix="Add 'rubric' and 'range' to the trait file's judge.",
        )
    return trait, trait.rubric


def judge_agree(
    labels: str | Path,
    trait: str,
    judges: Sequence[str] = (OWN,),
    *,
    endpoint: EndpointConfig | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """How far judges (models, or `own`: the trait's own) agree with labels by hand, and with each other.

    For `--json`: `pairs` of raters with Cohen's kappa on hits and its interval, the share of agreement, hits of each, how
    many were unjudged; `weighted` is kappa on the scores. Raises InputError for a file that holds no labels by this rubric.
    """
    found, rubric = _with_rubric(trait)
    of_trait = read_labels(labels, found.name, rubric)
    if not of_trait:
        raise InputError(
            f"no label of the trait {found.name!r} by its rubric ({rubric_id(rubric)})", where=str(labels)
        )
    raters = [_judge(found, name, endpoint) for name in dict.fromkeys(judges)]
    scores: dict[str, list[float | None]] = {"labels": [label.score for label in of_trait]}
    session = Session(store=store, executor=executor, budget=budget, batch=batch, progress=progress)
    with session:
        session.progress.stage("judging", len(raters))
        for rater in raters:
            judgements = session.judging.grade(rater, [_asked(label) for label in of_trait])
            scores[rater.judge_id] = [judgement.score for judgement in judgements]
            session.progress.step(1, rater.judge_id)
    clusters = [label.of.cluster for label in of_trait]
    pairs = [
        _pair(first, second, agreement(scores[first], scores[second], clusters, rubric.hit_at))
        for first, second in combinations(scores, 2)
    ]
    return {"trait": found.name, "labels": len(of_trait), "rubric": rubric_id(rubric), "pairs": pairs}


def _judge(trait: Trait, name: str, endpoint: EndpointConfig | None) -> Trait:
    if name == OWN:
        return trait
    named = JudgeModelConfig(model=name, endpoint=endpoint or EndpointConfig())
    return judged_by(trait, named, Path.cwd(), "--judge")


def _asked(label: Label) -> tuple[Scenario, str]:
    return Scenario(label.of.scenario, label.of.cluster, label.of.prompt), label.of.response


def _pair(first: str, second: str, found: Agreement) -> dict[str, Any]:
    (_, only_second), (only_first, both) = found.table
    return {
        "first": first,
        "second": second,
        "n": found.n,
        "unjudged": found.unjudged,
        "agreement": found.agree,
        "hits": [only_first + both, only_second + both],
        "table": [list(row) for row in found.table],
        "kappa": _kappa(found.hits),
        "weighted": None if found.scores is None else _kappa(found.scores),
    }


def _kappa(kappa: Kappa) -> Mapping[str, Any]:
    told = {"estimate": kappa.value, "low": kappa.low, "high": kappa.high}
    return {**told, "why": kappa.why} if kappa.why else told
