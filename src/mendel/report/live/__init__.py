"""A run while it runs: a page on the loopback that says how it stands, and a search over all its
responses."""

from mendel.report.live.search import ResponseFiles, ResponseQuery, SearchError
from mendel.report.live.server import LiveServer, serving
from mendel.report.live.state import read_state, require_run

__all__ = [
    "LiveServer",
    "ResponseFiles",
    "ResponseQuery",
    "SearchError",
    "read_state",
    "require_run",
    "serving",
]
