"""`mendel trait`: write a trait of your own, and try it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, STUDY, EndpointOptions, JudgeOption
from mendel.cli.shared import as_far_as_it_came, command, console, print_json, working

app = typer.Typer(help="Write a trait of your own, and try it.", no_args_is_help=True)


@command(app, "mendel trait new my_trait", "mendel trait new my_trait --out traits")
def new(
    name: Annotated[str, typer.Argument(help="Name of the trait: letters, digits and . _ -")],
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Folder for NAME.yaml.")] = Path(),
) -> None:
    """Write NAME.yaml, a trait with comments that works as it is."""
    typer.echo(f"trait: {mendel.trait_new(name, out)}")


@command(
    app,
    "mendel trait check my_trait.yaml --model hf:./checkpoint",
    "mendel trait check blackmail --model openai:gpt-4o --dollars 1",
)
def check(
    options: EndpointOptions,
    file: Annotated[str, typer.Argument(help="Trait file, name of a trait, or inspect:TASK.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="SPEC", rich_help_panel=STUDY, help="Model to ask: hf:FOLDER, openai:URL#MODEL."
        ),
    ],
    samples: Annotated[int, typer.Option(min=1, rich_help_panel=STUDY, help="Number of scenarios.")] = 3,
    judge: JudgeOption = None,
) -> None:
    """Ask a model a few scenarios of a trait, and print the judged transcripts."""
    with working(mendel.trait_check, options) as shared:
        audit, stopped = as_far_as_it_came(
            mendel.trait_check,
            file,
            model,
            judge=options.judge(judge),
            samples=samples,
            endpoint=options.endpoint,
            **shared,
        )
    rows = audit.measurements.to_pylist() if audit.measurements is not None else []
    if options.as_json:
        print_json({**audit.to_json(), "transcripts": rows})
    else:
        console().print(mendel.audit_summary(audit.to_json()))
        if audit.measurements is not None:
            console().print(mendel.transcripts(audit.measurements, max(samples, len(rows))))
    if stopped is not None:
        raise stopped
