"""The command line: read the options, call the public API, print the result.

Results go to standard output. Progress and messages go to standard error.
"""

from __future__ import annotations

import os
import signal
import sys

import typer

import mendel
from mendel.cli import audit, bench, doctor, judge, locate, organism, report, run, trait
from mendel.cli.root import app, arrange

_MODULES = (audit, doctor, locate, organism, report, run)
"""Modules that add their commands to `app` when they are imported."""

for group, name in ((trait, "trait"), (judge, "judge"), (bench, "bench")):
    app.add_typer(group.app, name=name)
arrange(app)

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line. Every expected error is one message and an exit code, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(standalone_mode=True)
    except mendel.MendelError as error:
        typer.echo(f"mendel: {error.message}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): no error, but Python must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
