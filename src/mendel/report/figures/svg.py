"""Vega-Lite specifications into inline SVG.

No script, no style attribute, no address, only shapes and text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup

FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
"""The figures are laid out with the widths of Arial and its like."""
_TAGS = frozenset({"svg", "g", "path", "line", "rect", "circle", "text", "tspan"})
_ATTRIBUTES = frozenset(
    [
        "class",
        "d",
        "dx",
        "dy",
        "fill",
        "fill-opacity",
        "font-size",
        "font-weight",
        "height",
        "opacity",
        "r",
        "stroke",
        "stroke-dasharray",
        "stroke-linecap",
        "stroke-opacity",
        "stroke-width",
        "text-anchor",
        "transform",
        "viewBox",
        "width",
        "x",
        "x1",
        "x2",
        "y",
        "y1",
        "y2",
        "cx",
        "cy",
    ]
)


def inline_svg(spec: dict[str, Any], label: str) -> Markup:
    """Return the figure as SVG for the inside of a page; `label` says in words what it shows."""
    from markupsafe import Markup

    return Markup(ElementTree.tostring(_drawn(spec, label), encoding="unicode"))


def standalone_svg(spec: dict[str, Any], label: str) -> str:
    """Return the figure as an SVG document, with the fonts that a page's style sheet would give it."""
    root = _drawn(spec, label)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("font-family", FONTS)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _drawn(spec: dict[str, Any], label: str) -> ElementTree.Element:
    """Return the specification as an SVG element.

    vl-convert renders without a browser and without altair, whose import would cost as much again as the
    page; no address may be fetched. The result is rebuilt from a list of allowed elements and attributes,
    so that whatever a label holds stays text.
    """
    import vl_convert

    text = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    root = _rebuilt(ElementTree.fromstring(text))
    assert root is not None, "vl-convert gives an svg element"
    root.set("role", "img")
    root.set("aria-label", label)
    title = ElementTree.Element("title")
    title.text = label
    root.insert(0, title)
    return root


def _rebuilt(element: ElementTree.Element) -> ElementTree.Element | None:
    """Return the element without what is not allowed, invisible or empty; None where nothing is left."""
    tag = element.tag.rpartition("}")[2]
    if tag not in _TAGS or element.get("class") in {"background", "foreground"}:
        return None
    attributes = {name: value for name, value in element.attrib.items() if name in _ATTRIBUTES and value}
    # Only the marks' names serve (tests and styles find them by it); opacity 1 is what one has anyway.
    if "class" in attributes and tag != "svg" and not attributes["class"].endswith("_marks"):
        del attributes["class"]
    elif "class" in attributes:
        attributes["class"] = attributes["class"].split()[-1]
    if attributes.get("opacity") == "1":
        del attributes["opacity"]
    copy = ElementTree.Element(tag, attributes)
    copy.text = element.text
    copy.extend(child for child in map(_rebuilt, element) if child is not None)
    if tag == "g" and len(copy) == 0:
        return None
    return copy
