from __future__ import annotations

import io

from mendel.engine.progress import Lines, NullProgress, clock, number, show_progress
from mendel.engine.progress.events import Interval, TraitSoFar


def test_lines_say_share_and_time_left_and_end_with_done() -> None:
    stream = io.StringIO()
    with Lines(stream, every=0) as progress:
        progress.stage("students", 4)
        progress.step(1, "1 of 4")
        progress.step(3, "4 of 4")
    first, middle, last = stream.getvalue().splitlines()
    assert first == "students …"
    assert middle.startswith("students: 1 of 4, 25 %,")
    assert middle.endswith("left")
    assert last.endswith("done")


def test_quick_steps_do_not_flood_a_log() -> None:
    stream = io.StringIO()
    progress = Lines(stream, every=3600)
    progress.stage("students", 1000)
    for _ in range(1000):
        progress.step(1)
    assert len(stream.getvalue().splitlines()) == 2


def test_a_pipe_gets_plain_lines() -> None:
    assert isinstance(show_progress(io.StringIO()), Lines)
    assert isinstance(show_progress(io.StringIO()), NullProgress)


def test_clock() -> None:
    assert [clock(s) for s in (0.4, 61, 3600)] == ["0:00", "1:01", "1:00:00"]


def test_effects_are_one_line_a_trait_and_said_again_only_when_they_changed() -> None:
    stream = io.StringIO()
    progress = Lines(stream)
    known = Interval(0.5, 0.25, None)
    one = TraitSoFar("dates", known, Interval(), {"base": known})
    progress.effects([one])
    progress.effects([one])
    assert stream.getvalue() == (
        "so far: dates: original 0.50 [0.25, ?], alternate ?; base +0.50 [+0.25, ?]\n"
    )


def test_hostile_labels_stay_on_their_line_and_are_inert() -> None:
    stream = io.StringIO()
    progress = Lines(stream, every=0)
    progress.stage("a\nb\x1b[2J", 1)
    progress.step(1, "c\r\x1b]0;title\x07d")
    assert len(stream.getvalue().splitlines()) == 2
    assert not any(character in stream.getvalue() for character in "\x1b\x07\r")


def test_a_number_never_reads_minus_zero() -> None:
    assert number(Interval(-0.001, -0.2, 0.0), "+") == "0.00 [-0.20, 0.00]"
