"""How results show themselves in a notebook.

HTML that needs no script and no style sheet, with all text made inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from mendel.engine.text import clean, one_line
from mendel.results.interval import Interval, fitting
from mendel.results.verdicts import TraitVerdict, Verdicts

_EDITS = {"drop": "flagged dropped", "swap": "flagged swapped"}


class Shown:
    """A result that a notebook shows as its `describe()`; a mixin."""

    def describe(self) -> str:
        """Return the result as lines of text, for people."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return f"<pre>{escape(clean(self.describe()))}</pre>"


def verdicts_html(verdicts: Verdicts, report: Path, missing: Iterable[str]) -> str:
    """Return a run's verdicts as a small table in HTML.

    Args:
        verdicts: The run's verdicts.
        report: Path of the run's page; named where it is there.
        missing: Names of files that the run's folder lacks.

    Returns:
        HTML without script and style sheet.
    """
    lines = [f"<p><strong>{_text(verdicts.study or report.parent.name)}</strong></p>"]
    absent = list(missing)
    if absent:
        lines.append(f"<p><em>This run is not finished: {_text(', '.join(absent))} not there.</em></p>")
    elif verdicts.complete is False:
        lines.append("<p><em>This run is not finished: it stopped before its end.</em></p>")
    if verdicts.traits:
        titles = ("trait", "state", "carrier", "cause", "original", "alternate", *_EDITS.values())
        rows = "".join(_row(name, verdict) for name, verdict in verdicts.traits.items())
        lines += [
            "<table><thead><tr>" + "".join(f"<th>{title}</th>" for title in titles) + "</tr></thead>",
            f"<tbody>{rows}</tbody></table>",
            "<p>Brackets hold 95 % intervals, on each trait's own scale.</p>",
            *_advice(verdicts),
        ]
    else:
        lines.append("<p>No trait has a verdict yet.</p>")
    if report.is_file():
        lines.append(f"<p>report: <code>{_text(str(report))}</code></p>")
    return "\n".join(lines)


def _advice(verdicts: Verdicts) -> Iterator[str]:
    """Yield what to do about each trait, in the run's own words."""
    for name, verdict in verdicts.traits.items():
        if verdict.recommendation is not None and verdict.recommendation.why:
            yield f"<p>{_text(name)}, what to do: {_text(verdict.recommendation.why)}</p>"


def verdicts_line(verdicts: Verdicts) -> str:
    """Return each trait's state, and what carries a difference, in a line.

    Args:
        verdicts: The run's verdicts.

    Returns:
        `date_confusion difference (teacher), blackmail undecided`; names are made inert.
    """
    said = [f"{one_line(name, 60)} {_state(verdict)}" for name, verdict in verdicts.traits.items()]
    return ", ".join(said) or "no verdict yet"


def _state(verdict: TraitVerdict) -> str:
    state = verdict.known_state
    return f"{state} ({one_line(verdict.carrier, 40)})" if state == "difference" else state


def _row(name: str, verdict: TraitVerdict) -> str:
    levels: list[Interval] = [verdict.original, verdict.alternate]
    for kind in _EDITS:
        level = verdict.levels.get(f"{kind}/{name}")
        levels.append(level.interval if level else Interval())
    numbers = fitting(*levels)
    cells = [
        name,
        verdict.known_state,
        verdict.carrier,
        verdict.cause,
        *(numbers.value(level) for level in levels),
    ]
    return "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    return escape(one_line(text, 300))
