"""`mendel report` and `compare`: the pages and figures of runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli._shared import JsonOption, print_json


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    figures: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write every figure as SVG and PNG into this folder, too."),
    ] = None,
) -> None:
    """Write the report of a run again, and its figures as files."""
    typer.echo(f"report: {mendel.write_report(mendel.open_run(folder).path)}")
    if figures is None:
        return
    from mendel.report.figures import write_figures

    written = write_figures(folder, figures)
    for path in written:
        typer.echo(f"figure: {path}")
    if not written:
        typer.echo("no figure: the run has no estimate with an interval.")


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="The folders of two runs or more.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
    as_json: JsonOption = False,
) -> None:
    """Hold several runs side by side: what differs between their studies, and what each found."""
    found = mendel.compare(folders)
    path = found.write(out)
    if as_json:
        print_json({**found.to_json(), "page": str(path)})
        return
    typer.echo(found.describe())
    typer.echo(f"page: {path}")
