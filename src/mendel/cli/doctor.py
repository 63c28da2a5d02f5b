"""`mendel doctor`: whether mendel works on this machine."""

from __future__ import annotations

import typer

import mendel
from mendel.cli.options import OutputOptions
from mendel.cli.root import app
from mendel.cli.shared import command, show, working


@command(app, "mendel doctor", "mendel doctor --json")
def doctor(options: OutputOptions) -> None:
    """Check the installation: packages, device, and whether a student trains and generates.

    Exit code 1 if something does not work.
    """
    with working(mendel.doctor, options) as shared:
        checkup = mendel.doctor(**shared)
    show(checkup, options)
    if not checkup.works:
        raise typer.Exit(1)
