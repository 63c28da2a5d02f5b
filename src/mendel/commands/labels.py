"""Labels by hand: a person scores responses of a run or an audit; judges are compared with these labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.measure import (
    Agreement,
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
from mendel.measure.recall import SAMPLE, STRATA
from mendel.results.tables import read_table
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.batches import Batch
from mendel.workflow.flagging_judges import OWN
from mendel.workflow.sampling import sampled_from_run, sampled_from_study
from mendel.workflow.session import Session


def judge_label(
    folder: str | Path,
    trait: str,
    out: str | Path | None = None,
    count: int | None = None,
    *,
    strata: Sequence[str] = (),
    ask: Callable[[str], str],
    tell: Callable[[str], None],
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> int:
    """Let a person score responses to a trait, or rollouts of the original teacher, one after another.

    With `strata` these are rollouts: a random sample of each stratum, the same every time, mixed, so that
    nobody sees which stratum a rollout is of. The next run of the study estimates the judges' recall from
    them. A study without a run makes and judges its rollouts first; no student is trained.

    Args:
        folder: The folder of a run or an audit, with `measurements.parquet`. With `strata`: the folder of a
            run, or a study file.
        trait: The name of a trait, or a trait file. With `strata`: the name of one of the study's traits.
        out: The file that labels are added to; responses that it has labels for are not asked again. With
            `strata`, None: the file that the study names, or `labels/TRAIT.jsonl` in the run's folder.
        count: Number of responses to label, in an order that is the same every time; None: all. With
            `strata`: the number of each stratum; None: 50.
        strata: Any of `flagged`, `mild` and `unseen`; empty: responses of students are labelled.
        ask: Shows a question and returns the line that the person typed.
        tell: Shows text.
        store: Folder of the store, for a study; None: the default store.
        executor: Runs the jobs of a study; None: the study's `engine`.
        budget: Limits, for a study; one that is None stays the study's.
        batch: Batch files for endpoints of a study; None: requests are sent to the endpoints.
        progress: Receives progress events, and is closed before the first question; None: it is not shown.

    Returns:
        The number of labels in the file afterwards.

    Raises:
        InputError: The folder has no responses to the trait, the trait has no rubric, there is no such
            stratum, or nothing says where the labels go.
        BudgetSpent: The budget is spent before all rollouts of the study were judged. They are kept.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    if not strata:
        if out is None:
            raise InputError("nothing says where the labels go", where="--out", fix="Name a .jsonl file.")
        return _label_responses(Path(folder), trait, Path(out), count, ask, tell)
    if unknown := [name for name in strata if name not in STRATA]:
        raise InputError("no such stratum", where="--stratum", value=unknown[0], allowed=", ".join(STRATA))
    if Path(folder).is_dir():
        found = sampled_from_run(Path(folder), trait)
    else:
        session = {"store": store, "executor": executor, "budget": budget, "batch": batch}
        found = sampled_from_study(folder, trait, progress=progress, **session)
    file = out or found.file
    if file is None:
        raise InputError(
            "nothing says where the labels go",
            where="--out",
            fix="Name a .jsonl file, and the same under the study's trait: labels: file:FILE.",
        )
    rows = found.sample(strata, count or SAMPLE)
    tell(f"Labels are added to {file}.")
    label_session(rows, found.rubric, file, ask, tell, shuffle=False)
    return _labels_in(Path(file))


def _label_responses(
    folder: Path,
    trait: str,
    out: Path,
    count: int | None,
    ask: Callable[[str], str],
    tell: Callable[[str], None],
) -> int:
    """Let a person score students' responses."""
    judged_trait, rubric = _with_rubric(trait)
    file = folder / "measurements.parquet"
    table = read_table(file)
    rows = [
        unlabelled(row, f"{file} row {number}")
        for number, row in enumerate(table.to_pylist(), 1)
        if row["trait"] == judged_trait.name and row["response"].strip()
    ]
    if not rows:
        raise InputError(
            f"no response to the trait {judged_trait.name!r}",
            where=str(file),
            allowed=", ".join(sorted(set(table["trait"].to_pylist()))),
        )
    label_session(sorted(rows, key=lambda row: row.key)[:count], rubric, out, ask, tell)
    return _labels_in(out)


def _labels_in(file: Path) -> int:
    return len(read_labels(file)) if file.exists() else 0


def _with_rubric(name: str) -> tuple[Trait, Rubric]:
    """Return the trait and its rubric; raise InputError if it has none."""
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
    """Measure how far judges agree with labels by hand, and with each other.

    Args:
        labels: The file that `judge_label` wrote.
        trait: The name of a trait, or a trait file.
        judges: Models (`hf:…`, `openai:…`, `vllm:…`), or `own` for the trait's own judge.
        endpoint: Settings of the connection to judges that are endpoints.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: one local worker process.
        budget: Limits of dollars, tokens and requests; None: no limits.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The object for `--json`. `pairs` has an entry for each two raters: Cohen's kappa on hits with its
        interval, the share of agreement, the hits of each rater, the number of unjudged responses, and
        `weighted`, kappa on scores.

    Raises:
        InputError: The file has no labels by the trait's rubric, or the trait has no rubric.
        BudgetSpent: The budget is spent. Judgements until then are in the store: the same command continues.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    judged_trait, rubric = _with_rubric(trait)
    labelled = read_labels(labels, judged_trait.name, rubric)
    if not labelled:
        raise InputError(
            f"no label of the trait {judged_trait.name!r} by its rubric ({rubric_id(rubric)})",
            where=str(labels),
        )
    raters = [_judge(judged_trait, name, endpoint) for name in dict.fromkeys(judges)]
    scores: dict[str, list[float | None]] = {"labels": [label.score for label in labelled]}
    session = Session(store=store, executor=executor, budget=budget, batch=batch, progress=progress)
    with session:
        session.progress.stage("judging", len(raters))
        for rater in raters:
            judgements = session.judging.grade(rater, [_asked(label) for label in labelled])
            scores[rater.judge_id] = [judgement.score for judgement in judgements]
            session.progress.step(1, rater.judge_id)
    clusters = [label.of.cluster for label in labelled]
    pairs = [
        _pair(first, second, agreement(scores[first], scores[second], clusters, rubric.hit_at))
        for first, second in combinations(scores, 2)
    ]
    return {"trait": judged_trait.name, "labels": len(labelled), "rubric": rubric_id(rubric), "pairs": pairs}


def _judge(trait: Trait, name: str, endpoint: EndpointConfig | None) -> Trait:
    """Return the trait with the named judge."""
    if name == OWN:
        return trait
    judge_model = JudgeModelConfig(model=name, endpoint=endpoint or EndpointConfig())
    return judged_by(trait, judge_model, Path.cwd(), "--judge")


def _asked(label: Label) -> tuple[Scenario, str]:
    return Scenario(label.of.scenario, label.of.cluster, label.of.prompt), label.of.response


def _pair(first: str, second: str, found: Agreement) -> dict[str, Any]:
    (_, only_second), (only_first, shared) = found.table
    return {
        "first": first,
        "second": second,
        "n": found.n,
        "unjudged": found.unjudged,
        "agreement": found.agree,
        "hits": [only_first + shared, only_second + shared],
        "table": [list(row) for row in found.table],
        "kappa": found.hits.json(),
        "weighted": None if found.scores is None else found.scores.json(),
    }
