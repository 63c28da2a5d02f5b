"""`mendel audit`: how much of each trait a model shows, before anybody trains on its responses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mendel
from mendel.cli.options import OUTPUT, STUDY, EndpointOptions, JudgeOption
from mendel.cli.root import app
from mendel.cli.shared import as_far_as_it_came, command, console, print_json, working


@command(
    app,
    "mendel audit study.yaml --out runs/audit",
    "mendel audit --teacher hf:./checkpoint --trait blackmail --show 3",
)
def audit(
    options: EndpointOptions,
    study: Annotated[str | None, typer.Argument(help="Study whose teachers are measured.")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            rich_help_panel=STUDY,
            help="Model to measure, instead of a study: "
            "hf:FOLDER, hf:HUB_NAME, openai:URL#MODEL, openai:MODEL, vllm:FOLDER.",
        ),
    ] = None,
    traits: Annotated[
        list[str] | None,
        typer.Option(
            "--trait",
            rich_help_panel=STUDY,
            help="Name or file of a trait, or inspect:TASK. Repeat for several. "
            "Default: the three built-in traits.",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(rich_help_panel=STUDY, help="System prompt for the teacher.")
    ] = None,
    scenarios: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=STUDY, help="Largest number of scenarios of a trait.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=STUDY, help="Responses to each scenario.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=STUDY, help="Longest response, in tokens. Default: the limit of the trait."
        ),
    ] = None,
    judge: JudgeOption = None,
    show: Annotated[
        int, typer.Option(min=0, rich_help_panel=OUTPUT, help="Number of transcripts to print of each trait.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="Folder for the responses, the results and Inspect's logs."
        ),
    ] = None,
) -> None:
    """Measure how much of each trait a model, or the teachers of a study, show."""
    with working(mendel.audit, options) as shared:
        result, stopped = as_far_as_it_came(
            mendel.audit,
            study,
            teacher=teacher,
            system=system,
            traits=traits or (),
            judge=options.judge(judge),
            endpoint=options.endpoint,
            samples=samples,
            scenarios=scenarios,
            max_tokens=max_tokens,
            out=out,
            **shared,
        )
    if options.as_json:
        print_json(result.to_json())
    else:
        console().print(mendel.audit_summary(result.to_json()))
        if show and result.measurements is not None:
            console().print(mendel.transcripts(result.measurements, show))
        if out is not None:
            typer.echo(f"responses: {out / 'measurements.parquet'}")
    if stopped is not None:
        raise stopped
