"""The design: the arms that a study can have, each a base and, for every seed, an assignment.

An arm is made when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from mendel.data.assignment import Assignment, everyone, interpolate
from mendel.data.prompts import Prompt
from mendel.design.arms import EDITS, LACKING, ArmKind, BaseName, Material, arm_kinds, draw_rng
from mendel.design.arms.recipes import variant_recipe
from mendel.design.names import corner_arm, mix_arm, parse_arm, trait_arm
from mendel.design.shared import CUBE, MIX, SHARED_KINDS
from mendel.engine.errors import MendelError, RunError
from mendel.study import RecipeConfig, StudyConfig
from mendel.study.cube import CORNERS, LETTERS, ORIGINAL, PARTS, STAR, Side


@dataclass(frozen=True)
class Arm:
    """Students that differ only in their seed; a random arm draws its subset by the seed, too."""

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
        return any(assignment != self.assignments[0] for assignment in self.assignments)


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

    def rows_changed(self) -> dict[str, int]:
        """Return how many rows of the original pipeline's data an arm changes.

        A row is changed if nobody answers its prompt, another teacher does, or another prompt stands in its
        place. {} where the design lacks the original pipeline.
        """
        start = next((arm for arm in self.arms if arm.name == self.cube[ORIGINAL]), None)
        if start is None:
            return {}
        before = start.assignments[0]
        changed = {}
        for arm in self.arms:
            after = arm.assignments[0]
            gone = sum(after.get(prompt) != teacher for prompt, teacher in before.items())
            added = sum(prompt not in before for prompt, teacher in after.items() if teacher is not None)
            changed[arm.name] = max(gone, added)
        return changed


@dataclass(frozen=True)
class Catalogue:
    """All arms that a study can have, by name: the cube, the interpolation, and every kind of arm for every
    trait.
    """

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
            corner: corner_arm(
                "".join(
                    "O" if self.shared[part] else letter for part, letter in zip(PARTS, corner, strict=True)
                )
            )
            for corner in CORNERS
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
        """Return the arms of the cube, of the edits of each trait's flagged prompts, and of the
        interpolation.
        """
        names = list(self.corners)
        if not self.shared["teacher"]:
            names += [
                trait_arm(kind, trait) for trait, m in self.materials.items() if m.flagged for kind in EDITS
            ]
            names += [mix_arm(share) for share in self.config.interpolate]
        return names

    def grid(self) -> list[str]:
        """Return every arm that can be made: the standard ones, then every other kind for every trait."""
        every = [trait_arm(kind, trait) for trait in self.materials for kind in arm_kinds]
        standard = self.standard()
        return [*standard, *(name for name in every if name not in standard and not self.lacking(name))]

    def lacking(self, name: str) -> str:
        """Return why an arm cannot be made, '' if it can. Raises InputError for an arm of an unknown kind."""
        arm = parse_arm(name)
        if arm.variant:
            return self.lacking(str(arm.plain)) or self._lacks_method(arm.variant)
        if arm.kind in (CUBE, MIX):
            return ""
        if arm.kind in SHARED_KINDS:
            return "a model that is not trained here, and was not measured"
        kind = arm_kinds.get(arm.kind)
        for need in kind.needs:
            if not self._has(need, self.materials[arm.rest]):
                return self.materials[arm.rest].lacking(need)
        recipe = self.config.recipe if kind.recipe is None else kind.recipe(self.config.recipe)
        if self.config.original.base.startswith("vllm:") and recipe.method != "lora":
            return LACKING["weights"]
        return ""

    def _lacks_method(self, variant: str) -> str:
        method = variant_recipe(variant, self.config.recipe).method
        weights = self.config.original.base.startswith("vllm:") and method != "lora"
        return LACKING["weights"] if weights else ""

    def _has(self, need: str, material: Material) -> bool:
        if need in ("sister", "pretrained"):
            return getattr(self.config, need) is not None
        return bool(getattr(material, need))

    def arm(self, name: str, seeds: int) -> Arm:
        """Return the arm of that name with its first `seeds` seeds.

        Raises:
            ValueError: The arm cannot be made (see `lacking`).
            InputError: The arm is of an unknown kind.
        """
        lacks = self.lacking(name)
        if lacks:
            raise ValueError(f"{name}: {lacks}")
        numbers = tuple(range(self.config.first_seed, self.config.first_seed + seeds))
        parsed = parse_arm(name)
        if parsed.variant:
            plain = self.arm(str(parsed.plain), seeds)
            changed = variant_recipe(parsed.variant, plain.recipe or self.config.recipe)
            return replace(plain, name=name, share=None, recipe=changed)
        if parsed.kind == CUBE:
            return self._corner(name, parsed.rest, numbers)
        if parsed.kind == MIX:
            return self._mix(name, parsed.rest, numbers)
        kind, material = arm_kinds.get(parsed.kind), self.materials[parsed.rest]
        drawn = self._draw(name, numbers, lambda seed: _draw_kind(parsed.kind, kind, material, seed))
        recipe = kind.recipe_for(self.config.recipe, drawn[0].answered, len(material.ids))
        return Arm(name, parsed.kind, kind.base, "original", drawn, numbers, trait=parsed.rest, recipe=recipe)

    def _corner(self, name: str, corner: str, seeds: tuple[int, ...]) -> Arm:
        base, side, teacher = (LETTERS[letter] for letter in corner)
        ids = [prompt.prompt_id for prompt in self.prompts[side]]
        assignment = everyone(ids, getattr(self.config, teacher).teacher)
        return Arm(name, CUBE, base, side, (assignment,) * len(seeds), seeds)

    def _mix(self, name: str, rest: str, seeds: tuple[int, ...]) -> Arm:
        share = next(share for share in self.config.interpolate if f"{share:g}" == rest)
        ids = [prompt.prompt_id for prompt in self.prompts["original"]]
        original, alternate = self.config.original.teacher, self.config.alternate.teacher
        drawn = self._draw(
            name,
            seeds,
            lambda seed: interpolate(ids, share, original, alternate, draw_rng(MIX, "", seed, ids)),
        )
        return Arm(name, MIX, "original", "original", drawn, seeds, share=share)

    def _draw(
        self, name: str, seeds: Sequence[int], draw: Callable[[int], Assignment]
    ) -> tuple[Assignment, ...]:
        """Return an arm's assignment for each seed, drawn once each.

        Equal ones in a row are one value, read once.
        """
        drawn: list[Assignment] = []
        for seed in seeds:
            if (name, seed) not in self._drawn:
                assignment = draw(seed)
                same = bool(drawn) and drawn[-1] == assignment
                self._drawn[name, seed] = drawn[-1] if same else assignment
            drawn.append(self._drawn[name, seed])
        return tuple(drawn)

    def design(self, wanted: Mapping[str, int]) -> Design:
        """Return the design of the wanted arms (by name: the number of seeds), in the catalogue's order."""
        order = {name: i for i, name in enumerate(self.grid())}
        names = sorted(wanted, key=lambda name: order.get(name, len(order)))
        return Design(tuple(self.arm(name, wanted[name]) for name in names), self.cube)


def _draw_kind(name: str, kind: ArmKind, material: Material, seed: int) -> Assignment:
    """Return the assignment that an arm kind draws.

    Raises:
        RunError: The arm kind is a plug-in's, and its function fails or returns something else than an
            assignment of the trait's prompts.
    """
    origin = arm_kinds.origin(name)
    if origin.built_in:
        return kind.draw(material, seed)
    where, fix = f"arm kind {name!r}", f"Correct {origin.module}."
    try:
        assignment = kind.draw(material, seed)
    except MendelError:
        raise
    except Exception as error:  # A plug-in's code may raise anything.
        raise RunError(f"failed: {type(error).__name__}: {error}", where=where, fix=fix) from error
    if not isinstance(assignment, Assignment):
        raise RunError(f"returned a {type(assignment).__name__}, not an Assignment", where=where, fix=fix)
    prompts = {*material.ids, *material.counter}
    teachers = {material.original, material.alternate, material.rewriter, None}
    for prompt, teacher in assignment.items():
        if prompt not in prompts or teacher not in teachers:
            raise RunError(
                f"assigns the prompt {prompt!r} to {teacher!r}, of which the study has no rollout",
                where=where,
                fix=fix,
            )
    return assignment
