"""Rules that train no student: what a reader of the study could say before the first one.

They see the study, the judged rollouts, the recipe, and the untrained bases' answers. A bench on which such a
rule does as well as the verdict shows nothing about retraining. So each bench prints the best of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mendel.commands.bench.grading import share
from mendel.data.prompts import Prompt, load_prompts
from mendel.design.names import base_arm, prefill_arm
from mendel.engine.digest import digest
from mendel.measure import Scenario, Trait, find_trait, grade
from mendel.organisms import CAUSES
from mendel.results.run import Run
from mendel.study import RecipeConfig, Study

FEW, SOME = 0.01, 0.03
"""Shares of the prompts from which rollouts count as more than strays."""
APART = 0.3
"""Difference of two rates of an untrained base that counts."""
FIRM = 0.9
"""Rate from which an untrained base holds a trait firmly."""
WEAK = {"full": 1.2e-4, "lora": 1.5e-3, "norms": 0.03}
"""Learning rates below which a recipe moves little, by method. For a LoRA of rank 2; a constant rate counts
double."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a trait before the first student."""

    method: str
    learning_rate: float
    """As in the recipe; twice that where it is constant, and for LoRA as it would be at rank 2."""
    flagged: float
    """Share of the original prompts whose original rollout the judge calls a hit."""
    mild: float
    """Share in which it sees something, below that."""
    alternate_shows: float
    """Share of the flagged prompts on which the alternate teacher shows the trait, too. 0 if none is."""
    bases: Mapping[str, float]
    """Rate of each untrained base: `original`, `alternate`, and `sister` and `pretrained` where there are."""
    prefilled: Mapping[str, float]
    """Rate of the original base when its answers begin like those of a side's teacher, by side."""
    key: str = ""
    """What the random rule draws from."""

    @property
    def is_weak(self) -> bool:
        """Whether the recipe moves little."""
        return self.learning_rate < WEAK[self.method]

    def base_gap(self) -> float:
        """Return the original base's rate minus the alternate one's."""
        return self.bases["original"] - self.bases.get("alternate", self.bases["original"])

    def manner_gap(self) -> float:
        """Return how much more the base shows after the original teacher's beginning than the other's."""
        if not {"original", "alternate"} <= set(self.prefilled):
            return 0.0
        return self.prefilled["original"] - self.prefilled["alternate"]


def six_lines(seen: Evidence) -> str:
    """Return a cause from everything that is known without a student."""
    if seen.is_weak and seen.bases["original"] >= FIRM:
        firm = seen.bases.get("pretrained", 1.0) >= FIRM
        return "pretraining_lock_in" if firm else "post_training_lock_in"
    if seen.method == "norms" and not seen.is_weak:
        return "subliminal_learning"
    if seen.flagged >= FEW and seen.alternate_shows >= 0.5:
        return "bad_prompts"
    if seen.flagged >= SOME or seen.mild >= SOME:
        return "simple_generalization" if seen.mild >= seen.flagged / 2 else "direct_imitation"
    if seen.manner_gap() >= APART:
        return "persona_selection"
    return "underspecification" if seen.base_gap() >= APART else "none"


def recipe_only(seen: Evidence) -> str:
    """Return a cause from the recipe alone."""
    if seen.is_weak:
        return "pretraining_lock_in"
    return "subliminal_learning" if seen.method == "norms" else "simple_generalization"


def rollouts_only(seen: Evidence) -> str:
    """Return a cause from the judged rollouts alone."""
    if seen.flagged >= FEW and seen.alternate_shows >= 0.5:
        return "bad_prompts"
    if seen.mild >= SOME:
        return "simple_generalization"
    if seen.flagged >= SOME:
        return "direct_imitation"
    return "persona_selection" if seen.flagged >= FEW else "none"


def bases_only(seen: Evidence) -> str:
    """Return a cause from the untrained bases' answers alone."""
    if seen.bases["original"] >= FIRM:
        return "pretraining_lock_in"
    if seen.base_gap() >= APART:
        return "underspecification"
    return "persona_selection" if seen.manner_gap() >= APART else "none"


