"""`mendel locate`, `selectors` and `virulence`: which prompts of a finished run carry a trait."""

from __future__ import annotations

from typing import Annotated

import typer

import mendel
from mendel.cli.options import STUDY, TRAINING, RunArgument, SpendingOptions, StudyOption, TraitOption
from mendel.cli.root import app
from mendel.cli.shared import command, given, show, working


@command(
    app,
    "mendel locate runs/peas --trait date_confusion",
    "mendel locate runs/mine --trait my_trait --students 80 --json",
)
def locate(
    options: SpendingOptions,
    folder: RunArgument,
    trait: TraitOption,
    study: StudyOption = None,
    students: Annotated[
        int, typer.Option(min=1, rich_help_panel=TRAINING, help="Largest number of students to train.")
    ] = 70,
    seeds: Annotated[
        int,
        typer.Option(min=2, rich_help_panel=TRAINING, help="Students of each arm that confirms the result."),
    ] = 8,
) -> None:
    """Find the smallest set of prompts whose teacher swap removes a trait, and confirm that set."""
    with working(mendel.locate, options) as shared:
        located = mendel.locate(folder, trait, students=students, seeds=seeds, study=study, **shared)
    show(located, options)


@command(
    app,
    "mendel selectors runs/peas --trait date_confusion --by length",
    "mendel selectors runs/mine --trait my_trait --by judge --by probe",
)
def selectors(
    options: SpendingOptions,
    folder: RunArgument,
    trait: TraitOption,
    by: Annotated[
        list[str],
        typer.Option(
            "--by", metavar="SELECTOR", rich_help_panel=STUDY, help="Selector to try. Repeat for several."
        ),
    ],
    share: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=STUDY,
            help="Share of the prompts that each selector flags, 0 to 1. Default: the share of the run.",
        ),
    ] = None,
    study: StudyOption = None,
    seeds: Annotated[
        int, typer.Option(min=2, rich_help_panel=TRAINING, help="Students of each selector and edit.")
    ] = 2,
) -> None:
    """Measure what is left of a trait if other selectors flag the prompts.

    The flagged prompts are dropped or swapped, and compared with as many prompts at random.
    """
    with working(mendel.selectors, options) as shared:
        tried = mendel.selectors(folder, trait, by, share=share, seeds=seeds, study=study, **shared)
    show(tried, options)


@command(
    app, "mendel virulence runs/peas", "mendel virulence runs/mine --trait my_trait --share .01 --share .1"
)
def virulence(
    options: SpendingOptions,
    folder: RunArgument,
    traits: Annotated[
        list[str] | None,
        typer.Option(
            "--trait",
            rich_help_panel=STUDY,
            help="Trait to measure. Repeat for several. Default: all traits that the teacher carries.",
        ),
    ] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option(
            "--share",
            metavar="SHARE",
            rich_help_panel=STUDY,
            help="Share of the prompts, 0 to 1. Repeat for several. Default: .01 .02 .05 .1 .25 .5.",
        ),
    ] = None,
    study: StudyOption = None,
    subsets: Annotated[
        int, typer.Option(min=1, rich_help_panel=TRAINING, help="Random subsets of each share.")
    ] = 6,
) -> None:
    """Measure how small a share of the original teacher's responses still causes a trait."""
    with working(mendel.virulence, options) as shared:
        measured = mendel.virulence(
            folder, traits or None, subsets=subsets, study=study, **given(shares=shares), **shared
        )
    show(measured, options)
