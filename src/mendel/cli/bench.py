"""`mendel bench`: measure how good mendel is, on organisms whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, STUDY, WorkOptions
from mendel.cli.shared import command, given, show, working, write_json

app = typer.Typer(help="Measure how good mendel is, on organisms whose truth is known.", no_args_is_help=True)

PerSpreadOption = Annotated[
    int, typer.Option(min=1, rich_help_panel=STUDY, help="Number of organisms of each spread of carriers.")
]
SeedsFromOption = Annotated[
    int,
    typer.Option(
        min=0, rich_help_panel=STUDY, help="Random seed of the first organism. Each further seed is one more."
    ),
]
OutOption = Annotated[Path | None, typer.Option(rich_help_panel=OUTPUT, help="JSON file for the result.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, rich_help_panel=STUDY, help="Number of organisms at a time.")
]


@command(
    app,
    "mendel bench verdicts --per-cause 1 --seeds-from 1",
    "mendel bench verdicts --per-cause 1 --seeds-from 1 --generator folk",
)
def verdicts(
    options: WorkOptions,
    per_cause: Annotated[
        int, typer.Option(min=1, rich_help_panel=STUDY, help="Number of organisms of each cause.")
    ],
    seeds_from: SeedsFromOption,
    causes: Annotated[
        list[str] | None,
        typer.Option(
            "--cause",
            rich_help_panel=STUDY,
            help="Cause, or two causes as A+B. Repeat for several. Default: all of the generator.",
        ),
    ] = None,
    strength: Annotated[
        str | None,
        typer.Option(rich_help_panel=STUDY, help="weak, standard or strong. Default: the seed decides."),
    ] = None,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid", rich_help_panel=STUDY, help="Also train the fixed grid of all arms. Many more students."
        ),
    ] = False,
    generator: Annotated[
        str, typer.Option(rich_help_panel=STUDY, help="Generator of the organisms: planted or folk.")
    ] = "planted",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            rich_help_panel=STUDY,
            help="Change each organism, as `mendel organism --with` does. Repeat, or separate by commas.",
        ),
    ] = None,
    workers: WorkersOption = None,
    out: OutOption = None,
) -> None:
    """Make organisms, diagnose them, and compare the verdicts with the truth."""
    with working(mendel.bench_verdicts, options) as shared:
        result = mendel.bench_verdicts(
            per_cause,
            seeds_from,
            strength=strength,
            grid=grid,
            generator=generator,
            transformations=[name for text in changes or () for name in text.split(",") if name],
            workers=workers,
            **given(causes=causes),
            **shared,
        )
    _show(result, out, options)


@command(
    app,
    "mendel bench locate --per-spread 1 --seeds-from 1",
    "mendel bench locate --per-spread 3 --seeds-from 1 --out locate.json",
)
def locate(
    options: WorkOptions,
    per_spread: PerSpreadOption,
    seeds_from: SeedsFromOption,
    workers: WorkersOption = None,
    out: OutOption = None,
) -> None:
    """Make organisms with known carriers, locate the carriers, and measure precision and recall."""
    with working(mendel.bench_locate, options) as shared:
        result = mendel.bench_locate(per_spread, seeds_from, workers=workers, **shared)
    _show(result, out, options)


@command(
    app,
    "mendel bench selectors --per-spread 1 --seeds-from 1",
    "mendel bench selectors --per-spread 3 --seeds-from 1 --out selectors.json",
)
def selectors(
    options: WorkOptions,
    per_spread: PerSpreadOption,
    seeds_from: SeedsFromOption,
    workers: WorkersOption = None,
    out: OutOption = None,
) -> None:
    """Make organisms with known carriers, and measure by retraining what each selector finds."""
    with working(mendel.bench_selectors, options) as shared:
        result = mendel.bench_selectors(per_spread, seeds_from, workers=workers, **shared)
    _show(result, out, options)


def _show(result: mendel.BenchResult, out: Path | None, options: WorkOptions) -> None:
    if out is not None:
        write_json(out, result.to_json())
    show(result, options)
