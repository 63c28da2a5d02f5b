"""How often a run's verdicts were looked at before it got more seeds: each look is one more chance to err."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mendel.engine.errors import InputError
from mendel.results.basis import read_basis
from mendel.results.verdicts import VERDICTS, load_verdicts
from mendel.study import StudyConfig

MORE = frozenset({"seeds", "max_seeds", "design", "budget"})
"""Keys of a study that say how many students it may have: with others the same tests are made again."""
APART = frozenset({"robustness", "workers", "engine"})
"""Keys that change no test of a verdict."""


def earlier_looks(folder: Path, config: StudyConfig) -> int:
    """Return how often verdicts were reached in a run's folder with other seeds than this study's.

    A run that is continued, or read again, was not looked at once more: its earlier looks stay as they are.
    So do those of a run that its budget ended and that gets a larger one.

    Args:
        folder: The run's folder; it may be missing, or hold another study's run.
        config: The study that is about to be run.

    Returns:
        The looks that the run in the folder counted, where it is of the same study but for its seeds, maximal
        seeds, design or budget; those that it had counted before, where nothing of these differs; else 0.
    """
    before = _study(folder)
    changed = _changed(before, config.model_dump(mode="json"))
    if before is None or changed - MORE:
        return 0
    try:
        basis = read_basis(folder)
        finished = load_verdicts(folder / VERDICTS).get("complete") is True
    except InputError:
        return 0
    goes_on = not changed or (not finished and changed == {"budget"})
    return basis.earlier_looks if goes_on else basis.levels.get("looks", 0)


def _study(folder: Path) -> Mapping[str, Any] | None:
    """Return the study of the run in a folder; None where there is none, or it cannot be read."""
    try:
        content = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) else None


def _changed(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> set[str]:
    """Return the keys in which two studies differ, as far as they matter for a verdict."""
    old = before or {}
    # As the file has it: tuples are lists there.
    new = yaml.safe_load(yaml.safe_dump(dict(now)))
    return {key for key in {*old, *new} - APART if old.get(key) != new.get(key)}
