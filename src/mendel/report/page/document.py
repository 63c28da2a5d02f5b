"""What all pages share: their files, the environment that makes text inert, and a policy that names each script and style."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from mendel.report.views.words import CARRIERS, describe_arm
from mendel.results.values import clean, percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def asset(name: str, package: str = "mendel.report") -> str:
    """A file of a page: style sheet, script or document."""
    return resources.files(package).joinpath("assets", name).read_text(encoding="utf-8")


def policy(style: str, script: str = "") -> str:
    """A content security policy: nothing but this one style sheet and, where there is one, this one script."""
    runs = f"script-src '{source_hash(script)}'; " if script else ""
    return f"default-src 'none'; {runs}style-src '{source_hash(style)}'; base-uri 'none'; form-action 'none'"


def source_hash(text: str) -> str:
    """How a policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def environment() -> Environment:
    """Everything that a template prints is cleaned and escaped, unless it is markup of our own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("mendel.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(percent=lambda pair: percent(*pair), spaced=lambda name: str(name).replace("_", " "))
    found.globals.update(describe_arm=describe_arm, carriers=CARRIERS)
    return found


def markup(text: str) -> Markup:
    """Text of our own, to stand in a page as it is."""
    from markupsafe import Markup

    return Markup(text)


def _finalize(value: object) -> object:
    return value if hasattr(value, "__html__") else clean(str(value))
