"""Run a study: from the study file to a folder of tables, verdicts and report. Each step is done once."""

from __future__ import annotations

from pathlib import Path

from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import NullProgress, Progress, StateFile, Tee, TraitSoFar
from mendel.results.run import Run, is_finished, write_manifest
from mendel.study import Study, load_study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import Probes
from mendel.workflow.rollouts import make_rollouts, response_prefixes, score_rollouts
from mendel.workflow.rounds import Outcome, Rounds
from mendel.workflow.session import Session
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
    """Diagnose a study: train and measure its students, and say which part of the pipeline carries each trait.

    What the store or the folder has already is not done again, so an interrupted run goes on.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`; None: `peas`.
        out: The run's folder; None: `runs/<name>`.
        store: The store's folder; None: the default one.
        executor: Where jobs run; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Who is told how the run stands; None: nobody.

    Returns:
        The finished run.

    Raises:
        InputError: the study or the folder is wrong; nothing was done.
        BudgetSpent: the budget ended the run; partial results are written.
        Waiting: requests to endpoints are in the batch file; what is known until then is written.
        RunError: the run could not go on.
    """
    loaded = study if isinstance(study, Study) else load_study(study)
    folder = Path(out) if out is not None else Path("runs") / loaded.name
    inputs = load_inputs(loaded)
    if is_finished(folder, inputs.fingerprint):
        return Run(folder, reused=True)
    _claim(folder, inputs)
    with StateFile(folder, loaded.name) as state:
        told = Tee(progress or NullProgress(), state)
        session = Session(loaded, store=store, executor=executor, budget=budget, batch=batch, progress=told)
        with session:
            finished = _carry_out(session, inputs)
        told.stage("verdicts", 1)
        verdicts = write_run(folder, finished, session)
        told.effects([TraitSoFar.read(name, verdict) for name, verdict in verdicts.items()])
        told.step(1)
        if finished.outcome.stopped is not None:
            finished.outcome.stopped.result = Run(folder)
            raise finished.outcome.stopped
        write_manifest(folder, inputs.fingerprint, loaded.path, complete=True)
    return Run(folder)


def _carry_out(session: Session, inputs: Inputs) -> Finished:
    """Do all that a run's folder is written from: rollouts, judging, flagging, models, students."""
    rollouts = make_rollouts(session, inputs)
    scores = score_rollouts(session, inputs, rollouts)
    flagged, warnings = flag_prompts(inputs, rollouts, scores, session.store)
    catalogue = build_catalogue(inputs, flagged, rollouts, scores)
    probes = Probes(inputs.probes, inputs.assistant)
    models = measure_untrained(session, inputs, probes, response_prefixes(inputs, rollouts))
    outcome = Outcome(models, warnings=[*inputs.warnings, *warnings])
    design = Rounds(session, inputs, catalogue, rollouts, probes, outcome).run()
    return Finished(inputs, catalogue, design, flagged, rollouts, scores, outcome, session.spent)


def _claim(folder: Path, inputs: Inputs) -> None:
    """Make the run's folder, unless it holds something else."""
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
