"""The design: which arms a study needs, each a base and, for every seed, an assignment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from mendel.data.assignment import Assignment, drop, everyone, interpolate, only, random_control, swap
from mendel.data.prompts import Prompt
from mendel.engine.digest import digest
from mendel.study import StudyConfig

Side = Literal["original", "alternate"]
PARTS = ("base", "prompts", "teacher")
SIDES: Mapping[str, Side] = {"O": "original", "A": "alternate"}


@dataclass(frozen=True)
class Arm:
    """Students that differ in their seed alone; a random arm draws its subset by the seed too."""

    name: str
    kind: str
    base: Side
    prompts: Side
    assignments: tuple[Assignment, ...]
    """One for each seed of the design."""
    trait: str | None = None
    """The trait whose flagged prompts are edited; None where the arm serves all traits."""
    share: float | None = None
    """The original teacher's share, in `mix` arms."""

    @property
    def random(self) -> bool:
        """Whether the assignment differs from seed to seed."""
        return len(set(self.assignments)) > 1


@dataclass(frozen=True)
class Design:
    """All arms of a study, and which arm stands at each corner of the cube base x prompts x teacher."""

    arms: tuple[Arm, ...]
    cube: Mapping[str, str]
    """Arm by corner `OOO` … `AAA`; corners that differ only in what the pipelines share have the same arm."""
    seeds: tuple[int, ...]

    def __iter__(self) -> Iterator[Arm]:
        return iter(self.arms)

    @property
    def students(self) -> int:
        """How many students the design asks for."""
        return len(self.arms) * len(self.seeds)


def build_design(
    config: StudyConfig,
    prompts: Mapping[Side, Sequence[Prompt]],
    flagged: Mapping[str, Sequence[str]],
    shared: Mapping[str, bool],
) -> Design:
    """The arms of a study: the cube's corners, the edits of each trait's flagged prompts, the interpolation.

    `flagged` holds the flagged ids of the original prompts by trait (a trait without any gets no edits); `shared`
    says which of base, prompts and teacher are the same in both pipelines.
    """
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    ids: dict[Side, list[str]] = {side: [p.prompt_id for p in prompts[side]] for side in prompts}
    cube, arms = _cube(config, ids, shared, len(seeds))
    if not shared["teacher"]:
        for trait, chosen in flagged.items():
            if chosen:
                arms += _edits(config, trait, chosen, prompts["original"], seeds)
        arms += _mixes(config, ids["original"], seeds)
    return Design(tuple(arms), cube, seeds)


def _cube(
    config: StudyConfig, ids: Mapping[Side, list[str]], shared: Mapping[str, bool], n: int
) -> tuple[dict[str, str], list[Arm]]:
    cube: dict[str, str] = {}
    arms: dict[str, Arm] = {}
    for corner in map("".join, product("OA", repeat=3)):
        own = "".join("O" if shared[part] else letter for part, letter in zip(PARTS, corner, strict=True))
        name = cube[corner] = f"cube/{own}"
        base, side, teacher = (SIDES[letter] for letter in own)
        assignment = everyone(ids[side], getattr(config, teacher).teacher)
        arms.setdefault(name, Arm(name, "cube", base, side, (assignment,) * n))
    return cube, list(arms.values())


def _edits(
    config: StudyConfig, trait: str, flagged: Sequence[str], prompts: Sequence[Prompt], seeds: Sequence[int]
) -> list[Arm]:
    ids = [prompt.prompt_id for prompt in prompts]
    original, alternate = config.original.teacher, config.alternate.teacher
    start = everyone(ids, original)
    # The same random prompts are dropped, swapped and kept, so that the three controls differ in the edit alone.
    drawn = [random_control(prompts, flagged, _rng("control", trait, seed, ids)) for seed in seeds]
    fixed = [flagged] * len(seeds)

    def arm(kind: str, subsets: Sequence[Sequence[str]]) -> Arm:
        edit = kind.removesuffix("-random")
        if edit == "drop":
            assignments = tuple(drop(start, subset) for subset in subsets)
        elif edit == "swap":
            assignments = tuple(swap(start, subset, alternate) for subset in subsets)
        else:
            assignments = tuple(only(ids, subset, original, alternate) for subset in subsets)
        return Arm(f"{kind}/{trait}", kind, "original", "original", assignments, trait=trait)

    kinds = ("drop", "swap", "only")
    return [arm(kind, fixed) for kind in kinds] + [arm(f"{kind}-random", drawn) for kind in kinds]


def _mixes(config: StudyConfig, ids: Sequence[str], seeds: Sequence[int]) -> list[Arm]:
    original, alternate = config.original.teacher, config.alternate.teacher
    arms = []
    for share in config.interpolate:
        drawn = tuple(
            interpolate(ids, share, original, alternate, _rng("mix", "", seed, ids)) for seed in seeds
        )
        arms.append(Arm(f"mix/{share:g}", "mix", "original", "original", drawn, share=share))
    return arms


def _rng(purpose: str, trait: str, seed: int, ids: Sequence[str]) -> np.random.Generator:
    """A generator that depends on what is drawn alone, so that adding a trait or an arm redraws nothing."""
    return np.random.default_rng(int(digest("draw", [purpose, trait, seed, list(ids)])[:16], 16))
