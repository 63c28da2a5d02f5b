"""The cube base x prompts x teacher as a drawing: the trait's level at each corner, shared parts folded together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from mendel.report._text import Estimate, Format
from mendel.report._words import CORNERS, PARTS, corner_sides

if TYPE_CHECKING:
    from markupsafe import Markup

_STEP: Mapping[str, tuple[float, float]] = {
    "teacher": (190.0, 0.0),
    "base": (0.0, 150.0),
    "prompts": (86.0, -62.0),
}
"""From the original to the alternate side of each part, in pixels: teachers across, bases down, prompts into the depth."""
_RADIUS = 25.0
_MARGIN = (86.0, 54.0)


@dataclass(frozen=True)
class Corner:
    """One corner with its arm and level."""

    name: str
    """Its first letters, such as `OOA`; shared parts are `O`."""
    arm: str
    level: Estimate | None
    x: float
    y: float


def draw_cube(
    trait: str,
    cube: Mapping[str, str],
    levels: Mapping[str, Estimate | None],
    shared: frozenset[str],
    numbers: Format,
    top: float = 1.0,
) -> Markup | None:
    """The corners as SVG, each filled by its level of `top`; None where nothing differs or nothing was measured.

    A part that both pipelines share makes no axis: two parts draw a square, one a line. Every corner names its arm and trait, so that
    the page can open the responses behind it.
    """
    from markupsafe import Markup

    corners = _corners(cube, levels, shared)
    if len(corners) < 2 or not any(corner.level and corner.level.bounded for corner in corners):
        return None
    width = max(c.x for c in corners) + _MARGIN[0]
    height = max(c.y for c in corners) + _MARGIN[1] + 34
    root = ElementTree.Element(
        "svg",
        {
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "class": "cube",
            "role": "group",
        },
    )
    root.set(
        "aria-label",
        f"{trait.replace('_', ' ')} at each corner of base, prompts and teacher. {_read(corners, numbers)}",
    )
    for first, second in _edges(corners):
        ElementTree.SubElement(
            root,
            "line",
            {
                "x1": f"{first.x:g}",
                "y1": f"{first.y:g}",
                "x2": f"{second.x:g}",
                "y2": f"{second.y:g}",
                "class": "edge",
            },
        )
    # Those further back first, so that the nearer ones cover them.
    for corner in sorted(corners, key=lambda c: -c.name[1:2].count("A")):
        _draw(root, corner, trait, numbers, top)
    _axes(root, corners, shared)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _corners(
    cube: Mapping[str, str], levels: Mapping[str, Estimate | None], shared: frozenset[str]
) -> list[Corner]:
    found = []
    for name in CORNERS:
        if any(letter == "A" and part in shared for letter, part in zip(name, PARTS, strict=True)):
            continue
        steps = [_STEP[part] for letter, part in zip(name, PARTS, strict=True) if letter == "A"]
        depth = 0.0 if "prompts" in shared else -_STEP["prompts"][1]
        x = _MARGIN[0] + 40 + sum(step[0] for step in steps)
        y = _MARGIN[1] + depth + sum(step[1] for step in steps)
        found.append(Corner(name, cube[name], levels.get(cube[name]), x, y))
    return found


def _edges(corners: Sequence[Corner]) -> list[tuple[Corner, Corner]]:
    return [
        (a, b)
        for i, a in enumerate(corners)
        for b in corners[i + 1 :]
        if sum(x != y for x, y in zip(a.name, b.name, strict=True)) == 1
    ]


def _draw(root: ElementTree.Element, corner: Corner, trait: str, numbers: Format, top: float) -> None:
    sides = ", ".join(f"{side} {part}" for side, part in zip(corner_sides(corner.name), PARTS, strict=True))
    value = numbers.value(corner.level)
    group = ElementTree.SubElement(
        root,
        "g",
        {
            "class": "corner",
            "role": "button",
            "tabindex": "0",
            "data-trait": trait,
            "data-arm": corner.arm,
            "aria-label": f"{sides}: {value}",
        },
    )
    at = {"cx": f"{corner.x:g}", "cy": f"{corner.y:g}"}
    own = " own" if corner.name in ("OOO", "AAA") else ""
    ElementTree.SubElement(group, "circle", {**at, "r": f"{_RADIUS:g}", "class": "disc"})
    # Without its interval a level would look certain: it is written, and not drawn.
    level = corner.level if corner.level and corner.level.bounded else None
    if level is not None and level.estimate > 0:
        # The area says how much of the trait there is.
        share = min(1.0, level.estimate / top) if top > 0 else 0.0
        ElementTree.SubElement(group, "circle", {**at, "r": f"{_RADIUS * share**0.5:.2f}", "class": "level"})
    # The outline last: a full disc would cover it.
    ElementTree.SubElement(group, "circle", {**at, "r": f"{_RADIUS:g}", "class": f"ring{own}"})
    _text(
        group,
        corner.x,
        corner.y - _RADIUS - 8,
        numbers.number(corner.level.estimate) if corner.level else "?",
        "value",
    )
    _text(
        group,
        corner.x,
        corner.y + _RADIUS + 14,
        numbers.interval(corner.level) if corner.level else "not measured",
        "ci",
    )


def _axes(root: ElementTree.Element, corners: Sequence[Corner], shared: frozenset[str]) -> None:
    left = min(corner.x for corner in corners)
    by_name = {corner.name: corner for corner in corners}
    if "teacher" not in shared:
        y = by_name["OOO"].y if "base" in shared else by_name["AOO"].y
        for letter, word in (("O", "original"), ("A", "alternate")):
            name = f"{'O' if 'base' in shared else 'A'}O{letter}"
            _text(root, by_name[name].x, y + _RADIUS + 36, f"{word} teacher", "axis")
    if "base" not in shared:
        for letter, word in (("O", "original"), ("A", "alternate")):
            corner = by_name[f"{letter}OO"]
            _text(root, left - _RADIUS - 8, corner.y - 2, word, "axis end")
            _text(root, left - _RADIUS - 8, corner.y + 13, "base", "axis end")
    if "prompts" not in shared:
        corner = by_name["OAO"]
        _text(root, corner.x, corner.y - _RADIUS - 26, "behind: alternate prompts", "axis")


def _text(parent: ElementTree.Element, x: float, y: float, text: str, kind: str) -> None:
    element = ElementTree.SubElement(parent, "text", {"x": f"{x:g}", "y": f"{y:g}", "class": kind})
    element.text = text


def _read(corners: Sequence[Corner], numbers: Format) -> str:
    return "; ".join(f"{corner.name}: {numbers.value(corner.level)}" for corner in corners)
