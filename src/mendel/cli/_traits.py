"""`mendel trait`: a trait of one's own, from an empty file to judged transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli._audit import JudgeOption
from mendel.cli._shared import (
    ConcurrencyOption,
    JsonOption,
    KeyOption,
    StoreOption,
    console,
    print_json,
    telling,
)

app = typer.Typer(help="Write a trait of your own, and try it.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The trait's name: letters, digits, . _ -")],
    out: Annotated[Path, typer.Option(help="The folder for NAME.yaml.")] = Path(),
) -> None:
    """Write NAME.yaml, a commented trait to change."""
    typer.echo(f"trait: {mendel.trait_new(name, out)}")


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="A trait file, the name of a trait, or inspect:TASK.")],
    model: Annotated[
        str, typer.Option(metavar="SPEC", help="The model to try it on: hf:FOLDER, openai:URL#MODEL, …")
    ],
    judge: JudgeOption = None,
    samples: Annotated[int, typer.Option(min=1, help="Scenarios to try.")] = 3,
    key: KeyOption = "OPENAI_API_KEY",
    concurrency: ConcurrencyOption = 8,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a trait on one model with a few scenarios, and show the judged transcripts."""
    from mendel.cli._endpoints import endpoint_of, judge_of
    from mendel.report import audit_summary, transcripts

    endpoint = endpoint_of(key, concurrency)
    with telling() as progress:
        found = mendel.audit(
            teacher=model,
            traits=(file,),
            judge=judge_of(judge, endpoint),
            endpoint=endpoint,
            scenarios=samples,
            store=store,
            progress=progress,
        )
    rows = found.measurements.to_pylist() if found.measurements is not None else []
    if as_json:
        print_json({**found.to_json(), "transcripts": rows})
        return
    console().print(audit_summary(found.to_json()))
    if found.measurements is not None:
        console().print(transcripts(found.measurements, max(samples, len(rows))))
