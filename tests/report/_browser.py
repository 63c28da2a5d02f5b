"""A page in a real browser, and everything that a reader would not want to see of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WATCH = """
window.__pwned = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => window.__pwned.push(name);
document.addEventListener("securitypolicyviolation", (event) => window.__pwned.push(event.violatedDirective));
"""
OPEN_ALL = """async (controls) => {
  const said = [];
  for (const button of document.querySelectorAll(controls)) {
    button.click();
    const ready = () => document.getElementById("explorer-count").textContent.endsWith(".");
    while (!ready()) await new Promise((go) => setTimeout(go, 5));
    said.push([button.dataset.group, document.getElementById("explorer-count").textContent]);
    document.getElementById("explorer").close();
    await new Promise((go) => setTimeout(go, 0));
  }
  return said;
}"""


@dataclass
class Opened:
    """A page and everything that a reader would not want to see of it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """Requests that the browser itself refused, and why."""

    def quiet(self) -> bool:
        """Nothing was complained about, nothing ran, and nothing was asked for but the file itself."""
        assert self.complaints == []
        assert {request.split("#")[0] for request in self.requests} == {self.address}
        assert self.page.evaluate("window.__pwned") == []
        return True

    @property
    def count(self) -> Locator:
        return self.page.locator("#explorer-count")

    def says(self, text: str) -> None:
        self.page.wait_for_function(
            "text => document.getElementById('explorer-count').textContent.startsWith(text)", arg=text
        )
