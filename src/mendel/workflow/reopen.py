"""Reopen a finished run with its inputs, for commands that train more students of the same study."""

from __future__ import annotations

import json
from pathlib import Path

from mendel.engine.errors import InputError
from mendel.results.manifest import is_finished
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
    manifest = _manifest(run)
    loaded = study if isinstance(study, Study) else load_study(study or _study_of(run, manifest))
    path, inputs = loaded.path, load_inputs(loaded)
    if inputs.fingerprint != manifest.get("fingerprint"):
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


def _manifest(run: Run) -> dict[str, object]:
    """Return the run's manifest; raise InputError if it is missing or damaged."""
    file = run.path / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(file), fix="Run the study again.") from None
    if not isinstance(manifest, dict):
        raise InputError("no manifest of a run", where=str(file), fix="Run the study again.")
    return manifest


def _study_of(run: Run, manifest: dict[str, object]) -> Path:
    """Return the study file that the manifest names; raise InputError if it is missing."""
    path = manifest.get("study")
    if not isinstance(path, str):
        raise InputError(
            "does not say where the run's study lies", where=str(run.path / "manifest.json"), fix=ELSEWHERE
        )
    if not Path(path).exists():
        raise InputError("the run's study is gone", where=path, fix=ELSEWHERE)
    return Path(path)
