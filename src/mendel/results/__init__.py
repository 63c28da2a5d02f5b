"""A run's folder as types: what its files hold, read and written in one place."""

from typing import TYPE_CHECKING, Any

from mendel.results.basis import Basis, Remembered, read_basis, write_basis
from mendel.results.findings import (
    DoseResponse,
    LocatedPrompts,
    TriedSelectorsRecord,
    read_finding,
    write_finding,
)
from mendel.results.folder import RunFolder, read_folder
from mendel.results.interval import Format, Interval, fitting
from mendel.results.manifest import Manifest, is_finished, read_manifest, write_manifest
from mendel.results.notebook import Shown
from mendel.results.records import KeyDescription
from mendel.results.run import Run, open_run
from mendel.results.verdicts import TraitVerdict, Verdicts, read_verdicts, write_verdicts

if TYPE_CHECKING:
    from mendel.results.description import describe

__all__ = [
    "Basis",
    "DoseResponse",
    "Format",
    "Interval",
    "KeyDescription",
    "LocatedPrompts",
    "Manifest",
    "Remembered",
    "Run",
    "RunFolder",
    "Shown",
    "TraitVerdict",
    "TriedSelectorsRecord",
    "Verdicts",
    "describe",
    "fitting",
    "is_finished",
    "open_run",
    "read_basis",
    "read_finding",
    "read_folder",
    "read_manifest",
    "read_verdicts",
    "write_basis",
    "write_finding",
    "write_manifest",
    "write_verdicts",
]


def __getattr__(name: str) -> Any:
    # Only documentation asks for it, and it imports the types of every file.
    if name == "describe":
        from mendel.results.description import describe

        return describe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
