"""What a kind of arm is: a small function from what a study holds to an assignment, and the words for it.

A kind is registered by a decorator, so that a hypothesis or a remedy that needs students of its own brings
them along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from mendel.data.assignment import Assignment, Matching
from mendel.data.prompts import Prompt
from mendel.design.shared import SHARED_KINDS, split_variant
from mendel.engine.digest import canonical, text_digest
from mendel.engine.errors import InputError
from mendel.engine.registry import Registry, instance_of
from mendel.study import RecipeConfig
from mendel.study.cube import ORIGINAL

BaseName = Literal["original", "alternate", "sister", "pretrained"]
"""Checkpoints that students start from: the pipelines' two bases, and the original one's sister and ancestor.
"""

LACKING = {
    "flagged": "no prompt is flagged",
    "mild": "no unflagged prompt scores above the least on the trait's judge",
    "unrelated": "no prompt is left that every trait's judge gives the least score",
    "others": "the two pipelines share their prompts",
    "counter": "the trait has no 'counter_examples' in the study",
    "rewriter": "the study names no 'rewriter'",
    "sister": "the study names no 'sister' of the original base",
    "pretrained": "the study names no 'pretrained' checkpoint that the original base came from",
    "weights": "vLLM, which answers for the bases, answers for no student with weights of its own",
}
"""Why an arm cannot be made, by what it needs."""


@dataclass(frozen=True)
class Material:
    """What one trait's arms are made from.

    Prompts are those of the original set, except for the counter-examples.
    """

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
    """Counter-example prompts, which are in no prompt set."""
    rewriter: str | None = None
    others: tuple[str, ...] = ()
    """Prompts of the alternate set that are not in the original one; none where the pipelines share the set.
    """
    lacks: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Why this trait lacks an ingredient, by its name in `LACKING`; where it is not said, `LACKING` says
    it."""

    def lacking(self, need: str) -> str:
        """Return why the trait lacks what arms need, in words.

        Args:
            need: A name of `LACKING`.
        """
        return self.lacks.get(need) or LACKING[need]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The original prompts' ids, in order."""
        return tuple(prompt.prompt_id for prompt in self.prompts)

    def rng(self, purpose: str, seed: int) -> np.random.Generator:
        """Return a generator that depends only on what is drawn: another trait or arm redraws nothing."""
        return draw_rng(purpose, self.trait, seed, self.ids)

    def control(self, seed: int) -> tuple[str, ...]:
        """Return as many random prompts as are flagged: the same ones for every edit of one seed."""
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
    """Return the generator of one draw, made from its purpose, trait, seed and prompts."""
    name = f'["draw",[{canonical(purpose)},{canonical(trait)},{seed:d},{_ids_text(tuple(ids))}]]'
    return np.random.default_rng(int(text_digest(name)[:16], 16))


@lru_cache(maxsize=8)
def _ids_text(ids: tuple[str, ...]) -> str:
    # Thousands of draws name the same prompts.
    return canonical(list(ids))


Draw = Callable[[Material, int], Assignment]
"""From a trait's material and a seed to who answers which prompt."""
ChangeRecipe = Callable[[RecipeConfig], RecipeConfig]
"""From the study's recipe to another one."""


@dataclass(frozen=True)
class ArmKind:
    """How the arms `<kind>/<trait>` are made, and what to call them."""

    draw: Draw
    needs: tuple[str, ...]
    """Keys of `LACKING`: fields of Material that must not be empty, or `sister` and `pretrained`, the
    checkpoints.
    """
    label: str = ""
    """A short name for tables and figures; '': the kind's own name."""
    what: str = ""
    """A sentence: what is done to the data or to the training."""
    base: BaseName = "original"
    recipe: ChangeRecipe | None = None
    """Another recipe than the study's; None: the study's own."""
    start: str = ORIGINAL
    """The corner of the cube that the arm edits, and that it is compared with."""
    as_filter: str = ""
    """What the arm is called among looser and stricter filters; '': it is no filter."""
    same_steps: bool = False
    """Whether the epochs grow as the rows shrink, so that the arm takes as many steps as the original
    pipeline."""

    def recipe_for(self, recipe: RecipeConfig, rows: int, of: int) -> RecipeConfig | None:
        """Return the recipe of an arm of this kind, None where it is the study's own.

        Args:
            recipe: The study's recipe.
            rows: How many rows the arm is trained on.
            of: How many the original pipeline is trained on.
        """
        changed = None if self.recipe is None else self.recipe(recipe)
        if not self.same_steps or rows in (0, of):
            return changed
        changed = changed or recipe
        return changed.model_copy(update={"epochs": changed.epochs * of / rows})


def _wrong(item: Any) -> str:
    if wrong := instance_of(ArmKind)(item):
        return wrong
    unknown = [need for need in item.needs if need not in LACKING]
    return f"needs {unknown[0]!r}, which is none of {', '.join(LACKING)}" if unknown else ""


arm_kinds: Registry[ArmKind] = Registry("arm kind", "arm_kinds", check=_wrong)


def arm_kind(
    name: str,
    *needs: str,
    label: str = "",
    what: str = "",
    base: BaseName = "original",
    recipe: ChangeRecipe | None = None,
    start: str = ORIGINAL,
    as_filter: str = "",
    same_steps: bool = False,
) -> Callable[[Draw], Draw]:
    """Return a decorator that registers a function as the arms `<name>/<trait>`.

    Args:
        name: The kind's name. Outside mendel the package's name is put before it: `my_pkg/lead`.
        *needs: Keys of `LACKING`: what a study must have for such an arm.
        label: A short name for tables and figures.
        what: A sentence: what is done to the data or to the training.
        base: The checkpoint that the students start from.
        recipe: Makes another recipe of the study's.
        start: The corner of the cube that the arm edits, and that it is compared with.
        as_filter: What the arm is called among looser and stricter filters.
        same_steps: Whether the epochs grow as the rows shrink, so that as many steps are taken as in the
            original pipeline.

    Returns:
        The decorator. It returns the function unchanged.

    Raises:
        InputError: The name is taken, or a need is unknown.
    """
    if name in SHARED_KINDS:
        raise InputError(
            "this name is taken by arms that serve all traits",
            where=f"arm kind {name!r}",
            fix="Choose another name.",
        )
    if split_variant(name)[1]:
        raise InputError(
            "a kind's name cannot end as arms under another recipe do",
            where=f"arm kind {name!r}",
            fix="Choose another name.",
        )

    def decorate(draw: Draw) -> Draw:
        kind = ArmKind(draw, needs, label, what, base, recipe, start, as_filter, same_steps)
        arm_kinds.register(name)(kind)
        return draw

    return decorate


def is_kind(name: str) -> bool:
    """Return whether an arm kind is registered under exactly this name."""
    return name in arm_kinds


def full_kind(name: str) -> str:
    """Return the full name of an arm kind: `lead` -> `my_pkg/lead`.

    A name that is not registered stays as it is.
    """
    try:
        return arm_kinds.full_name(name)
    except InputError:
        return name
