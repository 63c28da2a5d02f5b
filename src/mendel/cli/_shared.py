"""What all commands share: their options, progress, and how they print."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

StudyArgument = Annotated[str, typer.Argument(help="A study file, or the name of a built-in study.")]
StoreOption = Annotated[
    Path | None,
    typer.Option(help="Where finished work is kept (default: MENDEL_STORE, or ~/.cache/mendel)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key", metavar="NAME", help="The NAME of the environment variable that holds the endpoint's key."
    ),
]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="Requests to an endpoint in flight at once.")]
DollarsOption = Annotated[
    float | None, typer.Option(min=0, help="Spend at most so many dollars on endpoints.")
]
RequestsOption = Annotated[
    int | None, typer.Option(min=1, help="Send at most so many requests to endpoints.")
]
TokensOption = Annotated[int | None, typer.Option(min=1, help="Use at most so many tokens of endpoints.")]
BatchOutOption = Annotated[
    Path | None,
    typer.Option(
        help="Write the requests to endpoints into this file, for a provider's batch, and send none."
    ),
]
BatchInOption = Annotated[
    Path | None, typer.Option(help="Take in the answers of a provider's batch before anything else.")
]


@contextlib.contextmanager
def telling() -> Iterator[Any]:
    """Progress for the time of a block, and what to say when it is interrupted."""
    from mendel.engine.progress import for_stream

    with for_stream() as progress:
        try:
            yield progress
        except KeyboardInterrupt:
            progress.close()
            typer.echo(
                "mendel: interrupted. What is finished is kept: run the same command to go on.", err=True
            )
            raise typer.Exit(130) from None


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def console() -> Console:
    """Standard output; 100 columns where it is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=100)
