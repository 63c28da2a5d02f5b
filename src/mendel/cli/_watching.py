"""`mendel watch`, and what `mendel run --watch` shows beside the run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import mendel

PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="The page's port on 127.0.0.1 (0: any free one).")
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Serve a live page of the run; its address is printed.")
]


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run, running or ended.")],
    port: PortOption = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser, too.")
    ] = False,
) -> None:
    """Serve a page on this machine that shows how a run stands and searches its responses, until Ctrl-C."""
    mendel.watch(folder, port, browser=browser, announce=_announce)


@contextlib.contextmanager
def watched(study: str, out: Path | None, wanted: bool) -> Iterator[None]:
    """The live page for the time of a run, if it is wanted; on a terminal it stays after a run that ended well, until Ctrl-C."""
    if not wanted:
        yield
        return
    from mendel.commands.watch import wait
    from mendel.report.live import serving

    with serving(out or Path("runs") / mendel.load_study(study).name) as server:
        typer.echo(f"watch: {server.url}", err=True)
        yield
        if sys.stderr.isatty():
            typer.echo("The page stays until Ctrl-C.", err=True)
            with contextlib.suppress(KeyboardInterrupt):
                wait()
        else:
            server.let_hear()


def _announce(url: str) -> None:
    typer.echo(f"watch: {url}")
    typer.echo("Ctrl-C ends it.", err=True)
    sys.stdout.flush()
