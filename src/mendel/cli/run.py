"""`mendel run`, `plan` and `watch`: diagnose a study, and follow a run."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, SpendingOptions, StudyArgument, WorkOptions
from mendel.cli.root import app
from mendel.cli.shared import as_far_as_it_came, command, console, print_json, show, working

OutOption = Annotated[
    Path | None, typer.Option(rich_help_panel=OUTPUT, help="Folder for the run. Default: runs/NAME.")
]
WatchOption = Annotated[
    bool, typer.Option("--watch", rich_help_panel=OUTPUT, help="Serve a live page and print its address.")
]
TraceOption = Annotated[
    Path | None,
    typer.Option(rich_help_panel=OUTPUT, help="Write a time trace to this file, for ui.perfetto.dev."),
]


@command(app, "mendel run", "mendel run study.yaml --out runs/mine --watch")
def run(
    options: SpendingOptions,
    study: StudyArgument = "peas",
    out: OutOption = None,
    watch: WatchOption = False,
    trace: TraceOption = None,
) -> None:
    """Train and measure the students of a study, and find which part carries each trait.

    A run that was interrupted continues where it stopped. If the budget ends first, the results until then
    are written and printed, and the exit code is 3.
    """
    with _live_page(study, out, watch), mendel.traced(trace):
        with working(mendel.run, options) as shared:
            finished, stopped = as_far_as_it_came(mendel.run, study, out, **shared)
        _print_run(finished, options)
        if stopped is not None:
            raise stopped


def _print_run(finished: mendel.Run, options: SpendingOptions) -> None:
    if options.as_json:
        print_json(finished.verdicts)
        return
    output = console()
    output.print(mendel.terminal_summary(finished.verdicts))
    if finished.reused:
        output.print("This run was finished before: nothing had to be done.")
    # Typer's echo, not Rich: a path must not be wrapped or coloured, since people copy it.
    typer.echo(f"report: {finished.report}")


@command(app, "mendel plan", "mendel plan study.yaml --json")
def plan(options: WorkOptions, study: StudyArgument = "peas") -> None:
    """Estimate a run before it starts: students, tokens, time and disk, less what the store has already."""
    with working(mendel.plan, options) as shared:
        planned = mendel.plan(study, **shared)
    show(planned, options)


@command(app, "mendel watch runs/mine", "mendel watch runs/mine --port 8080 --browser")
def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, running or finished.")],
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, rich_help_panel=OUTPUT, help="Port of the page on 127.0.0.1. 0: any free port."
        ),
    ] = 0,
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", rich_help_panel=OUTPUT, help="Open the page in a browser."),
    ] = False,
) -> None:
    """Serve a page that shows the progress of a run and searches its responses, until Ctrl-C."""
    mendel.watch(folder, port, browser=browser, announce=_announce)


def _announce(url: str) -> None:
    typer.echo(f"watch: {url}")
    typer.echo("Press Ctrl-C to stop.", err=True)
    sys.stdout.flush()


@contextlib.contextmanager
def _live_page(study: str, out: Path | None, wanted: bool) -> Iterator[None]:
    """Context manager: serve the live page of a run, if wanted. On a terminal the page stays until Ctrl-C."""
    if not wanted:
        yield
        return
    with mendel.serving(out or Path("runs") / mendel.load_study(study).name) as server:
        typer.echo(f"watch: {server.url}", err=True)
        yield
        if sys.stderr.isatty():
            typer.echo("The page stays until you press Ctrl-C.", err=True)
            with contextlib.suppress(KeyboardInterrupt):
                # In pieces: a wait without an end cannot be interrupted everywhere.
                while True:
                    time.sleep(0.5)
        else:
            server.let_hear()
