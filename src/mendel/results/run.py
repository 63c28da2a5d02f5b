"""A finished run's folder as a value: its verdicts, tables and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mendel.engine.errors import InputError, did_you_mean
from mendel.results.manifest import FILES
from mendel.results.notebook import verdicts_html, verdicts_line
from mendel.results.tables import TABLES, read_table
from mendel.results.verdicts import VERDICTS, TraitVerdict, Verdicts, load_verdicts

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Run:
    """A finished run: `verdicts` as in `verdicts.json`, `traits` as values, the tables as Arrow.

    All are read when asked for.
    """

    path: Path
    """The run's folder."""
    reused: bool = False
    """Whether the folder was finished already, so that nothing was done."""

    @cached_property
    def verdicts(self) -> dict[str, Any]:
        """The content of `verdicts.json` as JSON has it; see `traits` for the same as values."""
        return load_verdicts(self.path / VERDICTS)

    @cached_property
    def record(self) -> Verdicts:
        """The content of `verdicts.json` as values."""
        return Verdicts.read(self.verdicts)

    @property
    def traits(self) -> Mapping[str, TraitVerdict]:
        """The verdict of each trait: `run.traits["date_confusion"].effects["teacher"].low`."""
        return self.record.traits

    @property
    def cube(self) -> Mapping[str, str]:
        """The arm at each corner of the cube, such as `OOA`.

        Base, prompts and teacher, original or alternate.
        """
        return self.record.cube

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
        """One row an arm and prompt: the teacher that answers it (null: dropped)."""
        return read_table(self.path / "assignments.parquet")

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return self.path / "report.html"

    def frame(self, table: str, library: Literal["pandas", "polars"] = "pandas") -> Any:
        """Return a table as a data frame.

        Args:
            table: `students`, `measurements`, `rollouts` or `assignments`.
            library: `pandas` or `polars`.

        Returns:
            The data frame, with the table's columns.

        Raises:
            InputError: The table or the library is unknown, or the library is not installed.
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

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {verdicts_line(self._so_far())})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the verdicts as a small table, without script or style sheet."""
        missing = [name for name in FILES if not (self.path / name).exists()]
        return verdicts_html(self._so_far(), self.report, missing)

    def _so_far(self) -> Verdicts:
        """Return the verdicts, or empty ones where they cannot be read: showing a run must not fail."""
        try:
            return self.record
        except (InputError, OSError):
            return Verdicts()


def open_run(path: str | Path) -> Run:
    """Open the run in a folder.

    Args:
        path: The folder that `mendel run` wrote.

    Returns:
        The run; its tables are read when asked for.

    Raises:
        InputError: The folder holds no verdicts.json, or one that cannot be read.
    """
    run = Run(Path(path))
    _ = run.verdicts
    return run
