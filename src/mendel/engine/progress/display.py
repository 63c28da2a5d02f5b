"""The live display on a terminal: stages with their time left, students done, running and failed, effects so
far."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from mendel.engine.progress.board import Board, Stage
from mendel.engine.progress.format import clock, number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

RUNNING, FAILURES, TRAITS = 4, 4, 12
"""Limits of the lines shown of each: a terminal has little room. The page of `mendel watch` shows all."""


class Display(Board):
    """The board, drawn four times a second. All text is Rich `Text`, so that no name is read as markup."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._live = Live(
            get_renderable=self._picture,
            console=console or Console(stderr=True),
            refresh_per_second=4,
            vertical_overflow="ellipsis",
        )
        before = sys.stderr
        self._live.start()
        # Rich shows lines that are written meanwhile above the display, but log handlers keep the old stream.
        self._moved = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is before
        ]
        self._move_handlers()

    def close(self) -> None:
        """Stop drawing. The last picture stays on the terminal."""
        self._nothing_runs()
        self._live.stop()
        self._move_handlers()

    def _move_handlers(self) -> None:
        for handler in self._moved:
            handler.setStream(sys.stderr)

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            now, state = self._now(), self.snapshot()
            parts: list[RenderableType] = [_stages(self._stages, now)] if self._stages else []
        if state["students"]["total"]:
            parts += _students(state["students"])
        if self._effects:
            parts += [Text(""), _effects(state["effects"])]
        return Group(*parts)


def _stages(stages: list[Stage], now: float) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for stage in stages:
        left = stage.left(now)
        open_ = "" if left is None else f"{clock(left)} left"
        table.add_row(
            Text(stage.name, overflow="ellipsis", no_wrap=True),
            ProgressBar(total=1.0, completed=stage.share, width=30),
            Text(f"{100 * stage.share:3.0f} %"),
            Text(clock((now if stage.ended is None else stage.ended) - stage.began)),
            Text("done" if stage.ended is not None else open_, style="dim"),
            Text(stage.label, overflow="ellipsis", no_wrap=True),
        )
    return table


def _students(counted: dict[str, Any]) -> list[Text]:
    from rich.text import Text

    running, failed = counted["running"], counted["failed"]
    summary = Text(f"\n{counted['done']} of {counted['total']} students done, {len(running)} running")
    summary.append(f", {failed} failed", style="red" if failed else "")
    summary.append(f", {counted['waiting']} to come")
    lines = [summary]
    lines += [_line("running", f"{one['arm']}, seed {one['seed']}") for one in running[:RUNNING]]
    lines += [
        _line(one["status"], f"{one['arm']}, seed {one['seed']}: {one['reason']}", "red")
        for one in counted["failures"][-FAILURES:]
    ]
    return lines


def _line(what: str, text: str, style: str = "dim") -> Text:
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"  {what:<8}", style=style)
    return line.append(text)


def _effects(effects: dict[str, Any]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mendel.engine.progress.events import TraitSoFar

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("effects so far", "original", "alternate", "base", "prompts", "teacher"):
        table.add_column(heading, header_style="dim", overflow="fold")
    for name, content in list(effects.items())[:TRAITS]:
        one = TraitSoFar.read(name, content)
        values = (number(one.original), number(one.alternate))
        signed = (number(value, "+") for value in one.effects.values())
        table.add_row(*(Text(text) for text in (name, *values, *signed)))
    return table
