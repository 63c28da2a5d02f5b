"""The program `mendel` itself: the app that all commands are added to, and its version."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import mendel
from mendel.cli.shared import epilog

COMMANDS = {
    "Diagnose a study": ("run", "plan", "watch", "report", "compare"),
    "Look closer at a finished run": ("locate", "selectors", "virulence", "rejudge"),
    "Measure traits and judges": ("audit", "trait", "judge"),
    "Check mendel itself": ("doctor", "organism", "bench"),
}
"""Commands and groups of commands in the order of `mendel --help`, by panel.

`mendel A` calls `mendel.A`, and `mendel A B` calls `mendel.A_B`. The one exception is `mendel report`, which
calls `mendel.write_report`: `mendel.report` is a room, and a room is not named like a public function.
"""

app = typer.Typer(
    help="Find which part of a fine-tuning pipeline carries an unwanted trait: base, prompts or teacher.",
    epilog=epilog("mendel run", "mendel run study.yaml --out runs/mine"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mendel {mendel.__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


def arrange(app: typer.Typer) -> None:
    """Put the commands and groups of the app into the panels and the order of `COMMANDS`."""
    panels = {name: panel for panel, names in COMMANDS.items() for name in names}
    order = list(panels)
    for command in app.registered_commands:
        command.rich_help_panel = panels[command.name or ""]
    for group in app.registered_groups:
        group.rich_help_panel = panels[group.name or ""]
    app.registered_commands.sort(key=lambda command: order.index(command.name or ""))
