"""How progress is shown: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import IO

from mendel.engine.progress.lines import Lines
from mendel.engine.progress.protocol import NullProgress


def show_progress(stream: IO[str] | None = None) -> NullProgress:
    """Return a context manager that shows progress: a live display on a terminal, plain lines elsewhere.

    Args:
        stream: Where progress is written; None: standard error.
    """
    chosen = stream or sys.stderr
    if not chosen.isatty():
        return Lines(chosen)
    from mendel.engine.progress.display import Display

    return Display()
