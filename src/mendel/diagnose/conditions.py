"""What a hypothesis needs beside its contrasts.

Does the recipe move anything? Does the alternate teacher show the trait? Does the judge see what there is?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mendel.design.names import trait_arm
from mendel.diagnose.contrasts import contrast_id
from mendel.diagnose.effects import Effects
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.engine.interval import Interval

MOVES = 1.0
"""Nats by which counter-examples must move the trait's answer against the clean one before a recipe is said
to move anything: that would turn a prior of .73 into an even one."""
FIRM = 3.0
"""Nats by which the trait's answer must still be ahead of the clean one after counter-examples, before a
prior is said to be locked in: odds of 20 to 1. A prior of .95 that a recipe moves by a nat has 2 left."""
SHOWS = 0.5
"""Share of the flagged prompts on which the alternate teacher must show the trait before the prompts are said
to draw it out of both teachers."""


@dataclass(frozen=True)
class Conditions:
    """What is known of a study beside its contrasts, for one trait."""

    unfit: Callable[[str], str] = lambda arm: ""
    """Returns why an arm's ingredients (sister, rewriter, ancestor) are not what its contrasts need, '' if
    they are."""
    unmet: Mapping[str, str] = field(default_factory=dict)
    """By key of `hypotheses.CONDITIONS`: why the condition is not known to hold. What is not a key holds."""


def trait_conditions(
    log_odds: Effects | None,
    alternate_shows: Interval,
    recall: str = "",
    unfit: Callable[[str], str] = lambda arm: "",
) -> Conditions:
    """Return the conditions of one trait.

    Args:
        log_odds: The trait's effects in log-odds; None where none were measured.
        alternate_shows: Share of the flagged prompts on which the alternate teacher shows the trait.
        recall: Why the judge is not known to see nearly all that shows the trait, '' if it is.
        unfit: As in `Conditions`.

    Returns:
        The conditions.
    """
    reasons = {
        "recall": recall,
        "recipe moves": recipe_moves(log_odds),
        "alternate teacher shows": teacher_shows(alternate_shows),
    }
    return Conditions(unfit, {key: why for key, why in reasons.items() if why})


def recipe_moves(log_odds: Effects | None) -> str:
    """Return why it is not known that the recipe moves the trait's answer and leaves it firm, '' if it is.

    That counter-examples take nothing away may be a statement about the recipe: it may move nothing at all,
    or nearly enough to turn the answer. So counter-examples must be shown to move the log-odds of the trait's
    answer by `MOVES`, and to leave it ahead by `FIRM`.

    Args:
        log_odds: The trait's effects in log-odds; None where none were measured.

    Returns:
        The reason, or ''.
    """
    if log_odds is None:
        return (
            "whether this recipe moves anything is not known: the trait has no 'log_odds', in which small "
            "moves show"
        )
    none = Estimate(None, why="no counter-examples were trained")
    moved = log_odds.estimates.get(contrast_id(log_odds.trait, "counter"), none)
    left = log_odds.levels.get(trait_arm("counter", log_odds.trait), none)
    if moved.estimate is None or left.estimate is None:
        return f"whether this recipe moves anything is not known: {moved.why or left.why}"
    if _least(moved) < MOVES:
        return (
            f"this recipe moves too little to say: counter-examples move the log-odds by {number(moved)} "
            f"nats, not shown to be {MOVES:g} or more"
        )
    if _least(left) < FIRM:
        return (
            f"the prior is not shown to be firm: counter-examples leave log-odds of {number(left)} nats, not "
            f"shown to be {FIRM:g} or more, so that a somewhat larger rate or more rows might turn it"
        )
    return ""


def _least(value: Estimate) -> float:
    """Return the lower end of an interval of the students that were trained."""
    ends = value.of_these_students()
    return float("-inf") if ends is None else ends[0]


def teacher_shows(share: Interval) -> str:
    """Return why the alternate teacher is not known to show the trait on the flagged prompts, '' if it is.

    Args:
        share: Share of the flagged prompts on which it shows the trait, with its interval.

    Returns:
        The reason, or ''.
    """
    if share.estimate is None:
        return f"whether the alternate teacher shows it on the original prompts is not known: {share.why}"
    if share.low is None or share.low < SHOWS:
        low, high = ("?" if end is None else f"{end:.2f}" for end in (share.low, share.high))
        return (
            f"the alternate teacher shows it on {share.estimate:.2f} [{low}, {high}] of the flagged prompts, "
            "which is not shown to be half of them; the alternate prompts' answers may be what takes it away"
        )
    return ""
