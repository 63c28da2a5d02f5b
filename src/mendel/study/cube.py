"""The cube base x prompts x teacher: its parts, its two sides and its corners. Everybody reads them here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Literal

Side = Literal["original", "alternate"]

PARTS = ("base", "prompts", "teacher")
"""The parts of a pipeline, in the order of a corner's letters."""
SIDES: tuple[Side, Side] = ("original", "alternate")
LETTERS: Mapping[str, Side] = {"O": "original", "A": "alternate"}
"""Side by letter of a corner."""
CORNERS: tuple[str, ...] = tuple(map("".join, product(LETTERS, repeat=len(PARTS))))
"""`OOO` to `AAA`: the side of base, prompts and teacher."""
ORIGINAL, ALTERNATE = "OOO", "AAA"
"""The corners of the two pipelines."""
STAR = (ORIGINAL, ALTERNATE, "AOO", "OAO", "OOA")
"""The two pipelines, and the original one with a single part swapped."""


def corner_sides(corner: str) -> tuple[str, ...]:
    """Return the sides of base, prompts and teacher: `OOA` -> (original, original, alternate).

    A letter other than O and A stays as it is.
    """
    return tuple(LETTERS.get(letter, letter) for letter in corner)


def other_corner(corner: str, part: str) -> str:
    """Return the corner with the alternate side of one part: (`OOO`, `prompts`) -> `OAO`."""
    place = PARTS.index(part)
    return f"{corner[:place]}A{corner[place + 1 :]}"


def shared_parts(cube: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts that both pipelines share.

    Every pair of corners that differs in such a part only has one arm.
    """
    return tuple(
        part for part in PARTS if all(cube[corner] == cube[other_corner(corner, part)] for corner in CORNERS)
    )
