"""The live page: one document with its own style and script, and a policy that allows nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from mendel.report.page.document import asset, policy, source_hash

LIVE = "mendel.report.live"


@dataclass(frozen=True)
class Page:
    """The document and the content security policy that it is served with."""

    html: bytes
    policy: str


@cache
def live_page() -> Page:
    """Return the page; its script fetches the run's state once a second."""
    style = asset("page.css") + asset("live.css", LIVE)
    script = asset("live.js", LIVE)
    html = asset("live.html", LIVE).replace("/*style*/", style).replace("/*script*/", script)
    return Page(html.encode(), f"{policy(style, script)}; connect-src 'self'; frame-ancestors 'none'")


@cache
def report_policy() -> str:
    """Return the policy of a report, which may come from anybody.

    The report runs only this version's script, and counts as another site, so that it cannot ask this server.
    """
    script = source_hash(asset("page.js"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
        "sandbox allow-scripts"
    )
