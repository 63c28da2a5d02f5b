"""Confirmation with students of its own: is the subset necessary, is it sufficient, and is a random one of
its size neither?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mendel.diagnose.stats.intervals import Estimate, Fit

HALF = 0.5
"""Of the effect: a subset is necessary if the swap takes more than this away, sufficient if it brings more
than this alone.
"""
FEWEST = 6
"""Students of an arm with which a question can be answered at all: six that agree leave 1 - .025^(1/6) = .46
of further ones open, five more than half of them (docs/decisions/009-agreement.md)."""

Answer = Literal["yes", "no", "undecided"]
ARMS = ("swap", "only", "swap-random", "only-random")


@dataclass(frozen=True)
class Check:
    """One of the four questions."""

    question: str
    level: Estimate
    """Of the trait, in that arm."""
    beyond_half: Estimate
    """That level less the one half-way between the two ends, in units of the trait: its interval decides."""
    answer: Answer

    def json(self) -> dict[str, object]:
        """Return the check for the result's JSON."""
        return {
            "question": self.question,
            "level": self.level.json(),
            "beyond_half": self.beyond_half.json(),
            "answer": self.answer,
        }


@dataclass(frozen=True)
class Confirmation:
    """What the four arms say."""

    checks: Mapping[str, Check]
    """`necessary`, `sufficient`, `random_necessary`, `random_sufficient`."""

    @property
    def answer(self) -> Answer:
        """`yes`: necessary and sufficient, and a random subset is neither; `no`: one of that is refuted."""
        answers = [check.answer for check in self.checks.values()]
        wanted: tuple[Answer, ...] = ("yes", "yes", "no", "no")
        if all(given == want for given, want in zip(answers, wanted, strict=True)):
            return "yes"
        refuted = any(given not in (want, "undecided") for given, want in zip(answers, wanted, strict=True))
        return "no" if refuted else "undecided"


def confirm(fit: Fit, original: str, alternate: str, arms: Mapping[str, str]) -> Confirmation:
    """Answer the four questions from the arms' students.

    An answer is given where the 95 % interval excludes half of the effect; else it is undecided. With fewer
    than `FEWEST` students of an arm it always is.

    Args:
        fit: The arms' levels.
        original: The arm at the end with the trait.
        alternate: The arm at the end without it.
        arms: The arms of `swap`, `only`, `swap-random` and `only-random`.

    Returns:
        The four checks.
    """

    def check(kind: str, question: str, *, yes_above: bool) -> Check:
        arm = arms[kind]
        weights = {arm: 1.0}
        for end, weight in ((alternate, -1.0 + HALF), (original, -HALF)):
            weights[end] = weights.get(end, 0.0) + weight
        level, beyond = fit.estimate([{arm: 1.0}, weights])
        return Check(question, level, beyond, _answer(beyond, yes_above))

    return Confirmation(
        {
            "necessary": check("swap", "does swapping the subset take most of it away?", yes_above=False),
            "sufficient": check(
                "only", "does the original teacher on the subset alone bring most of it?", yes_above=True
            ),
            "random_necessary": check(
                "swap-random", "does swapping as many random prompts take most of it away?", yes_above=False
            ),
            "random_sufficient": check(
                "only-random",
                "does the original teacher on as many random prompts bring most?",
                yes_above=True,
            ),
        }
    )


def _answer(beyond: Estimate, yes_above: bool) -> Answer:
    low, high = beyond.low, beyond.high
    if low is None or high is None:
        return "undecided"
    if low > 0:
        return "yes" if yes_above else "no"
    if high < 0:
        return "no" if yes_above else "yes"
    return "undecided"
