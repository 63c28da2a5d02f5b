"""The cube base x prompts x teacher as a drawing.

The trait's level at each corner, shared parts folded together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from mendel.engine.text import clean
from mendel.report.views.words import corner_sides
from mendel.results.interval import Format, Interval
from mendel.study.cube import CORNERS, PARTS

if TYPE_CHECKING:
    from markupsafe import Markup

_STEP: Mapping[str, tuple[float, float]] = {
    "teacher": (190.0, 0.0),
    "base": (0.0, 150.0),
    "prompts": (86.0, -62.0),
}
"""From the original to the alternate side of each part, in pixels.

Teachers across, bases down, prompts into the depth.
"""
_RADIUS = 25.0
_MARGIN = (86.0, 68.0)


@dataclass(frozen=True)
class Corner:
    """One corner with its arm and level."""

    name: str
    """Its first letters, such as `OOA`; shared parts are `O`."""
    arm: str
    level: Interval
    x: float
    y: float


def draw_cube(
    trait: str,
    cube: Mapping[str, str],
    levels: Mapping[str, Interval],
    shared: frozenset[str],
    numbers: Format,
    top: float = 1.0,
    groups: Mapping[str, int] | None = None,
) -> Markup | None:
    """Return the corners as SVG, each filled by its level of `top`; None where nothing differs or nothing
    was measured.

    A part that both pipelines share makes no axis: two parts draw a square, one a line. `groups` are those
    of the arms' responses: a corner that has one is a control that opens them.
    """
    from markupsafe import Markup

    corners = _corners(cube, levels, shared)
    if len(corners) < 2 or not any(corner.level.bounded for corner in corners):
        return None
    width = max(c.x for c in corners) + _MARGIN[0]
    height = max(c.y for c in corners) + _MARGIN[1] + 34
    label = "; ".join(f"{c.name}: {numbers.value(c.level)}" for c in corners)
    root = ElementTree.Element(
        "svg", {"class": "cube", "role": "group", "viewBox": f"0 0 {width:g} {height:g}"}
    )
    root.set("width", f"{width:g}")
    root.set("height", f"{height:g}")
    root.set("aria-label", clean(f"{trait.replace('_', ' ')} by base, prompts and teacher. {label}"))
    for first, second in _edges(corners):
        _add(root, "line", "edge", x1=first.x, y1=first.y, x2=second.x, y2=second.y)
    # Those further back first, so that the nearer ones cover them.
    for corner in sorted(corners, key=lambda c: -c.name[1:2].count("A")):
        _draw(root, corner, numbers, top, (groups or {}).get(corner.arm))
    _axes(root, corners, shared)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _corners(cube: Mapping[str, str], levels: Mapping[str, Interval], shared: frozenset[str]) -> list[Corner]:
    corners = []
    for name in CORNERS:
        if any(letter == "A" and part in shared for letter, part in zip(name, PARTS, strict=True)):
            continue
        steps = [_STEP[part] for letter, part in zip(name, PARTS, strict=True) if letter == "A"]
        depth = 0.0 if "prompts" in shared else -_STEP["prompts"][1]
        x = _MARGIN[0] + 40 + sum(step[0] for step in steps)
        y = _MARGIN[1] + depth + sum(step[1] for step in steps)
        corners.append(Corner(name, cube[name], levels.get(cube[name], Interval()), x, y))
    return corners


def _edges(corners: Sequence[Corner]) -> list[tuple[Corner, Corner]]:
    return [
        (a, b)
        for i, a in enumerate(corners)
        for b in corners[i + 1 :]
        if sum(x != y for x, y in zip(a.name, b.name, strict=True)) == 1
    ]


def _draw(
    root: ElementTree.Element, corner: Corner, numbers: Format, top: float, responses: int | None
) -> None:
    group = ElementTree.SubElement(root, "g", {"class": "corner"})
    if responses is not None:
        sides = zip(corner_sides(corner.name), PARTS, strict=True)
        label = f"{', '.join(f'{side} {part}' for side, part in sides)}: {numbers.value(corner.level)}"
        group.attrib.update(
            {"role": "button", "tabindex": "0", "data-group": str(responses), "aria-label": label}
        )
    _add(group, "circle", "disc", cx=corner.x, cy=corner.y, r=_RADIUS)
    # Without its interval a level would look certain: it is written, and not drawn.
    level = corner.level.estimate if corner.level.bounded else None
    if level is not None and level > 0:
        # The area says how much of the trait there is.
        share = min(1.0, level / top) if top > 0 else 0.0
        _add(group, "circle", "level", cx=corner.x, cy=corner.y, r=_RADIUS * share**0.5)
    # The outline last: a full disc would cover it.
    own = " own" if corner.name in ("OOO", "AAA") else ""
    _add(group, "circle", f"ring{own}", cx=corner.x, cy=corner.y, r=_RADIUS)
    value = numbers.number(corner.level.estimate) if corner.level else "?"
    interval = numbers.interval(corner.level) if corner.level else "not measured"
    _text(group, corner.x, corner.y - _RADIUS - 8, value, "value")
    _text(group, corner.x, corner.y + _RADIUS + 14, interval, "ci")


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


def _add(parent: ElementTree.Element, tag: str, kind: str, **numbers: float) -> ElementTree.Element:
    attributes = {name: f"{round(value, 2):g}" for name, value in numbers.items()}
    return ElementTree.SubElement(parent, tag, {"class": kind, **attributes})


def _text(parent: ElementTree.Element, x: float, y: float, text: str, kind: str) -> None:
    _add(parent, "text", kind, x=x, y=y).text = text
