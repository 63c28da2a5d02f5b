"""A page taken apart: its elements, attributes and text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "br", "input"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "h1", "h2",
    "h3", "h4", "p", "ul", "li", "a", "strong", "em", "code", "pre", "span", "div", "dl", "dt", "dd",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure",
    "figcaption", "svg", "g", "circle", "article", "path", "line", "rect", "text", "tspan", "br", "noscript", "script",
    "button", "dialog", "label", "input", "select", "option", "ol", "del", "ins",
}  # fmt: skip


class Page(HTMLParser):
    """The page's elements, attributes and text; the tags must close in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def with_tag(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def unpacked(source: str) -> dict[str, Any]:
    """Return the transcripts that the page holds."""
    (packed,) = re.findall('id="transcripts">([A-Za-z0-9+/=]*)</script>', source)
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return content
