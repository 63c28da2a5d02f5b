"""The figures as Vega-Lite specifications.

Plain dicts, intervals always drawn, colours by name of a theme.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mendel.results.interval import Interval

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

PAGE_THEME: Mapping[str, str] = {
    "ink": "var(--ink)",
    "muted": "var(--muted)",
    "grid": "var(--line)",
    "paper": "var(--paper)",
    "main": "var(--blue)",
    "control": "var(--orange)",
    "reference": "var(--muted)",
}
"""Colours that the page's style sheet defines, for light and for dark (Okabe and Ito's palette)."""

PAPER_THEME: Mapping[str, str] = {
    "ink": "#1a1a1a",
    "muted": "#555555",
    "grid": "#dddddd",
    "paper": "#ffffff",
    "main": "#0072b2",
    "control": "#d55e00",
    "reference": "#555555",
    "background": "#ffffff",
}
"""Colours of a figure that stands alone, in a paper or a slide: Okabe and Ito's palette on white."""

_SHAPES = {"main": "circle", "control": "diamond", "reference": "square"}
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+~g')"


@dataclass(frozen=True)
class FigureRow:
    """One line of a forest plot: a label of our own vocabulary, the estimate, and which colour and shape it
    has."""

    label: str
    estimate: Interval
    group: str = "main"


@dataclass(frozen=True)
class Axis:
    """The value axis: its title, its range (None: as wide as the data), whether numbers carry a sign."""

    title: str
    domain: tuple[float, float] | None = None
    signed: bool = False
    key: Mapping[str, str] = field(default_factory=dict)
    """What the groups are called; empty: no key is drawn."""


def forest(
    rows: Sequence[FigureRow], axis: Axis, theme: Mapping[str, str] = PAGE_THEME
) -> dict[str, Any] | None:
    """Return a forest plot: estimates with their 95 % intervals, one line each; None where no interval is
    known.

    An estimate without an interval is not drawn: a bare point would look certain.
    """
    values = [
        {
            "label": row.label,
            "estimate": row.estimate.estimate,
            "low": row.estimate.low,
            "high": row.estimate.high,
            "group": row.group,
        }
        for row in rows
        if row.estimate.bounded
    ]
    if not values:
        return None
    x, y = _forest_axes(axis)
    colour = _by_group(values, theme)
    zero = {
        "name": "zero",
        "data": {"values": [{"zero": 0}]},
        "mark": mark("rule", color=theme["muted"]),
        "encoding": {"x": {**x, "field": "zero"}},
    }
    layers = [
        *([zero] if axis.signed else []),
        {
            "name": "interval",
            "mark": mark("rule", strokeWidth=2.5, strokeCap="round"),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "name": "point",
            "mark": _point(theme),
            "encoding": {"x": {**x, "field": "estimate"}, "y": y, **_groups(values, axis.key, theme)},
        },
    ]
    # Without this the intervals, which have no key, would take the points' key with them.
    own_key = {"resolve": {"legend": {"fill": "independent", "shape": "independent"}}} if axis.key else {}
    return {**_chart(values, 320, {"step": 30}, layers, theme), **own_key}


def _forest_axes(axis: Axis) -> tuple[dict[str, Any], dict[str, Any]]:
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False, "labelPadding": 12, "labelLimit": 340},
    }
    scale: dict[str, Any] = {"zero": True, "nice": True}
    if axis.domain:
        scale = {"domain": list(axis.domain), "nice": False, "clamp": True}
    x = {
        "type": "quantitative",
        "title": axis.title,
        "scale": scale,
        "axis": {
            "tickCount": 5,
            "grid": True,
            "domain": False,
            "labelFlush": False,
            **({"labelExpr": _SIGNED} if axis.signed else {}),
        },
    }
    return x, y


