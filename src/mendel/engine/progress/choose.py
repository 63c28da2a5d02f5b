"""How progress is shown: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import IO

from mendel.engine.progress.lines import Lines
from mendel.engine.progress.protocol import NullProgress


def show_progress(stream: IO[str] | None = None) -> NullProgress:
    """A live display where the stream is a terminal, plain lines where it is not."""
    chosen = stream or sys.stderr
    if not chosen.isatty():
        return Lines(chosen)
    from mendel.engine.progress.display import Display

    return Display()
