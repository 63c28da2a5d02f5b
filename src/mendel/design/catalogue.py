"""The design: the arms that a study can have, each a base and, for every seed, an assignment; made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Literal

from mendel.data.assignment import Assignment, everyone, interpolate
from mendel.data.prompts import Prompt
from mendel.design.arms.kinds import LACKING, BaseName, Material, arm_kinds, draw_rng
from mendel.study import RecipeConfig, StudyConfig

Side = Literal["original", "alternate"]
PARTS = ("base", "prompts", "teacher")
SIDES: Mapping[str, Side] = {"O": "original", "A": "alternate"}
EDITS = ("drop", "swap", "only", "drop-random", "swap-random", "only-random")
"""What a standard design does to the flagged prompts."""
STAR = ("OOO", "AAA", "AOO", "OAO", "OOA")
"""The two pipelines and the original one with a single part swapped."""


@dataclass(frozen=True)
class Arm:
    """Students that differ in their seed alone; a random arm draws its subset by the seed too."""

    name: str
    kind: str
    base: BaseName
    prompts: Side
    assignments: tuple[Assignment, ...]
    """One for each seed."""
    seeds: tuple[int, ...]
    trait: str | None = None
    """The trait whose prompts are edited; None where the arm serves all traits."""
    share: float | None = None
    """The original teacher's share, in `mix` arms."""
    recipe: RecipeConfig | None = None
    """Another recipe than the study's."""

    @property
    def random(self) -> bool:
        """Whether the assignment differs from seed to seed."""
        return any(one != self.assignments[0] for one in self.assignments)


@dataclass(frozen=True)
class Design:
    """The arms that are trained, and which arm stands at each corner of the cube base x prompts x teacher."""

    arms: tuple[Arm, ...]
    cube: Mapping[str, str]
    """Arm by corner `OOO` … `AAA`; corners that differ only in what the pipelines share have the same arm."""

    def __iter__(self) -> Iterator[Arm]:
        return iter(self.arms)

    @property
    def students(self) -> int:
        """How many students the design asks for."""
        return sum(len(arm.seeds) for arm in self.arms)


@dataclass(frozen=True)
class Catalogue:
    """All arms that a study can have, by name: the cube, the interpolation, and every kind of arm for every trait."""

    config: StudyConfig
    prompts: Mapping[Side, Sequence[Prompt]]
    materials: Mapping[str, Material]
    """By trait."""
    shared: Mapping[str, bool]
    """Which of base, prompts and teacher are the same in both pipelines."""
    _drawn: dict[tuple[str, int], Assignment] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was drawn before, by arm and seed: rounds ask for the same arms again."""

    @cached_property
    def cube(self) -> dict[str, str]:
        """Arm by corner."""
        return {
            corner: "cube/"
            + "".join(
                "O" if self.shared[part] else letter for part, letter in zip(PARTS, corner, strict=True)
            )
            for corner in map("".join, product("OA", repeat=3))
        }

    @property
    def corners(self) -> list[str]:
        """The cube's arms."""
        return list(dict.fromkeys(self.cube.values()))

    @property
    def star(self) -> list[str]:
        """The arms of the two pipelines and of the single swaps."""
        return list(dict.fromkeys(self.cube[corner] for corner in STAR))

    def standard(self) -> list[str]:
        """The cube, the edits of each trait's flagged prompts, the interpolation."""
        names = list(self.corners)
        if not self.shared["teacher"]:
            names += [f"{kind}/{trait}" for trait, m in self.materials.items() if m.flagged for kind in EDITS]
            names += [f"mix/{share:g}" for share in self.config.interpolate]
        return names

    def grid(self) -> list[str]:
        """Every arm that can be made."""
        every = [f"{kind}/{trait}" for trait in self.materials for kind in arm_kinds]
        standard = self.standard()
        return [*standard, *(name for name in every if name not in standard and not self.lacking(name))]

    def lacking(self, name: str) -> str:
        """Why an arm cannot be made; '' if it can."""
        kind, _, trait = name.partition("/")
        if kind in ("cube", "mix"):
            return ""
        how = arm_kinds.get(kind)
        for need in how.needs:
            if not self._has(need, self.materials[trait]):
                return LACKING[need]
        recipe = self.config.recipe if how.recipe is None else how.recipe(self.config.recipe)
        if self.config.original.base.startswith("vllm:") and recipe.method != "lora":
            return LACKING["weights"]
        return ""

    def _has(self, need: str, material: Material) -> bool:
        if need in ("sister", "pretrained"):
            return getattr(self.config, need) is not None
        return bool(getattr(material, need))

    def arm(self, name: str, seeds: int) -> Arm:
        """The arm of that name with its first `seeds` seeds; raises ValueError for one that cannot be made."""
        lacks = self.lacking(name)
        if lacks:
            raise ValueError(f"{name}: {lacks}")
        numbers = tuple(range(self.config.first_seed, self.config.first_seed + seeds))
        kind, _, rest = name.partition("/")
        if kind == "cube":
            return self._corner(name, rest, numbers)
        if kind == "mix":
            return self._mix(name, rest, numbers)
        how, material = arm_kinds.get(kind), self.materials[rest]
        recipe = None if how.recipe is None else how.recipe(self.config.recipe)
        drawn = self._draw(name, numbers, lambda seed: how.draw(material, seed))
        return Arm(name, kind, how.base, "original", drawn, numbers, trait=rest, recipe=recipe)

    def _corner(self, name: str, corner: str, seeds: tuple[int, ...]) -> Arm:
        base, side, teacher = (SIDES[letter] for letter in corner)
        ids = [prompt.prompt_id for prompt in self.prompts[side]]
        assignment = everyone(ids, getattr(self.config, teacher).teacher)
        return Arm(name, "cube", base, side, (assignment,) * len(seeds), seeds)

    def _mix(self, name: str, rest: str, seeds: tuple[int, ...]) -> Arm:
        share = next(share for share in self.config.interpolate if f"{share:g}" == rest)
        ids = [prompt.prompt_id for prompt in self.prompts["original"]]
        original, alternate = self.config.original.teacher, self.config.alternate.teacher
        drawn = self._draw(
            name,
            seeds,
            lambda seed: interpolate(ids, share, original, alternate, draw_rng("mix", "", seed, ids)),
        )
        return Arm(name, "mix", "original", "original", drawn, seeds, share=share)

    def _draw(
        self, name: str, seeds: Sequence[int], draw: Callable[[int], Assignment]
    ) -> tuple[Assignment, ...]:
        """An arm's assignment for each seed, drawn once each; equal ones in a row are one, so that they are read once."""
        drawn: list[Assignment] = []
        for seed in seeds:
            if (name, seed) not in self._drawn:
                one = draw(seed)
                self._drawn[name, seed] = drawn[-1] if drawn and drawn[-1] == one else one
            drawn.append(self._drawn[name, seed])
        return tuple(drawn)

    def design(self, wanted: Mapping[str, int]) -> Design:
        """The design of the wanted arms, by name with their number of seeds, in the catalogue's order."""
        order = {name: i for i, name in enumerate(self.grid())}
        names = sorted(wanted, key=lambda name: order.get(name, len(order)))
        return Design(tuple(self.arm(name, wanted[name]) for name in names), self.cube)
