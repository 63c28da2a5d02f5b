"""A second judge's changes and the agreement of raters, as the terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mendel.engine.text import clean, one_line
from mendel.results.interval import Format, Interval, fitting, why_missing
from mendel.results.judges import AgreementRecord, JudgeChange, RejudgedRecord
from mendel.results.records import read_record

if TYPE_CHECKING:
    from rich.console import RenderableType


def changes_summary(content: Mapping[str, Any]) -> RenderableType:
    """Return what another judge changes, a table a trait.

    Args:
        content: The JSON object of `mendel rejudge`, `Rejudged.to_json()`.

    Returns:
        What rich prints.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for name, change in read_record(RejudgedRecord, content).traits.items():
        parts.append(Text(f"{one_line(name, 60)}", style="bold"))
        parts.append(_changes_table(change))
        parts.append(
            Text(
                f"{change.unjudged} of {change.responses} responses could not be judged; "
                f"the two judges agree: {clean(change.agreement.says)}"
            )
        )
    return Group(*parts)


def _changes_table(change: JudgeChange) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    for title in ("", one_line(change.judge.before, 40), one_line(change.judge.after, 40), ""):
        table.add_column(Text(title), overflow="fold")
    old, new = change.before, change.after
    words = (
        ("state", old.known_state, new.known_state),
        ("carrier", old.carrier, new.carrier),
        ("cause", old.cause, new.cause),
    )
    for label, was, now in words:
        table.add_row(label, Text(str(was)), Text(str(now)), "changed" if was != now else "")
    rows = [
        ("original", old.original, new.original, False),
        ("alternate", old.alternate, new.alternate, False),
    ]
    rows += [
        (f"{name} effect", effect, new.effects.get(name, Interval()), True)
        for name, effect in old.effects.items()
    ]
    for label, before, after, signed in rows:
        numbers = fitting(before, after)
        factor = _factor(before.estimate, after.estimate)
        table.add_row(label, Text(numbers.value(before, signed)), Text(numbers.value(after, signed)), factor)
    return table


def _factor(before: float | None, after: float | None) -> str:
    """Return how many times as large an effect became; an empty text where it was next to none."""
    if before is None or after is None or abs(before) < 0.01:
        return ""
    return f"x {after / before:.2f}".replace("-", "\N{MINUS SIGN}")


def agreement_summary(content: Mapping[str, Any]) -> RenderableType:
    """Return how far raters agree, a row a pair, as a table of at most 100 columns.

    Args:
        content: What `mendel.agree` returns.

    Returns:
        What rich prints.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    agreement = read_record(AgreementRecord, content)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    for title in ("", "kappa", "agree", "hits", "n", "unjudged"):
        table.add_column(title, overflow="fold")
    for pair in agreement.pairs:
        first, second = pair.hits
        table.add_row(
            Text(f"{one_line(pair.first, 40)} : {one_line(pair.second, 40)}"),
            Text(Format(2).value(pair.kappa) if pair.kappa else why_missing(pair.kappa)),
            "" if pair.agreement is None else f"{pair.agreement:.0%}",
            f"{first} : {second}",
            str(pair.n),
            str(pair.unjudged),
        )
        if pair.weighted:
            table.add_row("  scores, quadratic weights", Text(Format(2).value(pair.weighted)))
    title = f"{one_line(agreement.trait, 60)}: {agreement.labels} labels by hand"
    return Group(Text(title), table)
