"""The command line: parses, calls the public API, prints. What it says goes to standard error, results to standard output."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli import _audit, _benches, _judges, _locating, _reports, _traits, _watching
from mendel.cli._shared import (
    BatchInOption,
    BatchOutOption,
    JsonOption,
    StoreOption,
    StudyArgument,
    console,
    print_json,
    telling,
)
from mendel.engine.errors import MendelError
from mendel.engine.trace import traced

TraceOption = Annotated[
    Path | None,
    typer.Option(help="Write where the time went to this file: a trace for ui.perfetto.dev."),
]

app = typer.Typer(
    help="Which part of a fine-tuning pipeline carries an unwanted trait: base, prompts or teacher.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def run(
    study: StudyArgument = "peas",
    out: Annotated[Path | None, typer.Option(help="The run's folder (default: runs/<name>).")] = None,
    store: StoreOption = None,
    batch_out: BatchOutOption = None,
    batch_in: BatchInOption = None,
    watch: _watching.WatchOption = False,
    trace: TraceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Diagnose a study: train and measure its students, say which part carries each trait."""
    with _watching.watched(study, out, watch), traced(trace):
        with telling() as progress:
            result = mendel.run(
                study, out, store=store, progress=progress, batch_in=batch_in, batch_out=batch_out
            )
        _print_run(result, as_json)


def _print_run(result: mendel.Run, as_json: bool) -> None:
    if as_json:
        print_json(result.verdicts)
        return
    from mendel.report import terminal_summary

    out_ = console()
    out_.print(terminal_summary(result.verdicts))
    if result.reused:
        out_.print("This run was finished before: nothing had to be done.")
    # Typer's echo, not Rich: a path must not be wrapped or coloured, since people copy it.
    typer.echo(f"report: {result.report}")


@app.command()
def plan(study: StudyArgument = "peas", store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Say what a run would do: students, tokens, time, disk, and what the store has already."""
    with telling() as progress:
        planned = mendel.plan(study, store=store, progress=progress)
    if as_json:
        print_json(planned.to_json())
    else:
        typer.echo(planned.describe())


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what is installed, on which device, and whether a student trains and generates here."""
    with telling() as progress:
        found = mendel.doctor(progress=progress)
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.describe())
    if not found.works:
        raise typer.Exit(1)


@app.command()
def organism(
    cause: Annotated[str, typer.Argument(help="A cause, `none`, or two causes as `A+B`.")],
    seed: Annotated[int, typer.Option(min=0, help="Decides all that should not matter.")],
    out: Annotated[Path, typer.Option(help="An empty folder for the study.")],
    truth: Annotated[
        Path | None, typer.Option(help="Where the truth is written; it stands nowhere else.")
    ] = None,
    strength: Annotated[
        str | None, typer.Option(help="weak, standard or strong (default: drawn by the seed).")
    ] = None,
    spread: Annotated[
        str,
        typer.Option(
            help="Of simple_generalization: all, clustered or scattered; with the last two, 5 to 10 % of 1,000 prompts carry it."
        ),
    ] = "all",
    as_json: JsonOption = False,
) -> None:
    """Make a study whose cause is planted and known."""
    with telling() as progress:
        made = mendel.organism(
            cause, seed, out, truth=truth, strength=strength, spread=spread, progress=progress
        )
    if as_json:
        print_json({"study": str(made.study), "redraws": made.redraws})
        return
    typer.echo(f"study: {made.study}")


app.command()(_reports.report)
app.command()(_reports.compare)
app.command()(_audit.audit)
app.command()(_judges.rejudge)
app.command()(_locating.locate)
app.command()(_locating.selectors)
app.command()(_locating.virulence)
app.command()(_watching.watch)
app.add_typer(_traits.app, name="trait")
app.add_typer(_judges.app, name="judge")
app.add_typer(_benches.app, name="bench")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mendel {mendel.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


def main() -> None:
    """The console script: every expected error is one message and an exit code, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(standalone_mode=True)
    except MendelError as error:
        typer.echo(f"mendel: {error.message}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): no error, but Python must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
