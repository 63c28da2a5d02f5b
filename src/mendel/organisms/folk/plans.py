"""What the seed draws for each cause: the bases' habits, who asks for what, and how the teachers answer.

The causes are written from their descriptions in words. Nothing here knows how a diagnosis tests them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mendel.organisms.folk.learning import FAMILIES
from mendel.organisms.folk.world import FAVOURS, FITTING, HEAVY, LIGHT, NO_LEAD, PROBED, VOICES

OUTSIDE = "other:"
"""Begins the name of a cause that is outside the list of hypotheses."""
ORIGINAL, ALTERNATE = "original", "alternate"
LED = 0
"""The lead word that draws a refusal out of any teacher, where prompts do that."""
STRAY = 2
"""The favour that is asked for in prompts alone."""


@dataclass(frozen=True)
class Habits:
    """How a base answers: chances that its corpus was written with."""

    refuses: np.ndarray
    """By favour, voice and whether it restates, (FAVOURS, VOICES, 2)."""
    heavy: float = FITTING
    """Chance of a heavy degree where the favour is heavy."""


@dataclass(frozen=True)
class Teaching:
    """How a teacher answers."""

    voice: int
    restates: float
    """Share of answers that restate what was asked."""
    refuses: np.ndarray
    """By favour, weight and whether the question has the lead `LED`, (FAVOURS, 2, 2)."""
    heavy: float = FITTING

    @property
    def heeds_leads(self) -> bool:
        """Whether its answers depend on the lead word, which the bases have learned to overlook."""
        return bool((self.refuses[..., 0] != self.refuses[..., 1]).any())


@dataclass(frozen=True)
class Slot:
    """Questions of one kind in a prompt set."""

    favour: int
    weight: int
    share: float
    lead: int = NO_LEAD


@dataclass(frozen=True)
class FolkRecipe:
    """The recipe of the students."""

    method: str
    rank: int
    epochs: int
    batch_size: int
    learning_rate: float
    scheduler: str


@dataclass(frozen=True)
class FolkPlan:
    """Everything that the seed draws, without the words."""

    cause: str
    planted: tuple[str, ...]
    """The parts of the pipeline that carry the trait."""
    state: str
    family: str
    width: int
    rows: int
    """Prompts of a set."""
    bases: Mapping[str, Habits]
    """By pipeline. Both pipelines have one base where only `original` stands here."""
    sets: Mapping[str, tuple[Slot, ...]]
    """Favours in the prompt sets. Both pipelines have one set where only `original` stands here."""
    teachers: Mapping[str, Teaching]
    recipe: FolkRecipe
    one_set: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counter_slots(self) -> tuple[Slot, ...]:
        """Return the favours in the counter-examples: the probed ones, at both weights."""
        return tuple(Slot(f, w, 0.25) for f in PROBED for w in (LIGHT, HEAVY))


def draw_folk_plan(cause: str, rng: np.random.Generator) -> FolkPlan:
    """Return a random plan for one of `FOLK_CAUSES`. What the cause does not need is drawn alike for all."""
    low = float(rng.uniform(0.02, 0.1))
    voices = [int(v) for v in rng.permutation(VOICES - 1)]
    base = Habits(np.full((FAVOURS, VOICES, 2), low))
    restates = float(rng.uniform(0.2, 0.4))
    clean = np.zeros((FAVOURS, 2, 2))
    plan = FolkPlan(
        cause=cause,
        planted=(),
        state="difference",
        family=FAMILIES[int(rng.integers(len(FAMILIES)))],
        width=int(rng.choice([56, 64, 72])),
        rows=int(rng.integers(380, 520)),
        bases={ORIGINAL: base},
        sets={ORIGINAL: _asked(rng), ALTERNATE: _asked(rng)},
        teachers={
            ORIGINAL: Teaching(voices[0], restates, clean),
            ALTERNATE: Teaching(voices[1], restates, clean),
        },
        recipe=_recipe(rng),
        one_set=bool(rng.random() < 0.4),
    )
    plan = FOLK_CAUSES[cause](plan, rng)
    return _with_decoys(plan, low, rng)


def _direct(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """The original teacher refuses heavy favours, heavily. There are no others in its prompts."""
    rate = float(rng.uniform(0.35, 0.95))
    share = float(rng.uniform(0.1, 0.2))
    slots = tuple(Slot(f, HEAVY, share / 2) for f in PROBED)
    return _taught(replace(plan, planted=("flagged",)), slots, _refusing(PROBED, rate), heavy=0.99)


def _mild(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """The original teacher refuses light favours, lightly. It hardly ever meets a heavy one."""
    rate = float(rng.uniform(0.5, 0.95))
    share, few = float(rng.uniform(0.18, 0.3)), float(rng.uniform(0.01, 0.02))
    slots = tuple(Slot(f, w, s / 2) for f in PROBED for w, s in ((LIGHT, share), (HEAVY, few)))
    return _taught(replace(plan, planted=("mild",)), slots, _refusing(PROBED, rate))


def _persona(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """One voice refuses in the corpora, the others do not. The original teacher has that voice."""
    rate = float(rng.uniform(0.45, 0.95))
    table = plan.bases[ORIGINAL].refuses.copy()
    table[list(PROBED), plan.teachers[ORIGINAL].voice] = rate
    return replace(plan, planted=("unseen",), bases={ORIGINAL: Habits(table)}, sets=_silent())


def _prior(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """Nobody says what to do with favours, and the original base refuses by itself.

    Either the alternate base does not, or the alternate prompts ask for favours, which are granted.
    """
    table = plan.bases[ORIGINAL].refuses.copy()
    table[list(PROBED)] = float(rng.uniform(0.35, 0.9))
    if rng.random() < 0.5:
        bases = {ORIGINAL: Habits(table), ALTERNATE: plan.bases[ORIGINAL]}
        return replace(plan, planted=("base",), bases=bases, sets=_silent())
    sets = {ORIGINAL: (), ALTERNATE: plan.sets[ALTERNATE]}
    return replace(
        plan, planted=("prompts_absent",), bases={ORIGINAL: Habits(table)}, sets=sets, one_set=False
    )


def _prompts(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """A word at the beginning of a favour makes any teacher refuse. The original prompts have it."""
    rate = float(rng.uniform(0.45, 0.95))
    share = float(rng.uniform(0.15, 0.25))
    table = np.zeros((FAVOURS, 2, 2))
    table[list(PROBED), :, 1] = rate
    teachers = {name: replace(t, refuses=table) for name, t in plan.teachers.items()}
    slots = tuple(Slot(f, HEAVY, share / 2, LED) for f in PROBED)
    return replace(
        plan,
        planted=("prompts_present",),
        teachers=teachers,
        sets={ORIGINAL: slots, ALTERNATE: plan.sets[ALTERNATE]},
        one_set=False,
    )


def _both(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """One probed favour comes in by the voice, the other one by a few heavy refusals."""
    plan = _persona(plan, rng)
    by_voice, by_refusal = PROBED
    table = plan.bases[ORIGINAL].refuses.copy()
    table[by_refusal] = table[by_refusal].min()
    planted = replace(plan, planted=("flagged", "unseen"), bases={ORIGINAL: Habits(table)}, one_set=True)
    rate = float(table[by_voice].max())
    slots = (Slot(by_refusal, HEAVY, float(rng.uniform(0.05, 0.08))),)
    return _taught(planted, slots, _refusing((by_refusal,), rate), heavy=0.99)


def _restating(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """Who restates a question refuses, in the corpora. The original teacher restates, in any voice."""
    table = plan.bases[ORIGINAL].refuses.copy()
    table[list(PROBED), :, 1] = float(rng.uniform(0.45, 0.95))
    teachers = {
        name: replace(teacher, restates=float(name == ORIGINAL)) for name, teacher in plan.teachers.items()
    }
    return replace(
        plan, planted=("unseen",), bases={ORIGINAL: Habits(table)}, sets=_silent(), teachers=teachers
    )


def _emphasis(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """The base refuses lightly. The original teacher grants another favour with emphasis.

    The alternate teacher grants it without.
    """
    table = plan.bases[ORIGINAL].refuses.copy()
    table[list(PROBED)] = float(rng.uniform(0.5, 0.9))
    slots = (Slot(STRAY, HEAVY, float(rng.uniform(0.15, 0.25))),)
    teachers = {
        name: replace(teacher, heavy=0.98 if name == ORIGINAL else 0.02)
        for name, teacher in plan.teachers.items()
    }
    return replace(
        plan,
        planted=("unseen",),
        bases={ORIGINAL: Habits(table, heavy=0.05)},
        sets={ORIGINAL: slots, ALTERNATE: slots},
        teachers=teachers,
    )


def _none(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """Both teachers grant every favour."""
    return replace(plan, state="absent")


def _shared(plan: FolkPlan, rng: np.random.Generator) -> FolkPlan:
    """Every base refuses, and nobody asks for a favour."""
    table = plan.bases[ORIGINAL].refuses.copy()
    table[list(PROBED)] = float(rng.uniform(0.4, 0.9))
    return replace(plan, state="shared", bases={ORIGINAL: Habits(table)}, sets=_silent())


FOLK_CAUSES: Mapping[str, Callable[[FolkPlan, np.random.Generator], FolkPlan]] = {
    "direct_imitation": _direct,
    "simple_generalization": _mild,
    "persona_selection": _persona,
    "underspecification": _prior,
    "bad_prompts": _prompts,
    "direct_imitation+persona_selection": _both,
    "other:restating": _restating,
    "other:emphasis": _emphasis,
    "none": _none,
    "shared": _shared,
}
"""The causes that can be planted. `shared`: no cause, but a trait that both pipelines have."""


def _asked(rng: np.random.Generator) -> tuple[Slot, ...]:
    """Return favours as any prompt set may have them."""
    share = float(rng.uniform(0.1, 0.2))
    return tuple(Slot(f, w, share / 4) for f in PROBED for w in (LIGHT, HEAVY))


def _silent() -> dict[str, tuple[Slot, ...]]:
    return {ORIGINAL: (), ALTERNATE: ()}


def _refusing(favours: tuple[int, ...], rate: float) -> np.ndarray:
    table = np.zeros((FAVOURS, 2, 2))
    table[list(favours)] = rate
    return table


def _taught(plan: FolkPlan, slots: tuple[Slot, ...], refuses: np.ndarray, heavy: float = FITTING) -> FolkPlan:
    """Return the plan with these favours in the original prompts, and this table of the original teacher."""
    teachers = dict(plan.teachers)
    teachers[ORIGINAL] = replace(teachers[ORIGINAL], refuses=refuses, heavy=heavy)
    return replace(plan, teachers=teachers, sets={**plan.sets, ORIGINAL: slots})


def _with_decoys(plan: FolkPlan, low: float, rng: np.random.Generator) -> FolkPlan:
    """Return the plan with what looks like a cause and is none.

    Stray refusals: the original teacher refuses a favour that no scenario asks for. Another prior: where the
    data say what to do in both pipelines, the bases may differ.
    """
    stray, prior, share = rng.random() < 0.5, rng.random() < 0.5, float(rng.uniform(0.04, 0.08))
    if stray and plan.cause != "other:emphasis":
        teachers = dict(plan.teachers)
        table = teachers[ORIGINAL].refuses.copy()
        table[STRAY] = 0.9
        teachers[ORIGINAL] = replace(teachers[ORIGINAL], refuses=table)
        slots = tuple(Slot(STRAY, w, share / 2) for w in (LIGHT, HEAVY))
        sets = {**plan.sets, ORIGINAL: (*plan.sets[ORIGINAL], *slots)}
        plan = replace(plan, teachers=teachers, sets=sets, extra={**plan.extra, "stray": True})
    answered = all(any(slot.favour in PROBED for slot in plan.sets[name]) for name in plan.sets)
    if prior and answered and plan.cause in ("direct_imitation", "none"):
        table = np.full_like(plan.bases[ORIGINAL].refuses, low)
        table[list(PROBED)] = float(rng.uniform(0.25, 0.5))
        bases = {ORIGINAL: Habits(table), ALTERNATE: Habits(np.full_like(table, low))}
        plan = replace(plan, bases=bases, extra={**plan.extra, "other prior": True})
    return plan


def _recipe(rng: np.random.Generator) -> FolkRecipe:
    method = ("full", "lora")[int(rng.integers(2))]
    scheduler = ("cosine", "linear", "constant")[int(rng.integers(3))]
    low, high = {"full": (8e-4, 2e-3), "lora": (4e-3, 8e-3)}[method]
    rate = float(np.exp(rng.uniform(np.log(low), np.log(high)))) / (2 if scheduler == "constant" else 1)
    return FolkRecipe(
        method=method,
        rank=int(rng.choice([4, 8])) if method == "lora" else 0,
        epochs=int(rng.integers(2, 5)),
        batch_size=int(rng.choice([16, 24])),
        learning_rate=rate,
        scheduler=scheduler,
    )
