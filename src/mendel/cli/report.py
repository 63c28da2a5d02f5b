"""`mendel report` and `compare`: the pages and figures of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, OutputOptions, RunArgument
from mendel.cli.root import app
from mendel.cli.shared import command, print_json


@command(app, "mendel report runs/mine", "mendel report runs/mine --figures figures")
def report(
    folder: RunArgument,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT", rich_help_panel=OUTPUT, help="Write every figure to this folder, as SVG and PNG."
        ),
    ] = None,
) -> None:
    """Write the report of a run again, and its figures as files."""
    typer.echo(f"report: {mendel.write_report(mendel.open_run(folder).path)}")
    if figures is None:
        return
    files = mendel.write_figures(folder, figures)
    for file in files:
        typer.echo(f"figure: {file}")
    if not files:
        typer.echo("no figure: the run has no estimate with an interval.")


@command(app, "mendel compare runs/mine runs/other", "mendel compare runs/* --out all.html")
def compare(
    options: OutputOptions,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of two runs or more.")],
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="File for the page.")] = Path(
        "compare.html"
    ),
) -> None:
    """Compare runs: what differs between their studies, and between their verdicts."""
    comparison = mendel.compare(folders)
    page = comparison.write(out)
    if options.as_json:
        print_json({**comparison.to_json(), "page": str(page)})
        return
    typer.echo(comparison.describe())
    typer.echo(f"page: {page}")
