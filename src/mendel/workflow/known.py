"""What is known of a study beside its students' contrasts: ingredients, the judges' recall, the teachers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mendel.diagnose import Conditions, Effects, trait_conditions
from mendel.diagnose.recall import recall_gate
from mendel.engine.interval import Interval
from mendel.results.known import RecallVerdict
from mendel.results.verdicts import TraitVerdict
from mendel.workflow.ingredients import Ingredients


@dataclass(frozen=True)
class Known:
    """What is known of each trait before any student is trained."""

    ingredients: Mapping[str, Ingredients] = field(default_factory=dict)
    """By trait."""
    recalls: Mapping[str, RecallVerdict] = field(default_factory=dict)
    """The judges' recall on the original teacher's rollouts, by trait."""

    @classmethod
    def of_verdicts(cls, traits: Mapping[str, TraitVerdict]) -> Known:
        """Return what a finished run knew, as far as its verdicts say it.

        Args:
            traits: The run's verdicts by trait.

        Returns:
            The same for another judge's verdicts.
        """
        recalls = {name: verdict.recall for name, verdict in traits.items() if verdict.recall is not None}
        return cls({name: Ingredients.read(name, verdict) for name, verdict in traits.items()}, recalls)

    def of(self, trait: str, effects: Effects) -> Ingredients:
        """Return a trait's ingredients, with what its students say of them.

        Args:
            trait: The trait.
            effects: Its effects.
        """
        return self.ingredients.get(trait, Ingredients(trait)).with_effects(effects)

    def conditions(self, effects: Effects, log_odds: Effects | None) -> Conditions:
        """Return the conditions that the hypotheses of one trait need.

        Args:
            effects: The trait's effects.
            log_odds: The same in log-odds; None where none were measured.
        """
        ingredients = self.of(effects.trait, effects)
        recall = self.recalls.get(effects.trait)
        shows, _ = ingredients.shows.get("flagged", (Interval(why="nothing is flagged"), 0))
        gate = recall_gate(recall, len(recall.judges) or 1 if recall else 1)
        return trait_conditions(log_odds, shows, gate, ingredients.unfit)
