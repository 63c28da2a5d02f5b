"""The manifest of a run's folder: what it is the run of, and whether all of it is there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic
from mendel.results.records import read_record, record_json

MANIFEST = "manifest.json"
FILES = (
    "study.yaml",
    "verdicts.json",
    "report.html",
    "students.parquet",
    "measurements.parquet",
    "rollouts.parquet",
    "assignments.parquet",
)
"""The files of a finished run."""


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    tool: str = ""
    """`mendel`."""
    fingerprint: str = ""
    """Digest of all that went in: study, prompts, models, traits and mendel's own way of doing it."""
    study: str = ""
    """Path of the study file."""
    complete: bool = False
    """Whether the run came to its end."""


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run's folder.

    Args:
        folder: The run's folder.

    Returns:
        The manifest; keys that the file lacks are empty.

    Raises:
        InputError: manifest.json cannot be read, or holds no JSON object.
    """
    file = folder / MANIFEST
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}", where=str(file), fix="Run the study again.") from None
    if not isinstance(content, dict):
        raise InputError("no manifest of a run", where=str(file), fix="Run the study again.")
    return read_record(Manifest, content)


def write_manifest(folder: Path, fingerprint: str, study: Path, *, complete: bool) -> None:
    """Write the manifest of a run's folder, atomically.

    Args:
        folder: The run's folder.
        fingerprint: Digest of all inputs.
        study: The study file.
        complete: Whether the run came to its end.
    """
    manifest = Manifest("mendel", fingerprint, str(study.absolute()), complete)
    write_atomic(folder / MANIFEST, json.dumps(record_json(manifest), indent=1) + "\n")


def is_finished(folder: Path, fingerprint: str) -> bool:
    """Return whether the folder holds the finished run of exactly these inputs.

    Args:
        folder: The run's folder.
        fingerprint: Digest of all inputs.

    Returns:
        True where the manifest says so and all files are there.
    """
    try:
        manifest = read_manifest(folder)
    except InputError:
        return False
    done = manifest.complete and manifest.fingerprint == fingerprint
    return done and all((folder / name).exists() for name in FILES)
