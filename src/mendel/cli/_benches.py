"""`mendel bench`: how good mendel itself is, on organisms whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import mendel
from mendel.cli._shared import JsonOption, StoreOption, print_json, telling
from mendel.engine.store import write_atomic

app = typer.Typer(help="Measure how good mendel itself is.", no_args_is_help=True)
SeedsOption = Annotated[int, typer.Option(min=0, help="The first organism's seed; the others count up.")]
OutOption = Annotated[Path | None, typer.Option(help="Write the result as JSON to this file.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Organisms side by side.")]


@app.command("verdicts")
def verdicts(
    per_cause: Annotated[int, typer.Option(min=1, help="Organisms of each cause.")],
    seeds_from: SeedsOption,
    causes: Annotated[
        list[str] | None,
        typer.Option("--cause", help="A cause or a pair `A+B`; may be given again (default: all eight)."),
    ] = None,
    strength: Annotated[str | None, typer.Option(help="weak, standard or strong (default: drawn).")] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Compare with the fixed grid of all arms (many more students).")
    ] = False,
    out: OutOption = None,
    workers: WorkersOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make organisms, diagnose them, and hold the verdicts against the truth."""
    from mendel.commands.bench.verdicts import describe
    from mendel.organisms import CAUSES

    with telling() as progress:
        found = mendel.bench_verdicts(
            per_cause,
            seeds_from,
            causes=causes or CAUSES,
            strength=strength,
            grid=grid,
            workers=workers,
            store=store,
            progress=progress,
        )
    _tell(found, describe, out, as_json)


@app.command("locate")
def locate(
    per_spread: Annotated[int, typer.Option(min=1, help="Organisms of each spread of carriers.")],
    seeds_from: SeedsOption,
    out: OutOption = None,
    workers: WorkersOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make organisms whose carriers are known, locate them, and say precision and recall."""
    from mendel.commands.bench.locate import describe

    with telling() as progress:
        found = mendel.bench_locate(per_spread, seeds_from, workers=workers, store=store, progress=progress)
    _tell(found, describe, out, as_json)


@app.command("selectors")
def selectors(
    per_spread: Annotated[int, typer.Option(min=1, help="Organisms of each spread of carriers.")],
    seeds_from: SeedsOption,
    out: OutOption = None,
    workers: WorkersOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try every selector on organisms whose carriers are known, and say what retraining shows of each."""
    from mendel.commands.bench.selectors import describe

    with telling() as progress:
        found = mendel.bench_selectors(
            per_spread, seeds_from, workers=workers, store=store, progress=progress
        )
    _tell(found, describe, out, as_json)


def _tell(
    found: Mapping[str, Any], describe: Callable[[Mapping[str, Any]], str], out: Path | None, as_json: bool
) -> None:
    if out is not None:
        write_atomic(out, json.dumps(found, indent=1) + "\n")
    if as_json:
        print_json(found)
    else:
        typer.echo(describe(found))