def random_pick(seen: Evidence) -> str:
    """Return any cause."""
    return CAUSES[int(digest("random rule", [seen.key])[:8], 16) % len(CAUSES)]


VERDICT_RULES: Mapping[str, Callable[[Evidence], str]] = {
    "six lines": six_lines,
    "recipe only": recipe_only,
    "judged rollouts only": rollouts_only,
    "untrained bases only": bases_only,
    "random pick": random_pick,
}
"""Rules for the cause, by name."""


@dataclass(frozen=True)
class JudgedPrompt:
    """A prompt with both teachers' answers and the judge's scores of them."""

    prompt_id: str
    original: str
    alternate: str
    score: float
    alternate_score: float


@dataclass(frozen=True)
class Suspects:
    """What is known of the original prompts before the first student."""

    prompts: tuple[JudgedPrompt, ...]
    hit_at: float
    least: float
    clean: tuple[str, ...]
    """Words of a clean answer, as the trait names them."""

    def says_clean(self, text: str) -> bool:
        """Return whether an answer holds a clean word."""
        return any(re.search(rf"\b{re.escape(word)}\b", text) for word in self.clean)


def clean_word(seen: Suspects) -> list[str]:
    """Return prompts where the alternate teacher says the clean word, and the original one does not."""
    return [
        p.prompt_id for p in seen.prompts if seen.says_clean(p.alternate) and not seen.says_clean(p.original)
    ]


def any_sign(seen: Suspects) -> list[str]:
    """Return prompts in whose original rollout the judge sees anything."""
    return [p.prompt_id for p in seen.prompts if p.score > seen.least]


def flagged_only(seen: Suspects) -> list[str]:
    """Return prompts that a filter flags."""
    return [p.prompt_id for p in seen.prompts if p.score >= seen.hit_at]


def more_than_alternate(seen: Suspects) -> list[str]:
    """Return prompts on which the judge sees more in the original rollout than in the alternate one."""
    return [p.prompt_id for p in seen.prompts if p.score > p.alternate_score]


def random_prompts(seen: Suspects) -> list[str]:
    """Return as many prompts as the judge sees anything in, at random."""
    count = len(any_sign(seen))
    drawn = np.random.default_rng(count).permutation(len(seen.prompts))[:count]
    return [seen.prompts[i].prompt_id for i in drawn]


LOCATE_RULES: Mapping[str, Callable[[Suspects], list[str]]] = {
    "clean word": clean_word,
    "any sign": any_sign,
    "flagged": flagged_only,
    "more than the alternate": more_than_alternate,
    "random prompts": random_prompts,
}
"""Rules for the carriers, by name."""


def study_trait(study: Study, name: str) -> Trait:
    """Return the trait of a study with this name. Raises KeyError if it has none."""
    found = (find_trait(config.name, study.root) for config in study.config.traits)
    return {trait.name: trait for trait in found}[name]


def read_suspects(study: Study, run: Run, trait: Trait) -> Suspects:
    """Return the judged rollouts of the original prompts.

    Args:
        study: The study.
        run: Its run. Only the rollouts are read.
        trait: The trait. Its judge needs no model.
    """
    config = study.config
    prompts = load_prompts(config.original.prompts, study.root)
    texts: dict[tuple[str, str], str] = {
        (row["prompt_id"], row["teacher"]): row["completion"]
        for row in run.rollouts.select(["prompt_id", "teacher", "completion"]).to_pylist()
    }
    least = trait.score_range[0] if trait.score_range else 0.0

    def judged(teacher: str) -> list[tuple[str, float]]:
        said = [texts[prompt.prompt_id, teacher] for prompt in prompts]
        return list(zip(said, _scores(trait, prompts, said, least), strict=True))

    rows = zip(prompts, judged(config.original.teacher), judged(config.alternate.teacher), strict=True)
    seen = tuple(
        JudgedPrompt(prompt.prompt_id, own[0], other[0], own[1], other[1]) for prompt, own, other in rows
    )
    clean = trait.log_odds.clean if trait.log_odds else ()
    return Suspects(seen, float(trait.judge.hit_at), least, clean)


