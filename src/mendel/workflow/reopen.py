"""Reopen a finished run with its inputs, for commands that train more students of the same study."""

from __future__ import annotations

from pathlib import Path

from mendel.engine.errors import InputError
from mendel.results.manifest import Manifest, is_finished, read_manifest
from mendel.results.run import Run, open_run
from mendel.study import Study, load_study
from mendel.workflow.inputs import Inputs, load_inputs

ELSEWHERE = "Name the study file with --study PATH, or run the study again."


def reopen(folder: str | Path, study: Study | str | Path | None = None) -> tuple[Run, Inputs]:
    """Return the finished run in a folder, and its study's inputs, loaded and checked again.

    Args:
        folder: Folder of the run.
        study: The study, or its file; None: the file that the run was made from.

    Raises:
        InputError: The folder holds no finished run, the study is missing, or the study has changed since, so
            that its students would be different ones.
    """
    run = open_run(folder)
    manifest = read_manifest(run.path)
    loaded = study if isinstance(study, Study) else load_study(study or _study_of(run, manifest))
    path, inputs = loaded.path, load_inputs(loaded)
    if inputs.fingerprint != manifest.fingerprint:
        raise InputError(
            f"is not the study that {run.path} is of: it, what it names or mendel itself has changed since",
            where=str(path),
            fix=ELSEWHERE,
        )
    if not is_finished(run.path, inputs.fingerprint):
        raise InputError(
            "the run is not finished",
            where=str(run.path),
            fix=f"Finish it: mendel run {path} --out {run.path}",
        )
    return run, inputs


def _study_of(run: Run, manifest: Manifest) -> Path:
    """Return the study file that the manifest names; raise InputError if it is missing."""
    path = manifest.study
    if not path:
        raise InputError(
            "does not say where the run's study lies", where=str(run.path / "manifest.json"), fix=ELSEWHERE
        )
    if not Path(path).exists():
        raise InputError("the run's study is gone", where=path, fix=ELSEWHERE)
    return Path(path)
