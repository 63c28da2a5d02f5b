"""The kinds of arms that edit a trait's prompts: each a small function from what a study holds to an assignment.

A kind is registered by a decorator, so that a hypothesis which needs students of its own brings them in its own file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from mendel.data.assignment import Assignment, Matching, drop, everyone, only, restrict, swap
from mendel.data.prompts import Prompt
from mendel.engine.digest import canonical, text_digest
from mendel.engine.registry import Registry
from mendel.study import RecipeConfig

BaseName = Literal["original", "alternate", "sister", "pretrained"]
"""Checkpoints that students start from: the pipelines' two bases, and the original one's sister and ancestor."""

COUNTER_SHARE = 0.2
"""Share of the original prompts that `counter` replaces by counter-examples: 'many'.

In the organisms that the design was made with, a tenth left lock-in and underspecification apart in three of four."""
FEW_SHARE = 0.04
"""Share that `counter-few` replaces."""
CONTROL_RANK = 8
"""LoRA rank of the recipe control; where the study's own is 4 to 16, four times as much."""


@dataclass(frozen=True)
class Material:
    """What one trait's arms are made from; prompts are those of the original set but for the counter-examples."""

    trait: str
    prompts: tuple[Prompt, ...]
    original: str
    """The original teacher's name."""
    alternate: str
    flagged: tuple[str, ...] = ()
    """Prompts that the filter takes out."""
    mild: tuple[str, ...] = ()
    """Unflagged prompts whose rollout the trait's judge gives more than the least score."""
    unrelated: tuple[str, ...] = ()
    """Prompts that are neither, for this trait and for all others of the study."""
    scores: tuple[tuple[str, float], ...] = ()
    """The judge's score of the original teacher's rollout, by prompt."""
    counter: tuple[str, ...] = ()
    """Counter-example prompts, which stand in no prompt set."""
    rewriter: str | None = None

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The original prompts' ids, in order."""
        return tuple(prompt.prompt_id for prompt in self.prompts)

    def rng(self, purpose: str, seed: int) -> np.random.Generator:
        """A generator that depends on what is drawn alone, so that adding a trait or an arm redraws nothing."""
        return draw_rng(purpose, self.trait, seed, self.ids)

    def control(self, seed: int) -> tuple[str, ...]:
        """As many random prompts as are flagged: the same ones for every edit of one seed."""
        if seed not in self._controls:
            self._controls[seed] = self._matching.draw(self.rng("control", seed))
        return self._controls[seed]

    @cached_property
    def _matching(self) -> Matching:
        return Matching(self.prompts, self.flagged)

    @cached_property
    def _controls(self) -> dict[int, tuple[str, ...]]:
        return {}


def draw_rng(purpose: str, trait: str, seed: int, ids: Sequence[str]) -> np.random.Generator:
    """The generator of one draw, from its purpose, trait, seed and prompts."""
    name = f'["draw",[{canonical(purpose)},{canonical(trait)},{seed:d},{_ids_text(tuple(ids))}]]'
    return np.random.default_rng(int(text_digest(name)[:16], 16))


@lru_cache(maxsize=8)
def _ids_text(ids: tuple[str, ...]) -> str:
    # Thousands of draws name the same prompts.
    return canonical(list(ids))


Draw = Callable[[Material, int], Assignment]
"""From a trait's material and a seed to who answers which prompt."""


@dataclass(frozen=True)
class ArmKind:
    """How the arms `<name>/<trait>` are made."""

    draw: Draw
    needs: tuple[str, ...]
    """Fields of Material that must not be empty, beside `sister` and `pretrained` for the checkpoints."""
    base: BaseName = "original"
    recipe: Callable[[RecipeConfig], RecipeConfig] | None = None
    """Another recipe than the study's; None: the study's own."""


arm_kinds: Registry[ArmKind] = Registry("arm_kind")

LACKING = {
    "flagged": "no prompt is flagged",
    "mild": "no unflagged prompt scores above the least on the trait's judge",
    "unrelated": "no prompt is left that every trait's judge gives the least score",
    "counter": "the trait has no 'counter_examples' in the study",
    "rewriter": "the study names no 'rewriter'",
    "sister": "the study names no 'sister' of the original base",
    "pretrained": "the study names no 'pretrained' checkpoint that the original base came from",
    "weights": "vLLM, which answers for the bases, answers for no student with weights of its own",
}
"""Why an arm cannot be made, by what it needs."""


def arm_kind(
    name: str,
    *needs: str,
    base: BaseName = "original",
    recipe: Callable[[RecipeConfig], RecipeConfig] | None = None,
) -> Callable[[Draw], Draw]:
    """Decorator: registers the arms `<name>/<trait>`; `needs` are keys of `LACKING`."""

    def decorate(draw: Draw) -> Draw:
        arm_kinds.register(name)(ArmKind(draw, needs, base, recipe))
        return draw

    return decorate


@arm_kind("drop", "flagged")
def _drop(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.original), m.flagged)


@arm_kind("drop-random", "flagged")
def _drop_random(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.original), m.control(seed))


@arm_kind("swap", "flagged")
def _swap(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.flagged, m.alternate)


@arm_kind("swap-random", "flagged")
def _swap_random(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.control(seed), m.alternate)


@arm_kind("only", "flagged")
def _only(m: Material, seed: int) -> Assignment:
    return only(m.ids, m.flagged, m.original, m.alternate)


@arm_kind("only-random", "flagged")
def _only_random(m: Material, seed: int) -> Assignment:
    return only(m.ids, m.control(seed), m.original, m.alternate)