def curve(
    points: Sequence[tuple[float, Interval]],
    half_way: Interval,
    title: str,
    domain: tuple[float, float] | None,
    theme: Mapping[str, str] = PAGE_THEME,
    small: bool = False,
) -> dict[str, Any] | None:
    """Return a curve: the trait over the share of prompts that the original teacher answers, and the
    half-way share.

    `small` spreads out the shares of a few per cent, and marks every share that was measured.
    """
    values = [
        {"share": share, "level": level.estimate, "low": level.low, "high": level.high}
        for share, level in points
        if level.bounded
    ]
    if len(values) < 2:
        return None
    x = {
        "field": "share",
        "type": "quantitative",
        "title": "share of prompts that the original teacher answers",
        "scale": _share_scale(small),
        "axis": {
            "format": "~%",
            "grid": False,
            "domain": False,
            "labelFlush": False,
            **({"values": [value["share"] for value in values]} if small else {"tickCount": 5}),
        },
    }
    scale = {"domain": list(domain)} if domain else {"zero": True}
    y = {
        "type": "quantitative",
        "title": title,
        "scale": scale,
        "axis": {"tickCount": 5, "domain": False, "ticks": False, "labelPadding": 8},
    }
    layers = [
        *_half_way_layers(half_way, theme, _share_scale(small)),
        {
            "name": "line",
            "mark": mark("line", color=theme["main"], strokeWidth=1.5, opacity=0.55),
            "encoding": {"x": x, "y": {**y, "field": "level"}},
        },
        {
            "name": "interval",
            "mark": mark("rule", color=theme["main"], strokeWidth=2.5, strokeCap="round"),
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "name": "point",
            "mark": _point(theme, fill=theme["main"]),
            "encoding": {"x": x, "y": {**y, "field": "level"}},
        },
    ]
    return _chart(values, 380, 200, layers, theme)


def _chart(
    values: Sequence[Mapping[str, Any]],
    width: int,
    height: int | dict[str, int],
    layers: Sequence[Mapping[str, Any]],
    theme: Mapping[str, str],
) -> dict[str, Any]:
    shape = {"width": width, "height": height, "layer": list(layers)}
    return {"$schema": SCHEMA, "data": {"values": list(values)}, **shape, **look(theme)}


def _share_scale(small: bool) -> dict[str, Any]:
    # Not a logarithm: the share 0 is there, too.
    return {"domain": [0, 1], **({"type": "symlog", "constant": 0.01} if small else {})}


