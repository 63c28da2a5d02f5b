"""`mendel judge` and `mendel rejudge`: labels by hand, agreement, and a second judge for a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli._shared import (
    BatchInOption,
    BatchOutOption,
    ConcurrencyOption,
    DollarsOption,
    JsonOption,
    KeyOption,
    RequestsOption,
    StoreOption,
    TokensOption,
    console,
    print_json,
    telling,
)

app = typer.Typer(help="Hold judges against labels by hand, and against each other.", no_args_is_help=True)
TraitOption = Annotated[str, typer.Option("--trait", help="A trait's name or file.")]


@app.command()
def label(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run or an audit (`--out`).")],
    trait: TraitOption,
    out: Annotated[Path, typer.Option(help="The file of labels; labels that it has are kept.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="Label so many responses, drawn at random.")
    ] = None,
) -> None:
    """Score responses by hand, in the terminal: one after another, by the trait's rubric, blind to any judge."""
    done = mendel.judge_label(folder, trait, out, count, ask=typer.prompt, tell=typer.echo)
    typer.echo(f"labels: {out} ({done} in all)")


@app.command()
def agree(
    labels: Annotated[Path, typer.Argument(help="A file of labels, as `mendel judge label` writes it.")],
    trait: TraitOption,
    judges: Annotated[
        list[str] | None,
        typer.Option(
            "--judge", metavar="SPEC", help="A model, or `own` (the trait's own judge); may be given again."
        ),
    ] = None,
    key: KeyOption = "OPENAI_API_KEY",
    concurrency: ConcurrencyOption = 8,
    dollars: DollarsOption = None,
    requests: RequestsOption = None,
    tokens: TokensOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far judges agree with labels by hand, and with each other (Cohen's kappa)."""
    from mendel.cli._endpoints import budget_of, endpoint_of
    from mendel.report import agreement_summary

    with telling() as progress:
        found = mendel.judge_agree(
            labels,
            trait,
            judges or ("own",),
            endpoint=endpoint_of(key, concurrency),
            budget=budget_of(dollars, requests, tokens),
            store=store,
            progress=progress,
        )
    if as_json:
        print_json(found)
    else:
        console().print(agreement_summary(found))


def rejudge(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    judge: Annotated[
        str, typer.Option(metavar="SPEC", help="A model that judges by the traits' rubrics, or a trait file.")
    ],
    traits: Annotated[
        list[str] | None, typer.Option("--trait", help="Only this trait; may be given again.")
    ] = None,
    key: KeyOption = "OPENAI_API_KEY",
    concurrency: ConcurrencyOption = 8,
    dollars: DollarsOption = None,
    requests: RequestsOption = None,
    tokens: TokensOption = None,
    store: StoreOption = None,
    batch_out: BatchOutOption = None,
    batch_in: BatchInOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a run's responses with another judge, and say which effects and verdicts that changes."""
    from mendel.cli._endpoints import budget_of, endpoint_of
    from mendel.report import changes_summary

    with telling() as progress:
        found = mendel.rejudge(
            folder,
            judge,
            traits=traits or (),
            endpoint=endpoint_of(key, concurrency),
            budget=budget_of(dollars, requests, tokens),
            store=store,
            progress=progress,
            batch_in=batch_in,
            batch_out=batch_out,
        )
    if as_json:
        print_json(found.to_json())
        return
    console().print(changes_summary(found.to_json()))
    typer.echo(f"verdicts: {found.folder / 'verdicts.json'}")
