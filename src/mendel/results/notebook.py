"""How results show themselves in a notebook: HTML that needs no script and no style sheet, with all text made inert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from mendel.engine.text import one_line
from mendel.results.values import MISSING, Format, as_dict, as_float, as_text, clean, fitting, read_estimate

_EDITS = {"drop": "flagged dropped", "swap": "flagged swapped"}


class Shown:
    """A result that a notebook shows as its `describe()`; a mixin."""

    def describe(self) -> str:
        """For people."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return f"<pre>{escape(clean(self.describe()))}</pre>"


def verdicts_html(verdicts: Mapping[str, Any], report: Path, missing: Iterable[str]) -> str:
    """A run's verdicts as one small table, what of the run is not there, and where its page lies."""
    traits = [(name, as_dict(verdict)) for name, verdict in as_dict(verdicts.get("traits")).items()]
    lines = [f"<p><strong>{_text(as_text(verdicts.get('study')) or report.parent.name)}</strong></p>"]
    absent = list(missing)
    if absent:
        lines.append(f"<p><em>This run is not finished: {_text(', '.join(absent))} not there.</em></p>")
    elif verdicts.get("complete") is False:
        lines.append("<p><em>This run is not finished: it stopped before its end.</em></p>")
    if traits:
        heads = ("trait", "carrier", "cause", "original", "alternate", *_EDITS.values())
        lines.append("<table><thead><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr></thead>")
        lines.append(
            "<tbody>" + "".join(_row(name, verdict) for name, verdict in traits) + "</tbody></table>"
        )
        lines.append("<p>Brackets hold 95 % intervals, on each trait's own scale.</p>")
    else:
        lines.append("<p>No trait has a verdict yet.</p>")
    if report.is_file():
        lines.append(f"<p>report: <code>{_text(str(report))}</code></p>")
    return "\n".join(lines)


def verdicts_line(verdicts: Mapping[str, Any]) -> str:
    """What carries each trait, in a line."""
    each = [
        f"{one_line(name, 60)} {one_line(as_text(as_dict(verdict).get('carrier')) or 'undecided', 40)}"
        for name, verdict in as_dict(verdicts.get("traits")).items()
    ]
    return ", ".join(each) or "no verdict yet"


def _row(name: str, verdict: Mapping[str, Any]) -> str:
    levels = as_dict(verdict.get("levels"))
    values = [
        read_estimate(value)
        for value in (
            verdict.get("original"),
            verdict.get("alternate"),
            *(levels.get(f"{kind}/{name}") for kind in _EDITS),
        )
    ]
    numbers: Format = fitting(*values)
    words = [name, *(as_text(verdict.get(key)) or "undecided" for key in ("carrier", "cause"))]
    cells = [*words, *(numbers.value(value) if value else MISSING for value in values)]
    return "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"


def audit_text(found: Mapping[str, Any]) -> str:
    """An audit's levels as plain lines; `found` is `Audit.to_json()`."""
    lines = []
    for name, model in as_dict(found.get("models")).items():
        lines.append(f"{one_line(name, 60)}: {one_line(as_text(as_dict(model).get('ref')), 200)}")
        for trait, content in as_dict(as_dict(model).get("traits")).items():
            level, responses = read_estimate(content), as_float(as_dict(content).get("responses"))
            count = "" if responses is None else f" ({responses:.0f} responses)"
            lines.append(f"  {one_line(trait, 60)}: {fitting(level).value(level)}{count}")
    if found.get("complete") is False:
        lines.append("The audit stopped before its end.")
    return "\n".join(lines) or "Nothing was audited."


def _text(text: str) -> str:
    return escape(one_line(text, 300))
