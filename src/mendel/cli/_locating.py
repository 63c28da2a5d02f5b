"""`mendel locate`, `selectors` and `virulence`: which prompts of a finished run carry a trait, and how few bring it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli._shared import JsonOption, StoreOption, print_json, telling

RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]
StudyOption = Annotated[Path | None, typer.Option(help="The run's study file, where it was moved.")]


def virulence(
    folder: RunArgument,
    traits: Annotated[
        list[str] | None,
        typer.Option(
            "--trait", help="Only this trait; may be given again (default: all that the teacher carries)."
        ),
    ] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option(
            "--share",
            metavar="S",
            help="A share of the prompts, between 0 and 1; may be given again (default: .01 .02 .05 .1 .25 .5).",
        ),
    ] = None,
    subsets: Annotated[int, typer.Option(min=1, help="Random subsets of each share.")] = 6,
    study: StudyOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how small a share of the original teacher's answers still brings a trait, over many random subsets."""
    from mendel.commands.virulence import SHARES

    with telling() as progress:
        found = mendel.virulence(
            folder,
            traits or None,
            shares=shares or SHARES,
            subsets=subsets,
            study=study,
            store=store,
            progress=progress,
        )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.describe())


def locate(
    folder: RunArgument,
    trait: Annotated[str, typer.Option(help="The trait to locate.")],
    students: Annotated[int, typer.Option(min=1, help="Students to train at most.")] = 40,
    seeds: Annotated[int, typer.Option(min=2, help="Students of each arm of the confirmation.")] = 2,
    study: StudyOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest set of prompts whose teacher swap removes a trait, and confirm it."""
    with telling() as progress:
        found = mendel.locate(
            folder, trait, students=students, seeds=seeds, study=study, store=store, progress=progress
        )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.describe())


def selectors(
    folder: RunArgument,
    trait: Annotated[str, typer.Option(help="The trait to remove.")],
    by: Annotated[list[str], typer.Option("--by", help="A selector; may be given again.")],
    share: Annotated[
        float | None, typer.Option(help="The share of the prompts that each flags (default: the run's own).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Students of each selector and edit.")] = 2,
    study: StudyOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be left of a trait, had another selector flagged the prompts: dropped, swapped, against random."""
    with telling() as progress:
        found = mendel.selectors(
            folder, trait, by, share=share, seeds=seeds, study=study, store=store, progress=progress
        )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.describe())
