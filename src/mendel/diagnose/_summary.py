"""A trait's verdict in two sentences of plain English, with the numbers that stand behind it."""

from __future__ import annotations

from mendel.diagnose._intervals import Estimate
from mendel.diagnose.contrasts import TOTAL
from mendel.diagnose.design import PARTS
from mendel.diagnose.effects import Effects


def summary(effects: Effects, carrier: str) -> str:
    """How much of the trait there is and what carries it; what dropping and swapping leave of it."""
    return f"{_carrier_sentence(effects, carrier)} {_edits_sentence(effects)}"


def number(value: Estimate) -> str:
    """`0.99 [0.97, 1.00]`; without the interval where there is none, `unknown` without an estimate."""
    if value.estimate is None:
        return "unknown"
    ends = value.interval()
    if ends is None or value.se == 0:
        return _two_places(value.estimate)
    return f"{_two_places(value.estimate)} [{_two_places(ends[0])}, {_two_places(ends[1])}]"


def _carrier_sentence(effects: Effects, carrier: str) -> str:
    trait = effects.trait.replace("_", " ")
    total = effects.estimates[TOTAL]
    if total.estimate is None:
        return f"How much {trait} the original pipeline adds is unknown: {total.why}."
    original, alternate = (number(_level(effects, effects.cube[corner])) for corner in ("OOO", "AAA"))
    named = {
        "mixed": f"More than one part carries {trait}",
        "none": f"There is no {trait} to explain",
        "undecided": f"Which part carries {trait} is undecided",
        "prompts": f"The prompts carry {trait}",
    }.get(carrier, f"The {carrier} carries {trait}")
    # The carrier's effect first, with its interval; the others are read against it.
    parts = sorted(PARTS, key=lambda part: part != carrier)
    by_part = ", ".join(f"{part} {number(effects.estimates[part])}" for part in parts)
    return (
        f"{named}: it is at {original} in the original pipeline and at {alternate} in the alternate one, "
        f"and what each part adds is {by_part}."
    )


def _edits_sentence(effects: Effects) -> str:
    clauses = []
    for edit, words in (
        ("drop", "dropping the flagged prompts"),
        ("swap", "letting the alternate teacher answer them"),
    ):
        level = _level(effects, f"{edit}/{effects.trait}")
        if level.estimate is None:
            continue
        control = _level(effects, f"{edit}-random/{effects.trait}")
        beside = f" (as many random ones: {number(control)})" if control.estimate is not None else ""
        clauses.append(f"{words} leaves {number(level)}{beside}")
    if not clauses:
        return "Neither dropping the flagged prompts nor swapping their teacher was measured."
    text = ", ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _level(effects: Effects, arm: str) -> Estimate:
    return effects.levels.get(arm, Estimate(None, why="no such arm"))


def _two_places(value: float) -> str:
    # + 0.0 turns a rounded -0.00 into 0.00.
    return f"{round(value, 2) + 0.0:.2f}"
