"""`mendel audit`: how much of each trait a model shows, before anybody trains on its answers."""

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

TeacherOption = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", help="A model: hf:FOLDER, hf:HUB_NAME, openai:URL#MODEL, openai:MODEL, vllm:FOLDER."
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", help="A model that judges by the traits' rubrics (default: each trait's own judge)."
    ),
]


def audit(
    study: Annotated[str | None, typer.Argument(help="A study, whose teachers are audited.")] = None,
    teacher: TeacherOption = None,
    traits: Annotated[
        list[str] | None,
        typer.Option(
            "--trait",
            help="A trait's name or file, or inspect:TASK; may be given again (default: all three).",
        ),
    ] = None,
    judge: JudgeOption = None,
    system: Annotated[str | None, typer.Option(help="A system prompt to ask the teacher under.")] = None,
    scenarios: Annotated[int | None, typer.Option(min=1, help="Scenarios of each trait at most.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Responses to each scenario.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a response at most (default: the trait's own).")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="Show so many transcripts of each trait.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the responses, the numbers and Inspect's logs.")
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
    """Measure how much of each trait a model (or a study's teachers) shows."""
    from mendel.cli._endpoints import budget_of, endpoint_of, judge_of
    from mendel.report import audit_summary, transcripts

    endpoint = endpoint_of(key, concurrency)
    stopped: mendel.Stopped | None = None
    with telling() as progress:
        try:
            found = mendel.audit(
                study,
                teacher=teacher,
                system=system,
                traits=traits or (),
                judge=judge_of(judge, endpoint),
                endpoint=endpoint,
                samples=samples,
                scenarios=scenarios,
                max_tokens=max_tokens,
                budget=budget_of(dollars, requests, tokens),
                out=out,
                store=store,
                progress=progress,
                batch=mendel.Batch(batch_in, batch_out),
            )
        except mendel.Stopped as error:
            if error.result is None:
                raise
            found, stopped = error.result, error
    if as_json:
        print_json(found.to_json())
    else:
        console().print(audit_summary(found.to_json()))
        if show and found.measurements is not None:
            console().print(transcripts(found.measurements, show))
        if out is not None:
            typer.echo(f"responses: {out / 'measurements.parquet'}")
    if stopped is not None:
        raise stopped
