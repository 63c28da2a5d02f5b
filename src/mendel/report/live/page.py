"""The live page: one document with its own style and script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Page:
    """The document and the content security policy that it is served with."""

    html: bytes
    policy: str


@cache
def live_page() -> Page:
    """The page; what it shows it fetches from beside it, once a second."""
    style = _asset("mendel.report", "page.css") + _asset("mendel.report.live", "live.css")
    script = _asset("mendel.report.live", "live.js")
    html = _asset("mendel.report.live", "live.html").replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html.encode(), policy)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath("assets", name).read_text(encoding="utf-8")
