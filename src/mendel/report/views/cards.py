"""The verdict of a trait on one card: its state, where it sits, what carries it, what to do, and what that
costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.report.views.words import CARRIERS, HEADLINES, LOCATED, STATES, hypothesis_words
from mendel.results.advice import RecommendationVerdict, RemedyOption
from mendel.results.verdicts import HypothesisVerdict

if TYPE_CHECKING:
    from mendel.report.views.trait import TraitSection
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

    state: str
    """The state in words."""
    strength: str
    """How far a difference is explained: `cause named`, `located, cause open`, `carrier named, cause open`;
    empty where nothing is, or there is nothing to explain."""
    headline: str
    """What is said after the trait's name."""
    lead: str
    """What the run says of the state."""
    carrier: str
    """What the run says of the parts; empty where there is no difference to carry."""
    cause: str
    """What the run says of the cause; empty where it asked nothing."""
    filtering: str
    """Whether leaving out the flagged prompts helps; empty where the run does not say so."""
    remedies: tuple[Advice, ...]
    """What to do; empty where the run does not say so: its folder was written by an older mendel."""


def card_of(verdict: TraitVerdict, trait: TraitSection) -> Card:
    """Return the card of one trait.

    Args:
        verdict: The trait's verdict.
        trait: The section that the page shows of it.

    Returns:
        The card. All its sentences are the run's own, but the headline (`views.words.HEADLINES`) and, in a
        folder without sentences, what a carrier and a cause mean.
    """
    advice = verdict.recommendation or RecommendationVerdict()
    differs = trait.state == "difference"
    return Card(
        state=STATES[trait.state],
        strength=_strength(trait) if differs else "",
        headline=HEADLINES[_headline(trait)][0],
        lead=_lead(trait),
        carrier=trait.carrier_why if differs and trait.said else "",
        cause=_cause(verdict, trait) if differs else "",
        filtering=advice.filtering_why if differs else "",
        remedies=tuple(_remedies(advice)),
    )


def _headline(trait: TraitSection) -> str:
    if trait.state == "difference" and trait.carrier in ("teacher", "prompts", "base", "mixed"):
        return trait.carrier
    return "reverse" if "state-reverse" in trait.said else trait.state


def _lead(trait: TraitSection) -> str:
    """Return what the run says of the state; if shared, also what the bases show and what would help."""
    if not trait.said:
        return trait.summary
    if trait.state != "shared":
        return trait.state_why
    more = [text for key, text in trait.said.items() if key.startswith("shared-")]
    return " ".join((trait.state_why, *more))


def _cause(verdict: TraitVerdict, trait: TraitSection) -> str:
    if trait.said:
        return trait.explanation
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


def _strength(trait: TraitSection) -> str:
    if trait.cause not in ("undecided", "none"):
        return "cause named"
    if any(row.decision == LOCATED["carries"] for row in trait.location):
        return "located, cause open"
    return "carrier named, cause open" if trait.carrier not in ("undecided", "none") else ""
