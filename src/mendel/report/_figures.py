"""The figures as Vega-Lite specifications: plain dicts, intervals always drawn, colours by name of a theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mendel.report._text import Estimate

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


_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+~g')"


@dataclass(frozen=True)
class Row:
    """One line of a forest plot: a label of our own vocabulary, the estimate, and which colour and shape it has."""

    label: str
    estimate: Estimate
    group: str = "main"


@dataclass(frozen=True)
class Axis:
    """The value axis: its title, its range (None: as wide as the data), whether numbers carry a sign."""

    title: str
    domain: tuple[float, float] | None = None
    signed: bool = False


def forest(rows: Sequence[Row], axis: Axis, theme: Mapping[str, str] = PAGE_THEME) -> dict[str, Any] | None:
    """Estimates with their 95 % intervals, one line each; None where no estimate has a known interval.

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
        "mark": _mark("rule", color=theme["muted"]),
        "encoding": {"x": {**x, "field": "zero"}},
    }
    layers = [
        *([zero] if axis.signed else []),
        {
            "name": "interval",
            "mark": _mark("rule", strokeWidth=2.5, strokeCap="round"),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "name": "point",
            "mark": _point(theme),
            "encoding": {"x": {**x, "field": "estimate"}, "y": y, "fill": colour, "shape": _shape(values)},
        },
    ]
    return _chart(values, 320, {"step": 30}, layers, theme)


def _forest_axes(axis: Axis) -> tuple[dict[str, Any], dict[str, Any]]:
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False, "labelPadding": 12, "labelLimit": 220},
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
    points: Sequence[tuple[float, Estimate]],
    half_way: Estimate | None,
    title: str,
    domain: tuple[float, float] | None,
    theme: Mapping[str, str] = PAGE_THEME,
) -> dict[str, Any] | None:
    """The trait over the share of prompts that the original teacher answers, and the share at half of the way."""
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
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "grid": False, "tickCount": 5, "domain": False, "labelFlush": False},
    }
    scale = {"domain": list(domain)} if domain else {"zero": True}
    y = {
        "type": "quantitative",
        "title": title,
        "scale": scale,
        "axis": {"tickCount": 5, "domain": False, "ticks": False, "labelPadding": 8},
    }
    layers = [
        *_half_way_layers(half_way, theme),
        {
            "name": "line",
            "mark": _mark("line", color=theme["main"], strokeWidth=1.5, opacity=0.55),
            "encoding": {"x": x, "y": {**y, "field": "level"}},
        },
        {
            "name": "interval",
            "mark": _mark("rule", color=theme["main"], strokeWidth=2.5, strokeCap="round"),
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
    return {"$schema": SCHEMA, "data": {"values": list(values)}, **shape, **_look(theme)}


def _half_way_layers(half_way: Estimate | None, theme: Mapping[str, str]) -> list[dict[str, Any]]:
    if half_way is None or not half_way.bounded:
        return []
    data = {"values": [{"at": half_way.estimate, "low": half_way.low, "high": half_way.high}]}
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    return [
        {
            "name": "half_way_interval",
            "data": data,
            "mark": _mark("rect", color=theme["control"], opacity=0.16),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
        },
        {
            "name": "half_way",
            "data": data,
            "mark": _mark("rule", color=theme["control"], strokeDash=[4, 3], strokeWidth=1.5),
            "encoding": {"x": {**x, "field": "at"}},
        },
    ]


def _mark(kind: str, **style: Any) -> dict[str, Any]:
    # The figure has one label of its own; a label for every mark would only be noise to a screen reader.
    return {"type": kind, "aria": False, **style}


def _point(theme: Mapping[str, str], **style: Any) -> dict[str, Any]:
    return _mark("point", filled=True, size=80, opacity=1, stroke=theme["paper"], strokeWidth=1.5, **style)


def _by_group(values: Sequence[Mapping[str, Any]], theme: Mapping[str, str]) -> dict[str, Any]:
    groups = sorted({str(value["group"]) for value in values})
    return {
        "field": "group",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": groups, "range": [theme.get(group, theme["main"]) for group in groups]},
    }


def _shape(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # Shape says the same as colour, for who cannot tell the colours apart.
    shapes = {"main": "circle", "control": "diamond", "reference": "square"}
    groups = sorted({str(value["group"]) for value in values})
    return {
        "field": "group",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": groups, "range": [shapes.get(group, "circle") for group in groups]},
    }


def _look(theme: Mapping[str, str]) -> dict[str, Any]:
    text = {
        "labelColor": theme["ink"],
        "labelFontSize": 12,
        "titleColor": theme["muted"],
        "titleFontSize": 12,
    }
    return {
        "background": None,
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