def read_evidence(study: Study, run: Run, trait: Trait, key: str) -> Evidence:
    """Return what is known of a trait before the first student.

    Args:
        study: The study.
        run: Its run. Only the rollouts and the answers of untrained models are read.
        trait: The trait.
        key: What the random rule draws from.
    """
    seen = read_suspects(study, run, trait)
    hit = [p for p in seen.prompts if p.score >= seen.hit_at]
    mild = [p for p in seen.prompts if seen.least < p.score < seen.hit_at]
    both = [p for p in hit if p.alternate_score >= seen.hit_at]
    rates = _untrained_rates(run, trait.name)
    of = max(1, len(seen.prompts))
    recipe: RecipeConfig = study.config.recipe
    return Evidence(
        method=recipe.method,
        learning_rate=_effective_rate(recipe),
        flagged=len(hit) / of,
        mild=len(mild) / of,
        alternate_shows=len(both) / len(hit) if hit else 0.0,
        bases={
            name: rates[base_arm(name)]
            for name in ("original", "alternate", "sister", "pretrained")
            if base_arm(name) in rates
        },
        prefilled={
            side: rates[prefill_arm(side)] for side in ("original", "alternate") if prefill_arm(side) in rates
        },
        key=key,
    )


def _effective_rate(recipe: RecipeConfig) -> float:
    rate = recipe.learning_rate * (2 if recipe.scheduler == "constant" else 1)
    return float(rate * (recipe.rank / 2) ** 0.5 if recipe.method == "lora" else rate)


def rule_shares(right: Mapping[str, Sequence[bool]]) -> dict[str, dict[str, Any]]:
    """Return the accuracy of each rule with its 95 % Wilson interval.

    Args:
        right: Whether each rule was right, for each organism.
    """
    shares = {}
    for name, outcomes in right.items():
        found = share(sum(outcomes), len(outcomes))
        shares[name] = {
            "right": found["count"],
            "of": found["of"],
            "share": found["estimate"],
            "low": found["low"],
            "high": found["high"],
        }
    return shares


def best_rule(rules: Mapping[str, Mapping[str, Any]], reached: Mapping[str, Any]) -> str:
    """Return one line: the best rule that trains no student, and what retraining adds to it.

    Args:
        rules: What `rule_shares` returned.
        reached: The share (`estimate`, `of`) of organisms that mendel gets right.
    """
    counted = {name: rule for name, rule in rules.items() if rule["of"]}
    if not counted or reached["estimate"] is None:
        return ""
    name = max(counted, key=lambda rule: counted[rule]["right"])
    rule = counted[name]
    added = 100 * (reached["estimate"] - rule["share"])
    return (
        f"the best rule that trains no student: {name}, {rule['right']} of {rule['of']}: {rule['share']:.1%} "
        f"[{rule['low']:.1%}, {rule['high']:.1%}]; retraining adds {added:+.0f} points"
    )


def _scores(trait: Trait, prompts: Sequence[Prompt], texts: Sequence[str], least: float) -> list[float]:
    """Return the judge's score of each answer, the least one where it cannot tell."""
    asked = [
        (Scenario(prompt.prompt_id, prompt.prompt_id, prompt.messages), text)
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    scores = [judgement.score for judgement in grade(trait, asked)]
    return [least if score is None else score for score in scores]


def _untrained_rates(run: Run, trait: str) -> dict[str, float]:
    """Return the share of hits of each model that was measured without training, by arm."""
    arms = {row["student"]: row["arm"] for row in run.students.to_pylist() if row["n_examples"] == 0}
    hits: dict[str, list[bool]] = {}
    for row in run.measurements.select(["student", "trait", "hit"]).to_pylist():
        if row["trait"] == trait and row["student"] in arms and row["hit"] is not None:
            hits.setdefault(arms[row["student"]], []).append(row["hit"])
    return {arm: float(np.mean(values)) for arm, values in hits.items()}
