from __future__ import annotations

import io
import logging
import sys

from rich.console import Console

from mendel.engine.progress.display import Display
from mendel.engine.progress.events import Interval, StudentEvent, TraitSoFar

HOSTILE = "\x1b[31m[bold]x[/bold] \x1b]8;;http://evil.example\x07"


def picture() -> str:
    stream = io.StringIO()
    with Display(
        Console(file=stream, force_terminal=True, width=120, height=40, color_system=None)
    ) as display:
        display.stage("rollouts", 1)
        display.step(1)
        display.stage("students", 4)
        for number in range(4):
            display.student(StudentEvent(f"s{number}", f"cube/OO{number}", number, "waiting"))
        display.student(StudentEvent("s0", "cube/OO0", 0, "ok"))
        display.student(StudentEvent("s1", HOSTILE, 1, "broken", HOSTILE))
        display.student(StudentEvent("s2", "cube/OO2", 2, "running"))
        display.step(2, "2 of 4")
        known = Interval(0.5, 0.25, 0.75)
        parts = {"base": Interval(0.0, -0.1, 0.1), "prompts": Interval(), "teacher": known}
        display.effects([TraitSoFar(HOSTILE, known, Interval(), parts)])
        seen = stream.getvalue()
        display._live.refresh()
        return stream.getvalue()[len(seen) :]


def test_students_time_left_and_effects_are_shown() -> None:
    shown = picture()
    for text in (
        "1 of 4 students done, 1 running, 1 failed, 1 to come",
        "cube/OO2, seed 2",
        "broken",
        "2 of 4",
        " left",
        "0.50 [0.25, 0.75]",
        "0.00 [-0.10, +0.10]",
        "+0.50 [+0.25, +0.75]",
    ):
        assert text in shown, text


def test_hostile_names_are_neither_markup_nor_escapes() -> None:
    shown = picture()
    assert "[bold]x[/bold]" in shown
    assert "\x1b]8" not in shown
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown


def test_log_lines_go_to_the_stream_from_before_when_the_display_is_closed() -> None:
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    try:
        before = sys.stderr
        display = Display(Console(file=io.StringIO(), force_terminal=True))
        display.close()
        assert sys.stderr is before
        assert handler.stream is before
    finally:
        logging.getLogger().removeHandler(handler)
