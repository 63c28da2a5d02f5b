"""What to do about a trait, from what the run measured: does a filter help, the smallest change that does, the most complete one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.report.views.words import PARTS
from mendel.results.interval import Interval, percent

if TYPE_CHECKING:
    from mendel.report.views.arms import ArmRow
    from mendel.report.views.trait import TraitSection
    from mendel.results.folder import RunFolder
    from mendel.results.verdicts import TraitVerdict

MOST = 0.5
"""An edit helps if it is shown to take away more than this share of the difference between the pipelines."""
_EDITS: Mapping[str, tuple[str, str]] = {
    "drop": ("Leave out the {count} flagged prompts", "are lost"),
    "swap": ("Let the alternate teacher answer the {count} flagged prompts", "are answered anew"),
}
"""By kind of edit: what one does, and what becomes of its prompts."""
_PARTS: Mapping[str, tuple[str, str, str]] = {
    "teacher": ("OOA", "Let the alternate teacher answer all prompts", "Every prompt is answered anew."),
    "prompts": ("OAO", "Train on the alternate prompts", "Every prompt is replaced by another."),
    "base": ("AOO", "Start from the alternate base", "All training starts anew from another checkpoint."),
}
"""By carrying part: the corner in which it alone is changed, what one does, and what that costs."""


@dataclass(frozen=True)
class Remedy:
    """One thing to do."""

    kind: str
    """`smallest` or `complete`; empty where there is one alone, or none."""
    text: str
    costs: str = ""


def remedies_of(folder: RunFolder, verdict: TraitVerdict, trait: TraitSection) -> tuple[Remedy, ...]:
    """The first edit, drop before swap, that is shown to take most of the trait away, and the change of the part that carries it.

    An edit that the ladder calls "removed where we looked" is not recommended. Nothing is that was not measured.
    """
    if trait.present != "present":
        return (Remedy("", "Nothing to remove: the trait is not shown to be there."),)
    total = _difference(trait)
    if total is None or total <= 0:
        return (Remedy("", "Not known: the two pipelines were not both measured."),)
    smallest, leaky = _edit(folder, verdict, trait, total)
    complete = _change(folder, trait)
    warned = "".join(
        f" ({kind} is not enough: it removes the trait where the filter looked, and leaves it elsewhere.)"
        for kind in leaky
    )
    if smallest and complete:
        return smallest, complete
    if smallest:
        return (Remedy("", smallest.text, smallest.costs),)
    if complete:
        measured = bool(trait.edits) and not leaky
        tail = (
            " No edit of the flagged prompts is shown to take more than half of it away." if measured else ""
        )
        return (Remedy("", f"{complete.text}{tail}{warned}", complete.costs),)
    return (Remedy("", f"No measured change is shown to take most of it away.{warned}"),)


def filtering(trait: TraitSection) -> str:
    """Whether leaving out the flagged prompts helps, with what it leaves; empty where that was not measured."""
    row, total = trait.edit("drop"), _difference(trait)
    if trait.present != "present" or row is None or not row.level or total is None:
        return ""
    change = row.against_start
    if _takes_most(change, total):
        says = "Yes"
    elif change.low is not None and -change.low < MOST * total:
        says = "No"
    else:
        says = "Not decided"
    count = f"{row.size.changed:,} " if row.size else ""
    random = trait.edit("drop-random")
    beside = f" (as many random ones: {trait.numbers.value(random.level)})" if random and random.level else ""
    return (
        f"{says}: with the {count}flagged prompts dropped, {trait.numbers.value(row.level)} is left{beside}."
    )


def _edit(
    folder: RunFolder, verdict: TraitVerdict, trait: TraitSection, total: float
) -> tuple[Remedy | None, list[str]]:
    """The edit, and those that would have been it, but leak."""
    leaks = verdict.leaks.edits if verdict.leaks else {}
    leaky: list[str] = []
    for kind in _EDITS:
        row = trait.edit(kind)
        if row is None or not _takes_most(row.against_start, total):
            continue
        if kind in leaks and leaks[kind].verdict == "removed where we looked":
            leaky.append(kind)
            continue
        return _edited(folder, trait, row, kind), leaky
    return None, leaky


def _edited(folder: RunFolder, trait: TraitSection, row: ArmRow, kind: str) -> Remedy:
    what, becomes = _EDITS[kind]
    count = f"{row.size.changed:,}" if row.size else ""
    left = f": {trait.numbers.value(row.level)} is left" if row.level else ""
    costs = list(_health(folder, row.arm))
    if row.size:
        share = percent(row.size.changed, row.size.of)
        costs.insert(0, f"{count} of {row.size.of:,} prompts ({share}) {becomes}.")
    return Remedy("smallest", f"{what.format(count=count).replace('  ', ' ')}{left}.", " ".join(costs))


def _change(folder: RunFolder, trait: TraitSection) -> Remedy | None:
    if trait.carrier not in PARTS:
        return None
    corner, what, costs = _PARTS[trait.carrier]
    arm = folder.cube[corner]
    level = next((row.level for row in trait.corners if row.arm == arm), None)
    left = f": {trait.numbers.value(level)} is left" if level else ""
    return Remedy("complete", f"{what}{left}.", " ".join([costs, *_health(folder, arm)]))


def _health(folder: RunFolder, arm: str) -> Iterator[str]:
    """Plain questions answered rightly after the change, beside the original pipeline's students."""
    own, before = (folder.assistant.get(name) for name in (arm, folder.cube["OOO"]))
    if own is not None and before is not None:
        yield f"Plain questions answered rightly: {100 * own:.0f}\u00a0% (before: {100 * before:.0f}\u00a0%)."


def _takes_most(change: Interval, total: float) -> bool:
    return change.high is not None and -change.high > MOST * total


def _difference(trait: TraitSection) -> float | None:
    original, alternate = trait.original.estimate, trait.alternate.estimate
    return None if original is None or alternate is None else original - alternate
