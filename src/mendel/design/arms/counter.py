"""Counter-examples: prompts of the situation, answered by the alternate teacher, in the place of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mendel.data.assignment import Assignment
from mendel.design.arms.registry import Material, arm_kind
from mendel.study import RecipeConfig

COUNTER_SHARE = 0.2
"""Share of the original prompts that `counter` replaces by counter-examples: 'many'.

In the organisms that the design was made with, a tenth left lock-in and underspecification apart in three of
four."""
FEW_SHARE = 0.04
"""Share that `counter-few` replaces."""


def _with_counter(m: Material, seed: int, share: float, *, late: bool | None = None) -> Assignment:
    """Return the original pipeline with a share of its prompts (unrelated ones first) replaced by
    counter-examples.

    The count stays, since examples are replaced and not added. Where there are fewer counter-examples than
    the share asks for, all are used. They stand in random places, or all at the end (`late`) or at the
    beginning.
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


def _in_order(recipe: RecipeConfig) -> RecipeConfig:
    return recipe.model_copy(update={"order": "given"})


@arm_kind(
    "counter",
    "counter",
    label="counter-examples",
    what="Counter-examples replace a fifth of the original pipeline's prompts.",
)
def _counter(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE)


@arm_kind(
    "counter-few",
    "counter",
    label="few counter-examples",
    what="Counter-examples replace one in 25 of the original pipeline's prompts.",
)
def _counter_few(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, FEW_SHARE)


arm_kind(
    "counter-pretrained",
    "counter",
    "pretrained",
    base="pretrained",
    label="counter-examples, the base's ancestor",
    what="Counter-examples replace a fifth of the prompts, and training starts from the base's ancestor.",
)(_counter)


@arm_kind(
    "counter-late",
    "counter",
    recipe=_in_order,
    label="counter-examples at the end",
    what="Counter-examples replace a fifth of the prompts and come at the end of training.",
)
def _counter_late(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE, late=True)


@arm_kind(
    "counter-early",
    "counter",
    recipe=_in_order,
    label="counter-examples at the beginning",
    what="Counter-examples replace a fifth of the prompts and come at the beginning of training.",
)
def _counter_early(m: Material, seed: int) -> Assignment:
    return _with_counter(m, seed, COUNTER_SHARE, late=False)
