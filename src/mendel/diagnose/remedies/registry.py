"""What a remedy is: an edit of the data or of the training that is meant to remove a trait.

It has words, and an arm that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mendel.design.arms import full_kind
from mendel.design.names import check_side, side_arm
from mendel.engine.registry import Registry, instance_of
from mendel.study.cube import CORNERS, PARTS

FIELDS = ("rows", "prompts", "share")
"""What the texts of a remedy may name: the rows that it changes, all prompts, and the one as a share of the
other.
"""


@dataclass(frozen=True)
class Remedy:
    """A remedy: what one does, which arm shows what comes of it, and what it costs."""

    name: str
    """A plain name; outside mendel the package's name is put before it: `my_pkg/lead`."""
    does: str
    """What one does, as the beginning of a sentence: "Leave out the {rows} flagged prompts".

    `{rows}` is the number of rows that change, nothing where it is unknown."""
    arm: str
    """The arm whose students show it: an arm kind (`drop`), or a corner of the cube (`OOA`)."""
    costs: str
    """What it costs, as a sentence: "{rows} of {prompts} prompts ({share}) are lost.".

    It is left out where it names a number that is unknown."""
    control: str | None = None
    """The arm kind of the random control: what the remedy takes away counts beyond it, and is not decided
    without usable students of it.

    None: it has none, and all that it takes away counts.
    """
    part: str | None = None
    """The part of the pipeline that it changes as a whole.

    It is recommended only where this part carries the trait.

    None: an edit of the data, which is recommended where it is shown to take most of the trait away."""
    order: int = 10
    """Place among the edits. The first that takes most of the trait away is recommended, so small changes
    come first.
    """

    def trait_arm(self, trait: str, cube: Mapping[str, str]) -> str:
        """Return the name of the arm that shows this remedy for a trait."""
        return side_arm(self.arm, trait, cube)

    def control_arm(self, trait: str, cube: Mapping[str, str]) -> str | None:
        """Return the name of the random control's arm; None where the remedy has none."""
        return side_arm(self.control, trait, cube) if self.control else None


def _wrong(item: Any) -> str:
    if wrong := instance_of(Remedy)(item):
        return wrong
    if item.part is not None and item.part not in PARTS:
        return f"changes the part {item.part!r}, which is none of {', '.join(PARTS)}"
    if not item.arm or not item.does:
        return "says not what one does, or which arm shows it: give it 'does' and 'arm'"
    for text in (item.does, item.costs):
        try:
            text.format(**dict.fromkeys(FIELDS, "1"))
        except (KeyError, IndexError, ValueError):
            return f"has a text with other fields than {', '.join(FIELDS)}: {text!r}"
    return ""


remedies: Registry[Remedy] = Registry("remedy", "remedies", check=_wrong)


def remedy(declared: Remedy) -> Remedy:
    """Register a remedy, so that studies train its arm and may recommend it.

    Args:
        declared: The remedy. Its arm kind is registered by `mendel.arm_kind`.

    Returns:
        The same value.

    Raises:
        InputError: The name is taken (a built-in's name is taken for all packages), the value is no Remedy,
            or one of its texts has an unknown field.
    """
    remedies.register(declared.name if isinstance(declared, Remedy) else "?")(declared)
    return declared


def all_remedies() -> tuple[Remedy, ...]:
    """Return every registered remedy, the smallest change first; one of another package has its full name.

    Raises:
        InputError: A package's remedies cannot be loaded, or one is of an unknown arm kind.
    """
    remedies.require_all()
    named = [replace(remedies.get(name), name=name) for name in remedies]
    for declared in named:
        for side in filter(None, (declared.arm, declared.control)):
            check_side(side, f"remedy {declared.name!r}")
    return tuple(sorted(named, key=lambda declared: (declared.order, declared.name)))


def edited_kinds() -> dict[str, str | None]:
    """Return the arm kinds of all remedies that edit a trait's data, each with its random control.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    return {
        full_kind(declared.arm): declared.control and full_kind(declared.control)
        for declared in all_remedies()
        if declared.arm not in CORNERS
    }
