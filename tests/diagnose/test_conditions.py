"""Conditions beside the contrasts: a recipe that moves nothing, or nearly enough, locks nothing in."""

from __future__ import annotations

import pytest

from mendel.diagnose.conditions import FIRM, MOVES, recipe_moves, teacher_shows
from mendel.diagnose.effects import Effects
from mendel.diagnose.stats.intervals import Estimate
from mendel.engine.interval import Interval


def log_odds(moved: float | None, left: float | None, se: float = 0.1) -> Effects:
    """Log-odds of which only what counter-examples take away, and what they leave, is known."""
    wanted = {"t/counter": moved}
    estimates = {name: Estimate(value, se) for name, value in wanted.items() if value is not None}
    levels = {} if left is None else {"counter/t": Estimate(left, se)}
    return Effects(
        trait="t",
        scale="nats",
        unit=1.0,
        cube={},
        contrasts=(),
        estimates=estimates,
        counts={},
        levels=levels,
        curve={},
        half_way=Interval(None),
        training_noise=True,
        warnings=(),
        fit=None,
    )


def test_counter_examples_that_move_the_answer_and_leave_it_firm_tell_a_lock_in() -> None:
    assert recipe_moves(log_odds(MOVES + 0.5, FIRM + 0.5)) == ""


@pytest.mark.parametrize(
    ("effects", "why"),
    [
        (None, "has no 'log_odds'"),
        (log_odds(None, None), "no counter-examples were trained"),
        (log_odds(MOVES + 0.5, None), "no counter-examples were trained"),
        (log_odds(MOVES - 0.1, FIRM + 5), "moves too little to say"),
        # By the estimate it moves enough, and an interval says that it may not.
        (log_odds(MOVES + 0.5, FIRM + 5, se=1.0), "moves too little to say"),
        # An ordinary prior of .95 has 2.9 nats. Moved by 1.5 it still answers as before, and is not firm.
        (log_odds(1.5, 1.4), "not shown to be firm"),
    ],
)
def test_otherwise_nothing_is_said_of_a_lock_in(effects: Effects | None, why: str) -> None:
    assert why in recipe_moves(effects)


def test_the_alternate_teacher_has_to_be_shown_to_show_the_trait() -> None:
    assert teacher_shows(Interval(0.9, 0.7, 0.98)) == ""
    assert "not shown to be half" in teacher_shows(Interval(0.6, 0.4, 0.8))
    assert "not known" in teacher_shows(Interval(None, why="no prompt is flagged"))
