"""A trait's verdict in two sentences of plain English, with the numbers that stand behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mendel.design.names import trait_arm
from mendel.diagnose.contrasts import TOTAL
from mendel.diagnose.effects import Effects
from mendel.diagnose.remedies import DROP, SWAP
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.study.cube import PARTS

if TYPE_CHECKING:
    from mendel.diagnose.findings import Checked, Finding


def summary(effects: Effects, carrier: str) -> str:
    """Say how much of the trait there is, what carries it, and what dropping and swapping leave of it.

    Args:
        effects: The trait's effects.
        carrier: The part that carries it, or `mixed`, `none`, `undecided`.

    Returns:
        Two sentences.
    """
    return f"{_carrier_sentence(effects, carrier)} {_edits_sentence(effects)}"


def explanation(effects: Effects, cause: str, findings: Mapping[str, Finding]) -> str:
    """Return the cause in two sentences: what it is with the numbers that decided it, and what else holds or
    is open.
    """
    trait = effects.trait.replace("_", " ")
    if cause == "none":
        total = number(effects.estimates[TOTAL])
        return (
            f"The two pipelines show as much {trait} as each other: the difference is {total}. So "
            "there is no cause to look for."
        )
    if cause == "undecided":
        left = [_called(name, f) for name, f in findings.items() if f.status in ("undecided", "untested")]
        ruled = len(findings) - len(left)
        tail = f" Still possible: {', '.join(left)}." if left else " None of the hypotheses explains it."
        return (
            f"Why the original pipeline shows {trait} is undecided; {ruled} of {len(findings)} "
            f"hypotheses are refuted.{tail}"
        )
    finding = findings[cause]
    numbers = ", ".join(
        f"{check.prediction.says} ({number(_largest(effects, check))})" for check in finding.checked
    )
    others = [_called(n, f) for n, f in findings.items() if f.status == "supported" and n != cause]
    left = [_called(n, f) for n, f in findings.items() if f.status in ("undecided", "untested")]
    second = f"{_listed(others)} holds as well" if others else "No other hypothesis holds"
    second += f"; {_listed(left)} is not decided" if left else ""
    declared = finding.hypothesis
    begins = declared.as_cause if declared else f"The cause is {_called(cause, finding)}"
    total = number(effects.estimates[TOTAL])
    return f"{begins}: of the {total} to explain, {numbers}. {second[:1].upper()}{second[1:]}."


def _called(name: str, finding: Finding) -> str:
    return finding.hypothesis.called if finding.hypothesis else name.replace("_", " ")


def _largest(effects: Effects, check: Checked) -> Estimate:
    """Return the largest of a prediction's contrasts: of several, one has to be so."""
    estimates = [effects.estimates[name] for name in check.contrasts]
    return max(estimates, key=lambda e: e.estimate if e.estimate is not None else float("-inf"))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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
        (DROP, "dropping the flagged prompts"),
        (SWAP, "letting the alternate teacher answer them"),
    ):
        level = _level(effects, trait_arm(edit.arm, effects.trait))
        if level.estimate is None:
            continue
        control = _level(effects, trait_arm(edit.control or "", effects.trait))
        beside = f" (as many random ones: {number(control)})" if control.estimate is not None else ""
        clauses.append(f"{words} leaves {number(level)}{beside}")
    if not clauses:
        return "Neither dropping the flagged prompts nor swapping their teacher was measured."
    text = ", ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _level(effects: Effects, arm: str) -> Estimate:
    return effects.levels.get(arm, Estimate(None, why="no such arm"))
