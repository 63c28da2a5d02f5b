"""The verdict of a trait on one card: is it there, what carries it, how sure that is, what to do, and what
that costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.report.views.words import CARRIERS, hypothesis_words
from mendel.results.verdicts import HypothesisVerdict, RecommendationVerdict, RemedyOption

if TYPE_CHECKING:
    from mendel.report.views.trait import TraitSection
    from mendel.results.folder import RunFolder
    from mendel.results.verdicts import TraitVerdict


@dataclass(frozen=True)
class Advice:
    """A thing to do."""

    kind: str
    """`smallest` or `complete`; empty where there is only one, or none."""
    text: str
    costs: str = ""


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
    filtering: str
    """Whether leaving out the flagged prompts helps; empty where the run does not say so."""
    remedies: tuple[Advice, ...]
    """What to do; empty where the run does not say so: its folder was written by an older mendel."""


def card_of(folder: RunFolder, verdict: TraitVerdict, trait: TraitSection) -> Card:
    """Return the card of one trait, from its verdict and the section that the page shows of it."""
    advice = verdict.recommendation or RecommendationVerdict()
    return Card(
        presence=trait.present,
        headline=_HEADLINES.get(trait.carrier, "").format(trait=trait.name.replace("_", " ")),
        cause=_cause(verdict, trait),
        strength=_strength(trait),
        why_so_sure=" ".join(_reasons(folder, verdict, trait)),
        filtering=advice.filtering_why if trait.present == "present" else "",
        remedies=tuple(_remedies(advice)),
    )


def _cause(verdict: TraitVerdict, trait: TraitSection) -> str:
    tested = verdict.hypotheses.get(trait.cause, HypothesisVerdict())
    means = tested.means or hypothesis_words(trait.cause)[1]
    return f"{means}." if means else trait.explanation or CARRIERS.get(trait.carrier, "")


def _remedies(advice: RecommendationVerdict) -> Iterator[Advice]:
    """Yield what the run recommends: the smallest change, and the most complete one beside it."""
    options = {option.name: option for option in advice.options}
    chosen = options.get(advice.remedy or "", RemedyOption())
    complete = options.get(advice.complete or "")
    if advice.why:
        yield Advice("smallest" if complete else "", advice.why, chosen.costs)
    if complete:
        yield Advice("complete", complete.says, complete.costs)


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


def _reasons(folder: RunFolder, verdict: TraitVerdict, trait: TraitSection) -> Iterator[str]:
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
        own = next((row for row in trait.hypotheses if row.name == trait.cause), None)
        held = sum(p.outcome == "holds" for p in own.predictions) if own else 0
        refuted = sum(row.status == "refuted" for row in trait.hypotheses)
        of = f"{held} of {len(own.predictions)}" if own and own.predictions else "All"
        yield (
            f"{of} predictions of {trait.cause.replace('_', ' ')} hold, {refuted} of the "
            f"{len(trait.hypotheses) - 1} other hypotheses "
            "are refuted."
        )
    elif trait.carrier not in ("none", "undecided"):
        still = [
            row.name.replace("_", " ") for row in trait.hypotheses if row.status in ("undecided", "untested")
        ]
        yield (
            f"Why it does is not decided: {len(still)} of {len(trait.hypotheses)} hypotheses are "
            "still possible."
        )
    if verdict.training_noise is False:
        yield "With one seed an arm the noise of training is not known, so that nothing is decided."
