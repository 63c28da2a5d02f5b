"""What all pages share: their files, the environment that makes text inert, and a policy that names each
script and style."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from mendel.engine.text import clean
from mendel.report.views.words import CARRIERS, describe_arm
from mendel.results.interval import percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


PAGE = "mendel.report.page"
"""The package whose assets all pages share."""


def asset(name: str, package: str = PAGE) -> str:
    """Return a file of a page: style sheet, script or document."""
    return resources.files(package).joinpath("assets", name).read_text(encoding="utf-8")


def policy(style: str, script: str = "") -> str:
    """Return a content security policy that allows nothing but this one style sheet and, where there is
    one, this one script."""
    runs = f"script-src '{source_hash(script)}'; " if script else ""
    return f"default-src 'none'; {runs}style-src '{source_hash(style)}'; base-uri 'none'; form-action 'none'"


def source_hash(text: str) -> str:
    """Return how a policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def environment(package: str = PAGE) -> Environment:
    """Return an environment that cleans and escapes everything that a template prints, unless it is markup
    of our own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(package, "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(percent=lambda pair: percent(*pair), spaced=lambda name: str(name).replace("_", " "))
    made.globals.update(describe_arm=describe_arm, carriers=CARRIERS)
    return made


def markup(text: str) -> Markup:
    """Return text of our own as markup, which a page shows unescaped."""
    from markupsafe import Markup

    return Markup(text)


def _finalize(value: object) -> object:
    return value if hasattr(value, "__html__") else clean(str(value))