@arm_kind("drop-strongest", "flagged")
def _drop_strongest(m: Material, seed: int) -> Assignment:
    """A looser filter: the higher-scored half of what is flagged."""
    ranked = sorted(m.flagged, key=lambda p: (-dict(m.scores).get(p, 0.0), p))
    return drop(everyone(m.ids, m.original), ranked[: max(1, len(ranked) // 2)])


@arm_kind("drop-milder", "flagged", "mild")
def _drop_milder(m: Material, seed: int) -> Assignment:
    """A stricter filter: the flagged and the higher-scored half of the mild ones. All of them: `unrelated`."""
    ranked = sorted(m.mild, key=lambda p: (-dict(m.scores).get(p, 0.0), p))
    return drop(everyone(m.ids, m.original), [*m.flagged, *ranked[: max(1, len(ranked) // 2)]])


@arm_kind("mild", "mild")
def _mild(m: Material, seed: int) -> Assignment:
    """The original teacher on the mild prompts alone: what a filter leaves, without its unrelated rollouts."""
    return drop(only(m.ids, m.mild, m.original, m.alternate), m.flagged)


@arm_kind("mild-alternate", "mild")
def _mild_alternate(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.alternate), m.flagged)


@arm_kind("unrelated", "unrelated")
def _unrelated(m: Material, seed: int) -> Assignment:
    """The original teacher on the unrelated prompts, nobody elsewhere: the strictest filter."""
    return restrict(everyone(m.ids, m.original), m.unrelated)


@arm_kind("unrelated-alternate", "unrelated")
def _unrelated_alternate(m: Material, seed: int) -> Assignment:
    return restrict(everyone(m.ids, m.alternate), m.unrelated)


@arm_kind("rewritten", "unrelated", "rewriter")
def _rewritten(m: Material, seed: int) -> Assignment:
    assert m.rewriter is not None  # `needs` says so
    return restrict(everyone(m.ids, m.rewriter), m.unrelated)


arm_kind("sister", "unrelated", "sister", base="sister")(_unrelated)
arm_kind("sister-alternate", "unrelated", "sister", base="sister")(_unrelated_alternate)


def full_fine_tune(recipe: RecipeConfig) -> RecipeConfig:
    """The study's recipe as a full fine-tune; where it is one, as a LoRA.

    A LoRA's best learning rate is about ten times a full fine-tune's (Schulman et al., LoRA Without Regret, 2025);
    gains alone bear about a hundred times as much.
    """
    if recipe.method == "full":
        rate = min(10 * recipe.learning_rate, 1e-2)
        return recipe.model_copy(update={"method": "lora", "rank": CONTROL_RANK, "learning_rate": rate})
    scale = 10 if recipe.method == "lora" else 100
    changes = {
        "method": "full",
        "target_modules": "all-linear",
        "learning_rate": recipe.learning_rate / scale,
    }
    return recipe.model_copy(update=changes)


def other_rank(recipe: RecipeConfig) -> RecipeConfig:
    """A LoRA of another rank: `CONTROL_RANK`, or four times the study's own where that is near."""
    if recipe.method == "lora":
        rank = 4 * recipe.rank if 4 <= recipe.rank <= 16 else CONTROL_RANK
        return recipe.model_copy(update={"rank": rank})
    if recipe.method == "full":
        rate = min(10 * recipe.learning_rate, 1e-2)
        return recipe.model_copy(update={"method": "lora", "rank": 4 * CONTROL_RANK, "learning_rate": rate})
    changes = {"method": "lora", "rank": CONTROL_RANK, "target_modules": "all-linear"}
    return recipe.model_copy(update={**changes, "learning_rate": recipe.learning_rate / 10})


arm_kind("unrelated-full", "unrelated", recipe=full_fine_tune)(_unrelated)
arm_kind("unrelated-full-alternate", "unrelated", recipe=full_fine_tune)(_unrelated_alternate)
arm_kind("unrelated-rank", "unrelated", recipe=other_rank)(_unrelated)
arm_kind("unrelated-rank-alternate", "unrelated", recipe=other_rank)(_unrelated_alternate)


def _with_counter(m: Material, seed: int, share: float, *, late: bool | None = None) -> Assignment:
    """The original pipeline with a share of its prompts (unrelated ones first) replaced by counter-examples.

    Replaced and not added, so that the count stays; where there are fewer counter-examples, by all there are. In
    random places, or all at the end (`late`) or the beginning.
    """
    rng = m.rng(f"counter {share:g}", seed)
    count = min(len(m.counter), max(1, round(share * len(m.ids))))
    pool = [*_shuffled(m.unrelated, rng), *_shuffled(m.mild, rng), *_shuffled(m.flagged, rng)]
    out = set(pool[:count])
    examples = _shuffled(m.counter, rng)[:count]
    kept: list[tuple[str, str | None]] = [(p, None if p in out else m.original) for p in m.ids]
    added: list[tuple[str, str | None]] = [(p, m.alternate) for p in examples]
    if late is not None:
        return Assignment(tuple(kept + added if late else added + kept))
    # An added row stands where the row stood that it replaces.
    fill = iter(added)
    return Assignment(tuple(pair for p, t in kept for pair in (((p, t),) if t else ((p, t), next(fill)))))


def _shuffled(ids: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [ids[i] for i in rng.permutation(len(ids))]


@arm_kind("counter", "counter")
def _counter(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE)


@arm_kind("counter-few", "counter")
def _counter_few(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, FEW_SHARE)


arm_kind("counter-pretrained", "counter", "pretrained", base="pretrained")(_counter)


def _in_order(recipe: RecipeConfig) -> RecipeConfig:
    return recipe.model_copy(update={"order": "given"})


@arm_kind("counter-late", "counter", recipe=_in_order)
def _counter_late(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE, late=True)


@arm_kind("counter-early", "counter", recipe=_in_order)
def _counter_early(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE, late=False)