def _half_way_layers(
    half_way: Interval, theme: Mapping[str, str], scale: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if not half_way.bounded:
        return []
    data = {"values": [{"at": half_way.estimate, "low": half_way.low, "high": half_way.high}]}
    x = {"type": "quantitative", "scale": dict(scale)}
    return [
        {
            "name": "half_way_interval",
            "data": data,
            "mark": mark("rect", color=theme["control"], opacity=0.16),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
        },
        {
            "name": "half_way",
            "data": data,
            "mark": mark("rule", color=theme["control"], strokeDash=[4, 3], strokeWidth=1.5),
            "encoding": {"x": {**x, "field": "at"}},
        },
    ]


def mark(kind: str, **style: Any) -> dict[str, Any]:
    """Return a mark of a figure without a label of its own."""
    # The figure has one label of its own; a label for every mark would only be noise to a screen reader.
    return {"type": kind, "aria": False, **style}


def _point(theme: Mapping[str, str], **style: Any) -> dict[str, Any]:
    return mark("point", filled=True, size=80, opacity=1, stroke=theme["paper"], strokeWidth=1.5, **style)


def _groups(
    values: Sequence[Mapping[str, Any]], key: Mapping[str, str], theme: Mapping[str, str]
) -> dict[str, Any]:
    """Return fill and shape of the points, and one key for the two where the groups have names."""
    legend = None
    if key and len({value["group"] for value in values}) > 1:
        # The names are our own; only the groups' names are compared, so nothing of a file gets into an
        # expression.
        words = ", ".join(f"{group}: '{word}'" for group, word in key.items())
        legend = {
            "title": None,
            "orient": "bottom",
            "direction": "vertical",
            "labelExpr": f"({{{words}}})[datum.label]",
            "labelColor": theme["ink"],
            "labelFontSize": 12,
        }
    channels = {"fill": _by_group(values, theme), "shape": _shape(values)}
    return {channel: {**encoding, "legend": legend} for channel, encoding in channels.items()}


def _by_group(values: Sequence[Mapping[str, Any]], theme: Mapping[str, str]) -> dict[str, Any]:
    groups = _in_order(values)
    return {
        "field": "group",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": groups, "range": [theme.get(group, theme["main"]) for group in groups]},
    }


def _shape(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # Shape says the same as colour, for who cannot tell the colours apart.
    groups = _in_order(values)
    return {
        "field": "group",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": groups, "range": [_SHAPES.get(group, "circle") for group in groups]},
    }


def _in_order(values: Sequence[Mapping[str, Any]]) -> list[str]:
    groups = {str(value["group"]) for value in values}
    return [group for group in _SHAPES if group in groups] + sorted(groups - set(_SHAPES))


def look(theme: Mapping[str, str]) -> dict[str, Any]:
    """Return what all figures have in common: colours, font, room around."""
    text = {
        "labelColor": theme["ink"],
        "labelFontSize": 12,
        "titleColor": theme["muted"],
        "titleFontSize": 12,
    }
    return {
        "background": theme.get("background"),
        "padding": {"left": 4, "right": 18, "top": 6, "bottom": 2},
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {
                **text,
                "titleFontWeight": "normal",
                "titlePadding": 8,
                "gridColor": theme["grid"],
                "tickColor": theme["grid"],
                "domainColor": theme["grid"],
            },
        },
    }


@dataclass(frozen=True)
class FigurePanel:
    """Rows of one quantity, under its name."""

    label: str
    rows: tuple[FigureRow, ...]


def panels(
    given: Sequence[FigurePanel], labels: Sequence[str], axis: Axis, theme: Mapping[str, str] = PAGE_THEME
) -> dict[str, Any] | None:
    """Return one forest plot a quantity, one under the other on one axis, each with a line for every label.

    A label without an estimate, or whose interval is unknown, keeps its line, which says so. None where no
    interval is known.
    """
    values = [row for panel in given for row in _panel_rows(panel, labels)]
    if all(row["says"] for row in values):
        return None
    header = {
        "title": None,
        "labelOrient": "top",
        "labelAnchor": "start",
        "labelColor": theme["ink"],
        "labelFontSize": 12,
        "labelFontWeight": "bold",
        "labelPadding": 4,
    }
    order = [panel.label for panel in given]
    return {
        "$schema": SCHEMA,
        "data": {"values": values},
        "facet": {"row": {"field": "panel", "type": "nominal", "sort": order, "header": header}},
        "spacing": 10,
        "spec": {"width": 300, "height": {"step": 24}, "layer": _panel_layers(axis, theme)},
        **look(theme),
    }


def _panel_rows(panel: FigurePanel, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    estimates = {row.label: row.estimate for row in panel.rows}
    for label in labels:
        value = estimates.get(label, Interval())
        row: dict[str, Any] = {"panel": panel.label, "label": label, "says": "not measured"}
        if value.bounded:
            row |= {"estimate": value.estimate, "low": value.low, "high": value.high, "says": ""}
        elif value:
            row["says"] = f"{value.estimate:.3g}, interval unknown"
        yield row


def _panel_layers(axis: Axis, theme: Mapping[str, str]) -> list[dict[str, Any]]:
    x, y = _forest_axes(axis)
    # Names of runs may be long, and stand beside every panel.
    y["axis"]["labelLimit"] = 200
    zero = {"name": "zero", "mark": mark("rule", color=theme["muted"]), "encoding": {"x": {**x, "datum": 0}}}
    drawn = [{"filter": "datum.says === ''"}]
    return [
        *([zero] if axis.signed else []),
        {
            "name": "interval",
            "transform": drawn,
            "mark": mark("rule", color=theme["main"], strokeWidth=2.5, strokeCap="round"),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "name": "point",
            "transform": drawn,
            "mark": _point(theme, fill=theme["main"]),
            "encoding": {"x": {**x, "field": "estimate"}, "y": y},
        },
        {
            "name": "missing",
            "mark": mark("text", align="left", dx=4, color=theme["muted"], fontSize=11),
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "says"}},
        },
    ]
