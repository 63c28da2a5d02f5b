"""Make a folk: train bases and teachers, sample rollouts, and measure the difference of the pipelines.

A draw is admitted by that difference alone. What each part of the data brings in is measured afterwards, with
students of the generator's own, and written down, whatever it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mendel.organisms.folk.learning import Codec, Training, new_model, sampled, trained
from mendel.organisms.folk.people import FolkPrompt, corpus, lessons, prompt_set, scenarios
from mendel.organisms.folk.plans import ALTERNATE, ORIGINAL, FolkPlan, draw_folk_plan
from mendel.organisms.folk.world import World, draw_world

CORPUS, BASE_STEPS, BASE_BATCH, BASE_RATE = 7000, 280, 48, 4e-3
MORE_STEPS, MORE_RATE = 100, 2e-3
"""How the alternate base is made from the original one, by another corpus."""
LESSONS, TEACHER_STEPS, TEACHER_BATCH, TEACHER_RATE = 2500, 100, 40, 3e-3
LEAD_STEPS, LEAD_RATE = 300, 5e-3
"""The same for a teacher that heeds the lead word: 100 steps did not teach it the difference."""
READINGS = 4
"""Answers to each scenario when a student is measured."""
SEEDS = 2
"""Students for each pipeline when a draw is admitted."""
LEAST, MOST = 0.2, 0.95
"""Smallest and largest difference of an organism that claims one."""
SAME = 0.12
"""Largest difference of an organism without one."""
LOW, HIGH = 0.15, 0.3
"""Largest level of an absent trait, and smallest level of a shared one."""
BRINGS, STRAYS = 0.5, 0.2
"""A planted part carries from the first share of the difference on. Another part carries nothing up to
the second one.
"""


@dataclass
class Folk:
    """A made folk with its measured truth."""

    plan: FolkPlan
    world: World
    codec: Codec
    bases: Mapping[str, Any]
    """Models by name: `original`, `alternate` (if the plan has one), `sister`."""
    sets: Mapping[str, tuple[FolkPrompt, ...]]
    counter: tuple[FolkPrompt, ...]
    rollouts: Mapping[str, Mapping[str, str]]
    """Answers by teacher and prompt id."""
    levels: dict[str, float] = field(default_factory=dict)
    """Level of each measured arm."""
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    """What each part brings and takes, as shares of the difference, as measured."""

    @property
    def difference(self) -> float:
        """Return the measured difference of the two pipelines."""
        return self.levels[ORIGINAL] - self.levels[ALTERNATE]

    def base_of(self, side: str) -> Any:
        """Return the base of a pipeline."""
        return self.bases.get(side, self.bases[ORIGINAL])

    def set_of(self, side: str) -> tuple[FolkPrompt, ...]:
        """Return the prompts of a pipeline."""
        return self.sets.get(side, self.sets[ORIGINAL])

    def strata(self) -> dict[str, set[str]]:
        """Return the ids of the original prompts by what the judge sees: flagged, mild, unseen."""
        strong, any_form = (re.compile(pattern) for pattern in self.world.patterns())
        parts: dict[str, set[str]] = {"flagged": set(), "mild": set(), "unseen": set()}
        for prompt in self.set_of(ORIGINAL):
            text = self.rollouts[ORIGINAL][prompt.prompt_id]
            part = "flagged" if strong.search(text) else "mild" if any_form.search(text) else "unseen"
            parts[part].add(prompt.prompt_id)
        return parts

    def level(self, base: str, prompts: str, original: set[str], seeds: Sequence[int]) -> float:
        """Return the mean level of students.

        Args:
            base: The pipeline whose base they start from.
            prompts: The pipeline whose prompts they read.
            original: Prompts that the original teacher answers. The alternate one answers the others.
            seeds: Their seeds.
        """
        rows = []
        for prompt in self.set_of(prompts):
            teacher = ORIGINAL if prompt.prompt_id in original else ALTERNATE
            rows.append((self.world.question(prompt.ask), self.rollouts[teacher][prompt.prompt_id]))
        recipe = self.plan.recipe
        steps = math.ceil(len(rows) / recipe.batch_size) * recipe.epochs
        asked = [self.world.question(ask) for ask in scenarios(self.world)] * READINGS
        strong = re.compile(self.world.patterns()[0])
        hits = []
        for seed in seeds:
            how = Training(
                steps, recipe.batch_size, recipe.learning_rate, recipe.scheduler, recipe.rank, seed
            )
            student = trained(self.base_of(base), self.codec, rows, how)
            hits += [bool(strong.search(text)) for text in sampled(student, self.codec, asked, seed)]
        return float(np.mean(hits))

    def admitted(self) -> str:
        """Measure the two pipelines. Return why the difference is not as claimed, '' if it is."""
        for side in (ORIGINAL, ALTERNATE):
            ids = {p.prompt_id for p in self.set_of(side)} if side == ORIGINAL else set[str]()
            self.levels[side] = self.level(side, side, ids, range(SEEDS))
        original, alternate = self.levels[ORIGINAL], self.levels[ALTERNATE]
        if self.plan.state == "difference":
            fits = LEAST <= self.difference <= MOST
        elif self.plan.state == "absent":
            fits = max(original, alternate) <= LOW and abs(self.difference) <= SAME
        else:
            fits = min(original, alternate) >= HIGH and abs(self.difference) <= SAME
        return "" if fits else f"the pipelines show {original:.2f} and {alternate:.2f}"

    def measure_parts(self) -> None:
        """Measure what each part of the pipeline brings in alone, and what goes when it is taken out."""
        everything = {prompt.prompt_id for prompt in self.set_of(ORIGINAL)}
        seeds = (100, 101)
        clean = self.level(ORIGINAL, ORIGINAL, set(), seeds)
        top, bottom = self.levels[ORIGINAL], self.levels[ALTERNATE]
        found: dict[str, tuple[float, float]] = {}
        for part, ids in self.strata().items():
            if ids:
                brings = self.level(ORIGINAL, ORIGINAL, ids, seeds) - clean
                found[part] = (brings, top - self.level(ORIGINAL, ORIGINAL, everything - ids, seeds))
        if ALTERNATE in self.bases:
            brings = self.level(ORIGINAL, ALTERNATE, set(), seeds) - bottom
            found["base"] = (brings, top - self.level(ALTERNATE, ORIGINAL, everything, seeds))
        if ALTERNATE in self.sets:
            brings = self.level(ALTERNATE, ORIGINAL, set(), seeds) - bottom
            others = {prompt.prompt_id for prompt in self.set_of(ALTERNATE)}
            found["prompts"] = (brings, top - self.level(ORIGINAL, ALTERNATE, others, seeds))
        size = self.difference
        self.shares = {
            part: {"brings": round(brings / size, 2), "takes": round(takes / size, 2)}
            for part, (brings, takes) in found.items()
        }

    def unclear(self) -> tuple[str, ...]:
        """Return parts of which the measured shares do not say what the plan says."""
        doubtful = []
        for part, share in self.shares.items():
            names = (part,) if part != "prompts" else ("prompts_present", "prompts_absent")
            planted = [name for name in names if name in self.plan.planted]
            most = max(share.values())
            if planted and most < BRINGS:
                doubtful += planted
            if not planted and most > STRAYS:
                doubtful += names
        return tuple(doubtful)

    def carriers(self) -> tuple[str, ...]:
        """Return the original prompts whose rollouts carry the trait, where these are single rollouts."""
        parts = self.strata()
        ids = {i for part in self.plan.planted if part in ("flagged", "mild") for i in parts[part]}
        return tuple(sorted(ids))


def make_folk(cause: str, rng_of: Callable[[str], np.random.Generator], step: Callable[[str], None]) -> Folk:
    """Return a folk of one draw, without a sister. Its difference is not measured yet.

    Args:
        cause: One of `FOLK_CAUSES`.
        rng_of: Returns the random generator of a name.
        step: Is told what has been done.
    """
    plan = draw_folk_plan(cause, rng_of("plan"))
    world = draw_world(rng_of("world"))
    codec = Codec(world)
    bases = _bases(plan, world, codec, rng_of)
    step("bases")
    taken: set[str] = set()
    rng = rng_of("prompts")
    sets = {ORIGINAL: prompt_set("p", plan.rows, plan.sets[ORIGINAL], taken, world, rng)}
    if not plan.one_set:
        sets[ALTERNATE] = prompt_set("q", plan.rows, plan.sets[ALTERNATE], taken, world, rng)
    counter = prompt_set("c", round(0.25 * plan.rows), plan.counter_slots, taken, world, rng)
    asks = {p.prompt_id: p.ask for group in (*sets.values(), counter) for p in group}
    rollouts = {}
    for name in (ORIGINAL, ALTERNATE):
        rng = rng_of(f"teacher {name}")
        teaching = plan.teachers[name]
        steps, rate = (LEAD_STEPS, LEAD_RATE) if teaching.heeds_leads else (TEACHER_STEPS, TEACHER_RATE)
        how = Training(steps, TEACHER_BATCH, rate, seed=int(rng.integers(2**31)))
        rows = lessons(world, teaching, LESSONS, rng)
        teacher = trained(bases[ORIGINAL], codec, rows, how)
        texts = sampled(teacher, codec, [world.question(a) for a in asks.values()], int(rng.integers(2**31)))
        rollouts[name] = dict(zip(asks, texts, strict=True))
    rng = rng_of("plain")
    rollouts["plain"] = {
        prompt.prompt_id: world.plain(rollouts[ORIGINAL][prompt.prompt_id], rng) for prompt in sets[ORIGINAL]
    }
    step("teachers")
    return Folk(plan, world, codec, bases, sets, counter, rollouts)


def add_sister(folk: Folk, rng_of: Callable[[str], np.random.Generator]) -> None:
    """Add a base that reads the original base's corpus from another initialization."""
    texts = corpus(folk.world, folk.plan.bases[ORIGINAL], CORPUS, rng_of("corpus"))
    sister = _pretrained(folk.plan, folk.world, folk.codec, texts, rng_of("sister"))
    folk.bases = {**folk.bases, "sister": sister}


def _bases(
    plan: FolkPlan, world: World, codec: Codec, rng_of: Callable[[str], np.random.Generator]
) -> dict[str, Any]:
    texts = corpus(world, plan.bases[ORIGINAL], CORPUS, rng_of("corpus"))
    made = {ORIGINAL: _pretrained(plan, world, codec, texts, rng_of("base"))}
    if ALTERNATE in plan.bases:
        rng = rng_of("other base")
        other = corpus(world, plan.bases[ALTERNATE], CORPUS // 2, rng)
        how = Training(MORE_STEPS, BASE_BATCH, MORE_RATE, seed=int(rng.integers(2**31)))
        made[ALTERNATE] = trained(made[ORIGINAL], codec, other, how)
    return made


def _pretrained(
    plan: FolkPlan, world: World, codec: Codec, texts: Sequence[tuple[str, str]], rng: np.random.Generator
) -> Any:
    seed = int(rng.integers(2**31))
    start = new_model(plan.family, world, plan.width, seed)
    return trained(start, codec, texts, Training(BASE_STEPS, BASE_BATCH, BASE_RATE, seed=seed))
