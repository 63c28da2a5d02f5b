"""A run's folder as a value: its verdicts, tables and report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mendel.engine.errors import InputError, did_you_mean
from mendel.engine.store import write_atomic
from mendel.results.notebook import verdicts_html, verdicts_line
from mendel.results.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

FILES = (
    "study.yaml",
    "verdicts.json",
    "report.html",
    "students.parquet",
    "measurements.parquet",
    "rollouts.parquet",
    "assignments.parquet",
)
TABLES = ("students", "measurements", "rollouts", "assignments")


@dataclass(frozen=True)
class Run:
    """A finished run: `verdicts` as in `verdicts.json`, the tables as Arrow, read when asked for."""

    path: Path
    reused: bool = False
    """Whether the folder was finished already, so that nothing was done."""

    @cached_property
    def verdicts(self) -> dict[str, Any]:
        """The content of `verdicts.json`."""
        try:
            content: dict[str, Any] = json.loads((self.path / "verdicts.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                "no verdicts.json: no finished run of mendel",
                where=str(self.path),
                fix="Give the folder that `mendel run` wrote.",
            ) from None
        except ValueError as error:
            raise InputError(f"no valid JSON: {error}", where=str(self.path / "verdicts.json")) from None
        return content

    @cached_property
    def students(self) -> pa.Table:
        """One row a student: arm, base, seed, status and what was trained."""
        return read_table(self.path / "students.parquet")

    @cached_property
    def measurements(self) -> pa.Table:
        """One row a response: student, trait, scenario, score, hit."""
        return read_table(self.path / "measurements.parquet")

    @cached_property
    def rollouts(self) -> pa.Table:
        """One row a teacher's answer to a prompt."""
        return read_table(self.path / "rollouts.parquet")

    @cached_property
    def assignments(self) -> pa.Table:
        """One row an arm and prompt: who answers it (null: dropped)."""
        return read_table(self.path / "assignments.parquet")

    def frame(self, table: str, library: Literal["pandas", "polars"] = "pandas") -> Any:
        """A table (`students`, `measurements`, `rollouts`, `assignments`) as a data frame of pandas or polars.

        Raises InputError for an unknown table or library, and for a library that is not installed.
        """
        if table not in TABLES:
            raise InputError(
                "no such table", where="Run.frame", value=table, fix=did_you_mean(str(table), TABLES)
            )
        if library not in ("pandas", "polars"):
            raise InputError(
                "no such library", where="Run.frame", value=library, allowed="'pandas' or 'polars'"
            )
        content: pa.Table = getattr(self, table)
        try:
            if library == "pandas":
                return content.to_pandas()
            import polars
        except ImportError:
            raise InputError(
                f"{library} is not installed", where="Run.frame", fix="pip install 'mendel[frames]'"
            ) from None
        return polars.from_arrow(content)

    def _so_far(self) -> dict[str, Any]:
        """The verdicts, or nothing where they cannot be read: showing a run must not fail."""
        try:
            verdicts: object = self.verdicts
        except (InputError, OSError):
            return {}
        return verdicts if isinstance(verdicts, dict) else {}

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {verdicts_line(self._so_far())})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdicts as a small table, without script or style sheet."""
        missing = [name for name in FILES if not (self.path / name).exists()]
        return verdicts_html(self._so_far(), self.report, missing)

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return self.path / "report.html"


def open_run(path: str | Path) -> Run:
    """The run in a folder; raises InputError if there is none."""
    found = Run(Path(path))
    _ = found.verdicts
    return found


def is_finished(folder: Path, fingerprint: str) -> bool:
    """Whether the folder holds the finished run of just these inputs."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    done = manifest.get("complete") and manifest.get("fingerprint") == fingerprint
    return bool(done) and all((folder / name).exists() for name in FILES)


def write_manifest(folder: Path, fingerprint: str, study: Path, *, complete: bool) -> None:
    """Says what the folder is of, where its study file lies, and whether all of it is there."""
    content = {
        "tool": "mendel",
        "fingerprint": fingerprint,
        "study": str(study.absolute()),
        "complete": complete,
    }
    write_atomic(folder / "manifest.json", json.dumps(content, indent=1) + "\n")
