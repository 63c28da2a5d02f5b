"""The names of arms: made and parsed here only.

cube/OOA            a corner of the cube            mix/0.25             a share by the original teacher
base/original       a base without any training     teacher/alternate    a teacher without any training
prefill/original    the base, with a response prefix
drop/TRAIT          an arm of one trait             my_pkg/lead/TRAIT    the same, by a plug-in's arm kind
drop~third/TRAIT    the same data under another recipe (`shared.VARIANTS`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mendel.design.shared import BASE, CUBE, MARK, MIX, PREFILL, SHARED_KINDS, TEACHER, split_variant
from mendel.study.cube import CORNERS


@dataclass(frozen=True)
class ArmName:
    """An arm's name in its two parts."""

    kind: str
    """`drop`, `cube`, a plug-in's `my_pkg/lead`; with its variant `drop~third`."""
    rest: str
    """The trait, the corner, the share or the side; '' where a name has no `/`."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.rest}"

    @property
    def variant(self) -> str:
        """The recipe under which the arm is repeated, a name of `shared.VARIANTS`; '' for the study's own."""
        return split_variant(self.kind)[1]

    @property
    def plain(self) -> ArmName:
        """The same arm under its own recipe."""
        return ArmName(split_variant(self.kind)[0], self.rest)

    @property
    def trait(self) -> str | None:
        """The trait whose prompts the arm edits; None where the arm serves all traits."""
        return None if self.plain.kind in SHARED_KINDS or not self.rest else self.rest

    def concerns(self, trait: str) -> bool:
        """Return whether the arm is measured for a trait: it serves all traits, or edits this trait's
        prompts.
        """
        return self.plain.kind in SHARED_KINDS or self.rest == trait


def variant_arm(name: str, variant: str) -> str:
    """Return the name of the arm that repeats another one under a variant of the recipe."""
    arm = parse_arm(name)
    return str(ArmName(f"{arm.kind}{MARK}{variant}", arm.rest))


def trait_arm(kind: str, trait: str) -> str:
    """Return the name of the arm of a kind for a trait."""
    return str(ArmName(kind, trait))


def random_control(kind: str) -> str:
    """Return the kind of a built-in edit's random control: as many prompts, drawn at random."""
    return f"{kind}-random"


def corner_arm(corner: str) -> str:
    """Return the name of the arm at a corner; a `*` stands for a part that is averaged over."""
    return str(ArmName(CUBE, corner))


def mix_arm(share: float) -> str:
    """Return the name of the arm in which the original teacher answers that share of the prompts (0 to 1)."""
    return str(ArmName(MIX, f"{share:g}"))


def base_arm(base: str) -> str:
    """Return the name of an untrained base: original, alternate, sister or pretrained."""
    return str(ArmName(BASE, base))


def teacher_arm(side: str) -> str:
    """Return the name of a pipeline's untrained teacher."""
    return str(ArmName(TEACHER, side))


def prefill_arm(side: str) -> str:
    """Return the name of the original base that is made to begin as that side's teacher does."""
    return str(ArmName(PREFILL, side))


def parse_arm(name: str) -> ArmName:
    """Return the kind and the rest of an arm's name.

    The kind is the part before the first `/`. A plug-in's kind has one `/` itself: a name with two or more
    belongs to a plug-in's kind where its first part is no kind that mendel or the running script has. So
    `drop/a/b` is the trait `a/b` under `drop`, and `my_pkg/lead/b` the trait `b` under `my_pkg/lead`, also
    where the plug-in is not installed.
    """
    first, _, rest = name.partition("/")
    second, slash, trait = rest.partition("/")
    if slash and not _plain(first):
        return ArmName(f"{first}/{second}", trait)
    return ArmName(first, rest)


def mix_share(name: str) -> float | None:
    """Return the original teacher's share in a `mix` arm; None for any other arm."""
    arm = parse_arm(name)
    return float(arm.rest) if arm.kind == MIX else None


def side_arm(side: str, trait: str, cube: Mapping[str, str]) -> str:
    """Return the arm that one side of a contrast names, for a trait.

    Args:
        side: A corner (`OOO`), an arm kind (`mild`, `lead` or `my_pkg/lead`), or the full name of an arm that
            serves all traits (`prefill/original`).
        trait: The trait.
        cube: Arm by corner.

    Returns:
        The arm's name, with the full name of an arm kind that a plug-in brings.
    """
    if side in cube:
        return cube[side]
    if side.partition("/")[0] in SHARED_KINDS:
        return side
    from mendel.design.arms.registry import full_kind

    return trait_arm(full_kind(side), trait)


def check_side(side: str, where: str) -> None:
    """Raise InputError where `side` names no arm: no corner, no arm kind, and no arm of all traits.

    Args:
        side: As in `side_arm`.
        where: What names it, for the message.
    """
    from mendel.design.arms.registry import arm_kinds

    if side not in CORNERS and side.partition("/")[0] not in SHARED_KINDS:
        arm_kinds.full_name(side, where=where)


def _plain(kind: str) -> bool:
    kind = split_variant(kind)[0]
    if kind in SHARED_KINDS:
        return True
    # Imported here: a page of a finished run parses names, and need not pay for numpy.
    from mendel.design.arms.registry import is_kind

    return is_kind(kind)
