"""Run a study: from the study file to a folder with tables, verdicts and report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mendel.diagnose import all_hypotheses
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import NullProgress, Progress, StateFile, Tee, TraitSoFar
from mendel.results.manifest import is_finished, write_manifest
from mendel.results.run import Run
from mendel.study import Study, load_study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.ingredients import screen_rollouts, screen_untrained
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import Probes
from mendel.workflow.known import Known
from mendel.workflow.looks import earlier_looks
from mendel.workflow.rollouts import make_rollouts, response_prefixes, score_rollouts
from mendel.workflow.rounds import Outcome, Rounds
from mendel.workflow.session import Session
from mendel.workflow.strata import RolloutLabels, read_rollout_labels, recalls_of, strata_of
from mendel.workflow.tables import measured_tables, trait_facts
from mendel.workflow.untrained import measure_untrained
from mendel.workflow.write import Finished, write_run


def run(
    study: Study | str | Path | None = None,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> Run:
    """Diagnose a study: train and measure its students, and find the part that carries each trait.

    Steps whose results are in the store or in the folder are not repeated: after an interruption, the same
    command continues.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`; None: `peas`.
        out: Folder of the run; None: `runs/<name>`.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The finished run.

    Raises:
        InputError: The study or the folder is wrong. Nothing was done.
        BudgetSpent: The budget is spent. Partial results are written, and the same command continues.
        Waiting: Requests to endpoints wait in the batch file. Results until then are written.
        RunError: The run could not continue.
    """
    loaded = study if isinstance(study, Study) else load_study(study)
    folder = Path(out) if out is not None else Path("runs") / loaded.name
    inputs = load_inputs(loaded)
    labels = read_rollout_labels(inputs, folder)
    finished_before = is_finished(folder, inputs.fingerprint) and _has_every_hypothesis(folder)
    if finished_before and _has_these_labels(folder, labels):
        return Run(folder, reused=True)
    looked = earlier_looks(folder, loaded.config)
    _claim(folder, inputs)
    with StateFile(folder, loaded.name) as state:
        events = Tee(progress or NullProgress(), state)
        session = Session(loaded, store=store, executor=executor, budget=budget, batch=batch, progress=events)
        with session:
            finished = _carry_out(session, inputs, labels, looked)
        events.stage("verdicts", 1)
        verdicts = write_run(folder, finished, session)
        events.effects([TraitSoFar.read(name, verdict) for name, verdict in verdicts.items()])
        events.step(1)
        if finished.outcome.stopped is not None:
            finished.outcome.stopped.result = Run(folder)
            raise finished.outcome.stopped
        write_manifest(folder, inputs.fingerprint, loaded.path, complete=True)
    return Run(folder)


def _has_every_hypothesis(folder: Path) -> bool:
    """Return whether the verdicts know all hypotheses: one may have been added after the run was finished."""
    names = {declared.name for declared in all_hypotheses()}
    return all(names <= verdict.hypotheses.keys() for verdict in Run(folder).traits.values())


def _has_these_labels(folder: Path, labels: Mapping[str, RolloutLabels]) -> bool:
    """Return whether the verdicts rest on these labels: rollouts may have been labelled since."""
    verdicts = Run(folder).traits
    used = {name: verdict.recall.labels for name, verdict in verdicts.items() if verdict.recall is not None}
    given = {name: own.digest for name, own in labels.items()}
    return {name: name_of for name, name_of in used.items() if name_of} == given


def _carry_out(
    session: Session, inputs: Inputs, labels: Mapping[str, RolloutLabels], looked: int
) -> Finished:
    """Do a run's work (rollouts, judging, flagging, models, students), and return what its folder needs.

    `looked`: how often verdicts of the run were reached before, with other seeds.
    """
    rollouts = make_rollouts(session, inputs)
    scores = score_rollouts(session, inputs, rollouts)
    flagged, warnings = flag_prompts(inputs, rollouts, scores, session.store)
    strata = strata_of(inputs, flagged, rollouts, scores)
    recalls, of_labels = recalls_of(inputs, strata, rollouts, scores, labels)
    catalogue = build_catalogue(inputs, flagged, rollouts, scores)
    ingredients = screen_rollouts(inputs, rollouts, scores, catalogue, session.judging.score_rollouts)
    probes = Probes(inputs.probes, inputs.assistant)
    models = measure_untrained(session, inputs, probes, response_prefixes(inputs, rollouts))
    tables = measured_tables(session.store, inputs, models, [])
    ingredients = screen_untrained(ingredients, *tables, trait_facts(inputs.traits))
    known = Known(ingredients, recalls)
    outcome = Outcome(models, warnings=[*inputs.warnings, *warnings, *of_labels])
    rounds = Rounds(session, inputs, catalogue, rollouts, probes, outcome, looked, known)
    design = rounds.run()
    return Finished(
        inputs, catalogue, design, flagged, rollouts, scores, outcome, session.spent, strata, known, looked
    )


def _claim(folder: Path, inputs: Inputs) -> None:
    """Create the run's folder; raise InputError if it holds something other than a run."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file, not a folder", where=str(folder), fix="Name another folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        raise InputError(
            "the folder is not empty and holds no run of mendel",
            where=str(folder),
            fix="Name another folder with --out.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder cannot be made: {error.strerror}",
            where=str(folder),
            fix="Name another one with --out.",
        ) from None
    write_manifest(folder, inputs.fingerprint, inputs.study.path, complete=False)
