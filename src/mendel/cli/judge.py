"""`mendel judge` and `mendel rejudge`: labels by hand, agreement, and another judge for a finished run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import (
    JUDGE,
    OUTPUT,
    STUDY,
    EndpointOptions,
    RunArgument,
    SpendingOptions,
    TraitOption,
)
from mendel.cli.root import app as root
from mendel.cli.shared import command, console, given, print_json, working

app = typer.Typer(help="Compare judges with labels by hand, and with each other.", no_args_is_help=True)


@command(
    app,
    "mendel judge label runs/peas --trait blackmail --out labels.jsonl",
    "mendel judge label runs/mine --trait blackmail --stratum unseen",
)
def label(
    options: SpendingOptions,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of a run, or of an audit with --out. With --stratum: of a run, or a study file.",
        ),
    ],
    trait: TraitOption,
    out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="File for the labels. Labels in the file are kept. Default with --stratum: where the next "
            "run looks for them.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=STUDY,
            help="Number of responses to label, drawn at random. Default: all; 50 of each --stratum.",
        ),
    ] = None,
    strata: Annotated[
        list[str] | None,
        typer.Option(
            "--stratum",
            metavar="flagged|mild|unseen",
            rich_help_panel=STUDY,
            help="Label rollouts of the original teacher in this stratum, in place of responses. Repeat for "
            "several.",
        ),
    ] = None,
) -> None:
    """Score responses or rollouts by hand, in the terminal. The scores of judges are hidden."""
    with working(mendel.judge_label, options) as shared:
        labels = mendel.judge_label(
            folder,
            trait,
            out,
            count,
            # Standard output is for JSON alone, where that is asked for.
            ask=partial(typer.prompt, err=options.as_json),
            tell=partial(typer.echo, err=options.as_json),
            **given(strata=strata),
            **shared,
        )
    if options.as_json:
        print_json({"labels": labels})
    else:
        typer.echo(f"labels: {out} ({labels} in all)" if out else f"labels: {labels} in all")


@command(
    app,
    "mendel judge agree labels.jsonl --trait blackmail",
    "mendel judge agree l.jsonl --trait blackmail --judge hf:./judge",
)
def agree(
    options: EndpointOptions,
    labels: Annotated[Path, typer.Argument(help="File of labels, as `mendel judge label` writes it.")],
    trait: TraitOption,
    judges: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            metavar="SPEC",
            rich_help_panel=JUDGE,
            help="Model that judges, or own: the trait's own judge. Repeat for several. Default: own.",
        ),
    ] = None,
) -> None:
    """Measure how well judges agree with labels by hand, and with each other (Cohen's kappa)."""
    with working(mendel.judge_agree, options) as shared:
        agreement = mendel.judge_agree(
            labels, trait, endpoint=options.endpoint, **given(judges=judges), **shared
        )
    if options.as_json:
        print_json(agreement)
    else:
        console().print(mendel.agreement_summary(agreement))


@command(
    root,
    "mendel rejudge runs/peas --judge openai:gpt-4o --dollars 5",
    "mendel rejudge runs/mine --judge my_trait.yaml --trait my_trait",
)
def rejudge(
    options: EndpointOptions,
    folder: RunArgument,
    judge: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            rich_help_panel=JUDGE,
            help="Model that judges by the rubric of each trait, or a trait file.",
        ),
    ],
    traits: Annotated[
        list[str] | None,
        typer.Option(
            "--trait", rich_help_panel=STUDY, help="Trait to judge. Repeat for several. Default: all traits."
        ),
    ] = None,
) -> None:
    """Score the responses of a run with another judge, and list the effects and verdicts that change."""
    with working(mendel.rejudge, options) as shared:
        rejudged = mendel.rejudge(folder, judge, traits=traits or (), endpoint=options.endpoint, **shared)
    if options.as_json:
        print_json(rejudged.to_json())
        return
    console().print(mendel.changes_summary(rejudged.to_json()))
    typer.echo(f"verdicts: {rejudged.folder / 'verdicts.json'}")
