"""The figure of where a difference sits: a line a part, two marks each, and in words what they show."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mendel.report.figures.specs import PAGE_THEME, SCHEMA, look, mark
from mendel.report.views.location import LocationRow
from mendel.results.interval import Interval

WIDTH = 340
"""Pixels from no share of the difference to all of it."""
STEP = 44
"""Pixels of a part's line."""
MARKS = {"brings": "brings in alone", "takes": "goes when taken out"}
"""What the two marks of a line are called."""
QUARTER = 0.25
"""The share that a part is tested against."""
EDGE = 0.03
"""Room beside 0 and 100 %, for the arrows."""
BESIDE = WIDTH * (QUARTER + EDGE) / (1 + 2 * EDGE) + 8
"""Where a reason begins: beside the dashed line."""
REASON = 42
"""Characters of a line of a reason."""


def places(rows: Sequence[LocationRow], theme: Mapping[str, str] = PAGE_THEME) -> dict[str, Any] | None:
    """Return the location of a trait as a figure.

    Args:
        rows: The parts.
        theme: Colours by name.

    Returns:
        A Vega-Lite specification; None where no share has an interval. What lies beyond 0 or 100 % is cut off
        there, with an arrow. A share without an interval is not drawn: a bare point would look certain.
    """
    values = [value for row in rows for value in _values(row)]
    if not any(value["drawn"] for value in values):
        return None
    y = {**_Y, "sort": [row.label for row in rows]}
    layers = [*_quarter(theme), *_marks(theme, y), *_words(theme, y)]
    return {
        "$schema": SCHEMA,
        "data": {"values": values},
        "width": WIDTH,
        "height": {"step": STEP, "for": "position"},
        "layer": layers,
        **look(theme),
        # The words at the right are no part of the axes, so nothing else leaves them room.
        "padding": {"left": 40, "right": 150, "top": 6, "bottom": 2},
    }


def drawn(share: Interval) -> bool:
    """Return whether a share has an interval to draw: an end that is farther out than was looked is one."""
    return share.estimate is not None and not (share.low is None and share.high is None)


def _values(row: LocationRow) -> Iterator[dict[str, Any]]:
    base = {"label": row.label, "decision": row.decision, "decided": row.decided, "known": row.known}
    for kind, share in (("brings", row.brings), ("takes", row.takes)):
        value: dict[str, Any] = {**base, "kind": kind, "drawn": drawn(share), "says": []}
        if value["drawn"]:
            low, high = (
                -1.0 if share.low is None else share.low,
                2.0 if share.high is None else share.high,
            )
            value |= {"estimate": _inside(share.estimate or 0.0), "low": _inside(low), "high": _inside(high)}
            value |= {"below": low < -EDGE, "above": high > 1 + EDGE}
        elif share:
            value["says"] = [f"{MARKS[kind]}: interval unknown"]
        elif row.known:
            value["says"] = [f"{MARKS[kind]}: not known"]
        elif kind == "brings":
            value["says"] = textwrap.wrap(row.why, REASON, max_lines=2, placeholder=" …")
        yield value


def _inside(share: float) -> float:
    return min(max(share, -EDGE), 1 + EDGE)


_X: Mapping[str, Any] = {
    "type": "quantitative",
    "title": "share of the difference between the pipelines",
    "scale": {"domain": [-EDGE, 1 + EDGE], "nice": False, "zero": False},
    "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": "~%", "grid": True, "domain": False},
}
_Y: Mapping[str, Any] = {
    "field": "label",
    "type": "nominal",
    "axis": {"title": None, "ticks": False, "domain": False, "labelPadding": 12, "labelLimit": 340},
}
_OFFSET: Mapping[str, Any] = {
    "yOffset": {"field": "kind", "scale": {"domain": list(MARKS), "paddingOuter": 0.6}}
}


def _quarter(theme: Mapping[str, str]) -> list[dict[str, Any]]:
    line = mark("rule", color=theme["muted"], strokeDash=[4, 3], strokeWidth=1.5)
    return [{"name": "quarter", "mark": line, "encoding": {"x": {**_X, "datum": QUARTER}}}]


def _marks(theme: Mapping[str, str], y: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    colours = [theme["main"], theme["control"]]
    colour = {
        "field": "kind",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(MARKS), "range": colours},
    }
    shape = {**colour, "scale": {"domain": list(MARKS), "range": ["circle", "diamond"]}}
    yield {
        "name": "interval",
        "transform": [{"filter": "datum.drawn"}],
        "mark": mark("rule", strokeWidth=2.5, strokeCap="round"),
        "encoding": {
            "x": {**_X, "field": "low"},
            "x2": {"field": "high"},
            "y": y,
            **_OFFSET,
            "color": colour,
        },
    }
    for name, end, where, form in (
        ("above", "above", 1 + EDGE, "triangle-right"),
        ("below", "below", -EDGE, "triangle-left"),
    ):
        yield {
            "name": name,
            "transform": [{"filter": f"datum.drawn && datum.{end}"}],
            "mark": mark("point", filled=True, shape=form, size=60, opacity=1),
            "encoding": {"x": {**_X, "datum": where}, "y": y, **_OFFSET, "fill": colour},
        }
    yield {
        "name": "point",
        "transform": [{"filter": "datum.drawn"}],
        "mark": mark("point", filled=True, size=80, opacity=1, stroke=theme["paper"], strokeWidth=1.5),
        "encoding": {"x": {**_X, "field": "estimate"}, "y": y, **_OFFSET, "fill": colour, "shape": shape},
    }


def _words(theme: Mapping[str, str], y: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what stands in the line of an unknown share, and at the right what the shares show."""
    text = {"align": "left", "fontSize": 12}
    for name, condition, offset in (
        ("unknown", "datum.known && datum.says.length", True),
        ("reason", "!datum.known && datum.says.length", False),
    ):
        yield {
            "name": name,
            "transform": [{"filter": condition}],
            "mark": mark("text", align="left", color=theme["muted"], fontSize=11, baseline="middle"),
            "encoding": {
                "x": {"value": BESIDE},
                "y": y,
                **(_OFFSET if offset else {}),
                "text": {"field": "says"},
            },
        }
    for name, condition, style in (
        ("decided", "datum.decided", {"color": theme["ink"], "fontWeight": "bold"}),
        ("open", "!datum.decided", {"color": theme["muted"]}),
    ):
        yield {
            "name": name,
            "transform": [{"filter": f"datum.kind === 'brings' && {condition}"}],
            "mark": mark("text", **text, **style, baseline="middle"),
            "encoding": {"x": {"value": WIDTH + 14}, "y": y, "text": {"field": "decision"}},
        }


def figure_label(rows: Sequence[LocationRow], texts: Mapping[str, tuple[str, str]]) -> str:
    """Return the figure in words, for who cannot see it.

    Args:
        rows: The parts.
        texts: By part, its two shares as text.

    Returns:
        A line of text.
    """
    said = []
    for row in rows:
        shares = zip(MARKS.values(), (row.brings, row.takes), texts[row.name], strict=True)
        parts = [f"{what} {text}" if drawn(share) else f"{what} not known" for what, share, text in shares]
        said.append(f"{row.label}: {', '.join(parts)}; {row.decision}")
    return f"Shares of the difference that each part carries, with 95 % intervals. {'. '.join(said)}."
