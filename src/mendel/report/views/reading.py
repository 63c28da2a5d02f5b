"""What the page reads of a run's folder: whole verdicts, and of the tables the columns that it shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mendel.results.folder import RunFolder, read_folder

COLUMNS: Mapping[str, Collection[str]] = {
    "students": (
        "student", "arm", "base", "seed", "n_examples", "tokens", "train_seconds", "train_loss", "status",
        "reason", "assistant_right",
    ),
    "measurements": (
        "student", "trait", "scenario", "cluster", "sample", "turn", "score", "hit", "judge",
    ),
    "rollouts": (),
    "assignments": ("arm", "prompt_id", "teacher"),
}  # fmt: skip
"""The columns that the page reads; of the rollouts only that they are there.

The texts of the measurements, most of the file, are read where the page needs them, and not kept."""

REPEATED: Mapping[str, Collection[str]] = {
    "measurements": ("student", "trait", "scenario", "cluster", "judge")
}
"""Columns of few distinct values."""


def read_page_folder(path: Path) -> RunFolder:
    """Read a run's folder as the page needs it; raise InputError as `read_folder` does."""
    return read_folder(path, COLUMNS, REPEATED)
