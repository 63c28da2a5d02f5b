"""Admission: whether a planted organism shows its own effect, and the mechanism of its cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mendel.organisms.planted.causes import NONE
from mendel.organisms.planted.organism import Planted
from mendel.organisms.planted.texts import NamedPrompt

EFFECT, STILL = 0.5, 0.05
"""Smallest difference of greedy rates between the pipelines, and the largest for a trait without a cause."""
OWN, OTHER = 0.75, 0.25
"""A planted mechanism shows at least the first share of the effect, an excluded one at most the second share.

Verdicts use a half and a third. These limits are stricter: where one student showed .6, other students of the
same organism showed .3 to .9.
"""
OWN_SEEDS = (0, 1)
"""Seeds of the students that must each show a planted mechanism.

One student is enough for an excluded mechanism, which is far from its limit.
"""
COUNTERED = 0.2
"""Share of the prompts that counter-examples replace."""
RIGHT = 0.6
"""Smallest share of tasks that a student answers right."""


def shortfall(planted: Planted) -> str:
    """Return why an organism is not admitted, or '' if it is admitted."""
    plan, texts = planted.plan, planted.texts
    original = planted.student("original", planted.rows(texts.original, "original"))
    alternate = planted.student("alternate", planted.rows(texts.alternate, "alternate"))
    rates = [planted.rate(original, trait) for trait in range(3)]
    others = [planted.rate(alternate, trait) for trait in range(3)]
    effects = [a - b for a, b in zip(rates, others, strict=True)]
    effect = effects[plan.target]
    if planted.right(original) < RIGHT:
        return "the student answers tasks no longer"
    if plan.has(NONE):
        worst = max(abs(e) for e in effects)
        return "" if worst <= STILL else f"the pipelines differ by {worst:.2f}"
    if effect < EFFECT:
        return f"original minus alternate is {effect:.2f}"
    if (
        not plan.has("persona_selection")
        and max(abs(e) for trait, e in enumerate(effects) if trait != plan.target) > STILL
    ):
        return f"another trait moves, too: {effects}"
    return _mechanism(planted, effect)


def _mechanism(planted: Planted, effect: float) -> str:
    """Return which claim about the planted causes does not hold, or ''."""
    looks = [_Look(planted, effect, seed) for seed in OWN_SEEDS]
    if planted.plan.spread != "all":
        return _unmet(SPREAD, looks)
    alone = len(planted.plan.causes) == 1
    claims = [c for cause in planted.plan.causes for c in MECHANISMS[cause] if alone or not c.alone]
    return _unmet(claims, looks)


def _unmet(claims: Sequence[Claim], looks: Sequence[_Look]) -> str:
    """Return the first claim that does not hold for a student, with its value, or '' if all claims hold."""
    for claim in claims:
        for look in looks if claim.there else looks[:1]:
            value = claim.measured(look)
            if value < OWN if claim.there else abs(value) > OTHER:
                return f"{claim.what} is {value:.2f} of the effect"
    return ""


class _Look:
    """Students of one organism, by their training data. Each measurement is a share of the effect."""

    def __init__(self, planted: Planted, effect: float, seed: int) -> None:
        self.planted, self.effect, self.seed = planted, effect, seed
        self.rates: dict[tuple[str, str], float] = {}
        groups: dict[float, list[NamedPrompt]] = {1.0: [], 0.2: [], 0.0: []}
        for named in planted.texts.original:
            groups[planted.score(named)].append(named)
        self.flagged, self.mild, self.unrelated = groups[1.0], groups[0.2], groups[0.0]

    def rate(self, base: str, *parts: tuple[Sequence[NamedPrompt], str]) -> float:
        """Return the rate of the target in a student of the base, trained on prompts answered by teachers."""
        planted = self.planted
        rows = [row for prompts, teacher in parts for row in planted.rows(prompts, teacher)]
        return planted.rate(planted.student(base, rows, self.seed))

    def teachers(self, base: str, teacher: str) -> float:
        """Return what the unrelated answers of a teacher do more than those of the alternate teacher."""
        for key in ((base, teacher), (base, "alternate")):
            if key not in self.rates:
                self.rates[key] = self.rate(base, (self.unrelated, key[1]))
        return (self.rates[base, teacher] - self.rates[base, "alternate"]) / self.effect

    def mild_bleed(self) -> float:
        """Return what the mild answers of the original teacher do if the flagged prompts are dropped."""
        rates = [
            self.rate("original", (self.mild, teacher), (self.unrelated, "alternate"))
            for teacher in ("original", "alternate")
        ]
        return (rates[0] - rates[1]) / self.effect

    def corner(self, base: str, prompts: str) -> float:
        """Return what is left of the effect with the alternate teacher, for a base and a prompt set."""
        named = self.planted.texts.original if prompts == "original" else self.planted.texts.alternate
        return self.rate(base, (named, "alternate")) / self.effect

    def carriers(self, levels: Sequence[int] = (0, 1, 2, 3), *, alone: bool = False) -> float:
        """Return the effect of a student whose carriers at some levels have alternate answers.

        If `alone`, the carriers have original answers, and all other prompts have alternate answers.
        """
        carrying = set(self.planted.carriers())
        everything = self.planted.texts.original
        carriers = [a for a in everything if a.prompt_id in carrying and a.prompt.level in levels]
        taken = {named.prompt_id for named in carriers}
        rest = [named for named in everything if named.prompt_id not in taken]
        inner, outer = ("original", "alternate") if alone else ("alternate", "original")
        return self.rate("original", (carriers, inner), (rest, outer)) / self.effect

    def countered(self, base: str) -> float:
        """Return what is left of the effect if a fifth of the prompts are counter-examples."""
        texts = self.planted.texts
        count = round(COUNTERED * len(texts.original))
        counter = texts.counter[self.planted.plan.target][:count]
        kept = [*self.flagged, *self.mild, *self.unrelated[count:]]
        return self.rate(base, (kept, "original"), (counter, "alternate")) / self.effect


@dataclass(frozen=True)
class Claim:
    """A measurement, and whether it must show the mechanism or must not show it."""

    what: str
    there: bool
    measured: Callable[[_Look], float]
    """The measurement, as a share of the effect."""
    alone: bool = False
    """Whether the claim is only about organisms with a single cause."""


TEACHER_SWAPPED = Claim("the alternate teacher's", True, lambda look: look.corner("original", "original"))
BASE_ALONE = Claim("the base's alone", True, lambda look: look.corner("original", "alternate"))
UNRELATED = Claim("the unrelated prompts'", True, lambda look: look.teachers("original", "original"))
REWRITTEN = Claim("the rewriter's", False, lambda look: look.teachers("original", "rewritten"))


def _sister(there: bool) -> Claim:
    return Claim("the sister's", there, lambda look: look.teachers("sister", "original"))


def _countered(there: bool, base: str = "original") -> Claim:
    return Claim(f"what counter-examples leave from {base}", there, lambda look: look.countered(base))


SPREAD = (
    Claim("the carriers' alone", True, lambda look: look.carriers(alone=True)),
    Claim("all but the carriers'", False, lambda look: look.carriers()),
    Claim("all but the strong carriers'", False, lambda look: look.carriers((2, 3))),
    Claim("all but the mild carriers'", False, lambda look: look.carriers((0, 1))),
)
"""The claims about an organism with spread carriers, instead of those about its cause.

The carriers are the planted rows. And the carriers that the judge hardly sees are needed as much as the
others.
"""
MECHANISMS: dict[str, tuple[Claim, ...]] = {
    "simple_generalization": (
        Claim("the mild prompts'", True, lambda look: look.mild_bleed()),
        replace(UNRELATED, there=False, alone=True),
    ),
    "subliminal_learning": (UNRELATED, _sister(False), REWRITTEN),
    "persona_selection": (UNRELATED, _sister(True), REWRITTEN),
    "underspecification": (TEACHER_SWAPPED, BASE_ALONE, _countered(False)),
    "bad_prompts": (
        TEACHER_SWAPPED,
        Claim("the prompts' alone", True, lambda look: look.corner("alternate", "original")),
        replace(BASE_ALONE, there=False),
    ),
    "pretraining_lock_in": (
        TEACHER_SWAPPED, BASE_ALONE, _countered(True), _countered(True, "pretrained"),
    ),
    "post_training_lock_in": (
        TEACHER_SWAPPED, BASE_ALONE, _countered(True), _countered(False, "pretrained"),
    ),
}  # fmt: skip
"""The claims about an organism, by cause."""
