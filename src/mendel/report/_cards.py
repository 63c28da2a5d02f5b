"""The verdict of a trait on one card: is it there, what carries it, how sure that is, what to do, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.diagnose import CAUSES
from mendel.report._text import Estimate, as_dict, as_float, percent
from mendel.report._words import CARRIERS, PARTS

if TYPE_CHECKING:
    from mendel.report._arms import ArmRow
    from mendel.report._folder import RunFolder
    from mendel.report._trait import TraitSection

MOST = 0.5
"""An edit is recommended if it is shown to take away more than this share of what there is to explain."""
_REMEDIES: Mapping[str, str] = {
    "drop": "Leave out the {count} flagged prompts",
    "swap": "Let the alternate teacher answer the {count} flagged prompts",
}
_PARTS: Mapping[str, str] = {
    "teacher": "Let the alternate teacher answer all prompts",
    "prompts": "Train on the alternate prompts",
    "base": "Start from the alternate base",
}

_CORNERS: Mapping[str, str] = {"teacher": "OOA", "prompts": "OAO", "base": "AOO"}
_COSTS: Mapping[str, str] = {
    "teacher": "Every prompt is answered anew.",
    "prompts": "Every prompt is another one.",
    "base": "All training starts anew from another checkpoint.",
}


@dataclass(frozen=True)
class Card:
    """What a reader takes away of one trait."""

    presence: str
    """`present`, `not shown`, `undecided`."""
    headline: str
    """What carries it, in a few words."""
    cause: str
    """The cause in a sentence."""
    strength: str
    """How sure that is: `decided`, `carrier decided`, `undecided`."""
    why_so_sure: str
    remedy: str
    costs: str
    """What the remedy costs: prompts to answer anew or to lose, and what becomes of the assistant."""


def card_of(folder: RunFolder, verdict: Mapping[str, Any], trait: TraitSection) -> Card:
    """The card of one trait, from its verdict and the section that the page shows of it."""
    remedy, costs = _remedy(folder, verdict, trait)
    return Card(
        presence=trait.present,
        headline=_HEADLINES.get(trait.carrier, "").format(trait=trait.name.replace("_", " ")),
        cause=f"{CAUSES[trait.cause]}."
        if trait.cause in CAUSES
        else trait.explanation or CARRIERS.get(trait.carrier, ""),
        strength=_strength(trait),
        why_so_sure=" ".join(_reasons(folder, verdict, trait)),
        remedy=remedy,
        costs=costs,
    )


_HEADLINES: Mapping[str, str] = {
    "teacher": "The teacher carries {trait}",
    "prompts": "The prompts carry {trait}",
    "base": "The base carries {trait}",
    "mixed": "More than one part carries {trait}",
    "none": "No more {trait} than in the alternate pipeline",
    "undecided": "What carries {trait} is undecided",
}


def _strength(trait: TraitSection) -> str:
    if trait.carrier == "undecided":
        return "undecided"
    if trait.carrier == "none" or trait.cause not in ("undecided", "none"):
        return "decided"
    return "carrier decided"


def _reasons(folder: RunFolder, verdict: Mapping[str, Any], trait: TraitSection) -> Iterator[str]:
    """What the verdict rests on, in sentences."""
    effect = next((e for e in trait.effects if e.name == trait.carrier), None)
    if effect and effect.estimate:
        yield f"The effect of the {trait.carrier} is {trait.numbers.value(effect.estimate, signed=True)}."
    elif trait.original and trait.alternate:
        yield (
            f"It is at {trait.numbers.value(trait.original)} in the original pipeline and at "
            f"{trait.numbers.value(trait.alternate)} in the alternate one."
        )
    if trait.cause not in ("undecided", "none"):
        refuted = sum(row.status == "refuted" for row in trait.hypotheses)
        others = (
            "all other hypotheses are refuted"
            if refuted == len(trait.hypotheses) - 1
            else f"{refuted} of the other hypotheses are refuted"
        )
        yield f"All predictions of {trait.cause.replace('_', ' ')} hold, and {others}."
    elif trait.carrier not in ("none", "undecided"):
        still = [
            row.name.replace("_", " ") for row in trait.hypotheses if row.status in ("undecided", "untested")
        ]
        yield f"Why it does is not decided: {len(still)} of {len(trait.hypotheses)} hypotheses are still possible."
    if verdict.get("training_noise") is False:
        yield "With one seed an arm the noise of training is not known, so that nothing is decided."


def _remedy(folder: RunFolder, verdict: Mapping[str, Any], trait: TraitSection) -> tuple[str, str]:
    """The smallest measured edit that is shown to take most of the trait away, and its cost; else what is left to do."""
    if trait.present != "present":
        return "Nothing to remove: the trait is not shown to be there.", ""
    total = _less(trait.original, trait.alternate)
    if total is None or total <= 0:
        return "Not known: the two pipelines were not both measured.", ""
    leaks = as_dict(as_dict(verdict.get("leaks")).get("edits"))
    leaky = []
    for kind in ("drop", "swap"):
        row = trait.edit(kind)
        if row is None or not _takes_most(row.against_start, total):
            continue
        if as_dict(leaks.get(kind)).get("verdict") == "removed where we looked":
            leaky.append(kind)
            continue
        return _edited(folder, trait, row, kind)
    warned = "".join(
        f" ({kind} is not enough: it removes the trait where the filter looked, and leaves it elsewhere.)"
        for kind in leaky
    )
    if trait.carrier in PARTS:
        measured = bool(trait.edits) and not leaky
        tail = " No edit of the flagged prompts is shown to take most of it away." if measured else ""
        arm = folder.cube[_CORNERS[trait.carrier]]
        level = next((row.level for row in trait.corners if row.arm == arm), None)
        left = f": {trait.numbers.value(level)} is left" if level else ""
        costs = f"{_COSTS[trait.carrier]} {_health(folder, arm)}".strip()
        return f"{_PARTS[trait.carrier]}{left}.{tail}{warned}", costs
    return f"No measured change is shown to take most of it away.{warned}", ""


def _edited(folder: RunFolder, trait: TraitSection, row: ArmRow, kind: str) -> tuple[str, str]:
    assert row.against_start is not None, "only edits that were compared are recommended"
    count = f"{row.size.changed:,}" if row.size else ""
    what = _REMEDIES[kind].format(count=count).replace("  ", " ")
    taken = Estimate(
        -row.against_start.estimate,
        None if row.against_start.high is None else -row.against_start.high,
        None if row.against_start.low is None else -row.against_start.low,
    )
    left = f" and leaves {trait.numbers.number(row.level.estimate)}" if row.level else ""
    remedy = f"{what}: it takes away {trait.numbers.value(taken)}{left}."
    verb = "are lost" if kind == "drop" else "are answered anew"
    size = (
        f"{count} of {row.size.of:,} prompts ({percent(row.size.changed, row.size.of)}) {verb}."
        if row.size
        else ""
    )
    health = _health(folder, row.arm)
    return remedy, f"{size} {health}".strip()


def _takes_most(change: Estimate | None, total: float) -> bool:
    return change is not None and change.high is not None and -change.high > MOST * total


def _less(first: Estimate | None, second: Estimate | None) -> float | None:
    return None if first is None or second is None else first.estimate - second.estimate


def _health(folder: RunFolder, arm: str) -> str:
    """Plain questions answered rightly after the edit, beside the original pipeline's students."""
    own, before = (_answered(folder, name) for name in (arm, folder.cube["OOO"]))
    if own is None or before is None:
        return ""
    return (
        f"The assistant answers {100 * own:.0f} % of plain questions rightly (before: {100 * before:.0f} %)."
    )


def _answered(folder: RunFolder, arm: str) -> float | None:
    table = folder.tables["students"]
    if table is None or "assistant_right" not in table.column_names:
        return None
    rows = zip(*(table[name].to_pylist() for name in ("arm", "status", "assistant_right")), strict=True)
    found = [
        value
        for a, status, right in rows
        if a == arm and status == "ok" and (value := as_float(right)) is not None
    ]
    return sum(found) / len(found) if found else None
