"""`mendel organism`: make a study whose cause is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, STUDY, OutputOptions
from mendel.cli.root import app
from mendel.cli.shared import command, print_json, working


@command(
    app,
    "mendel organism bad_prompts --seed 1 --out organism --truth truth.json",
    "mendel organism none --seed 2 --out organism --with rate=.1,shared_base",
)
def organism(
    options: OutputOptions,
    cause: Annotated[str, typer.Argument(help="Cause to plant, none, or two causes as A+B.")],
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=STUDY, help="Random seed.")],
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Empty folder for the study.")],
    truth: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="File for the truth. The study does not contain the truth."
        ),
    ] = None,
    strength: Annotated[
        str | None,
        typer.Option(rich_help_panel=STUDY, help="weak, standard or strong. Default: the seed decides."),
    ] = None,
    spread: Annotated[
        str,
        typer.Option(
            rich_help_panel=STUDY,
            help="Which prompts carry the trait, for simple_generalization only: all, or "
            "5 to 10 % of 1,000 prompts (clustered or scattered).",
        ),
    ] = "all",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAME[=VALUE],…",
            rich_help_panel=STUDY,
            help="Changes that a real study may have, with commas between them, such as "
            "judge_recall=.5,shared_base. docs/organisms.md lists them.",
        ),
    ] = None,
    generator: Annotated[
        str,
        typer.Option(rich_help_panel=STUDY, help="planted, or folk, a second generator of another design."),
    ] = "planted",
) -> None:
    """Make a study whose cause is planted and therefore known."""
    with working(mendel.organism, options) as shared:
        made = mendel.organism(
            cause,
            seed,
            out,
            truth=truth,
            strength=strength,
            spread=spread,
            transformations=[part for text in changes or () for part in text.split(",")],
            generator=generator,
            **shared,
        )
    if options.as_json:
        print_json({"study": str(made.study), "redraws": made.redraws})
        return
    typer.echo(f"study: {made.study}")
