"""An audit, transcripts and a second judge's changes, as the terminal shows them; text of models is made inert."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mendel.engine.text import one_line, shorten
from mendel.results.values import (
    Format,
    as_dict,
    as_float,
    as_list,
    as_text,
    clean,
    fitting,
    percent,
    read_estimate,
    why_missing,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType

RESPONSE = 1200
"""Characters of a response that a transcript shows."""
TURN = 300
"""Characters of a turn before it."""
_COUNTED = {
    "unjudged": "could not be judged",
    "looping": "loop",
    "empty": "are empty",
    "cut": "are cut at the maximal length: what would have come after is not known",
}


def audit_summary(found: Mapping[str, Any]) -> RenderableType:
    """How much of each trait each model shows, as tables of at most 100 columns; `found` is `Audit.to_json()`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for name, model in as_dict(found.get("models")).items():
        parts.append(Text(f"{one_line(name, 60)}: {one_line(as_text(model.get('ref')), 200)}"))
        parts.append(_audit_table(as_dict(model.get("traits"))))
        parts += [Text(line) for line in _assistant(as_dict(model.get("assistant")))]
    parts += [Text(f"note: {one_line(as_text(note), 300)}") for note in as_list(found.get("notes"))]
    parts += [Text(line) for line in _spent(as_dict(found.get("endpoints")))]
    return Group(*parts)


def _audit_table(traits: Mapping[str, Any]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    table.add_column("trait", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("what it says, and what to know of it", overflow="fold")
    for name, trait in traits.items():
        level = read_estimate(trait)
        shown = fitting(level).value(level).replace("\N{MINUS SIGN}", "-") if level else why_missing(trait)
        table.add_row(Text(one_line(name, 40)), Text(shown), Text("\n".join(_told(trait))))
    return table


def _told(trait: Mapping[str, Any]) -> Iterator[str]:
    responses = as_float(trait.get("responses")) or 0
    yield one_line(as_text(trait.get("scale")), 200)
    hits = read_estimate(trait.get("hits"))
    if hits is not None:
        yield f"{Format(2).value(hits)} of the responses score {as_dict(trait['hits']).get('at'):g} or more"
    control = read_estimate(trait.get("control"))
    if control is not None:
        yield f"controls, where it is right: {Format(2).value(control)}"
    yield f"{responses:.0f} responses, judge {one_line(as_text(trait.get('judge')), 80)}"
    for key, what in _COUNTED.items():
        count = as_float(trait.get(key)) or 0
        if count:
            yield f"{count:.0f} {what} ({percent(count, responses)})"


def _assistant(health: Mapping[str, Any]) -> Iterator[str]:
    right, formed = as_float(health.get("right")), as_float(health.get("well_formed"))
    if right is None or formed is None:
        return
    kinds = as_dict(health.get("kinds"))
    parts = ", ".join(f"{one_line(kind, 30)} {share:.0%}" for kind, share in kinds.items())
    yield f"as an assistant: {right:.0%} right ({parts}), {formed:.0%} neither empty nor loops"


def _spent(spent: Mapping[str, Any]) -> Iterator[str]:
    requests, cached = as_float(spent.get("requests")) or 0, as_float(spent.get("cached")) or 0
    if not requests and not cached:
        return
    tokens, dollars = as_dict(spent.get("tokens")), as_float(spent.get("dollars"))
    cost = "dollars unknown (no price)" if dollars is None else f"${dollars:.4f}"
    total = (as_float(tokens.get("prompt")) or 0) + (as_float(tokens.get("answer")) or 0)
    yield f"endpoints: {requests:,.0f} requests, {total:,.0f} tokens, {cost}; {cached:,.0f} answers were there already"


def transcripts(measurements: pa.Table, count: int) -> RenderableType:
    """The `count` responses of each trait that score highest, unjudged ones first among equals, with their conversations."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for name in dict.fromkeys(measurements["trait"].to_pylist()):
        rows = [row for row in measurements.to_pylist() if row["trait"] == name]
        rows.sort(key=lambda row: float("-inf") if row["score"] is None else -row["score"])
        parts.append(
            Text(f"\n{one_line(name, 60)}: {min(count, len(rows))} of {len(rows)} responses", style="bold")
        )
        for row in rows[:count]:
            parts += [Text(line) for line in _transcript(row)]
    return Group(*parts)


def _transcript(row: Mapping[str, Any]) -> Iterator[str]:
    score = (
        "unjudged" if row["score"] is None else f"score {row['score']:g}" + (", a hit" if row["hit"] else "")
    )
    yield f"\n── {one_line(row['scenario'], 80)}, sample {row['sample']}, turn {row['turn']}: {score}"
    turns = json.loads(row["prompt"])
    # The beginning says what it is about, the end what is answered.
    shown: Sequence[Any] = turns if len(turns) <= 4 else [*turns[:2], None, *turns[-2:]]
    for turn in shown:
        yield "   …" if turn is None else f"   {turn['role']}: {one_line(turn['content'], TURN)}"
    yield f"   -> {shorten(row['response'], RESPONSE)}" if row["response"].strip() else "   -> (empty)"
    if row["quote"]:
        yield f"   quoted: {one_line(row['quote'], TURN)}"
    if row["note"]:
        yield f"   judge: {one_line(row['note'], TURN)}"


def changes_summary(found: Mapping[str, Any]) -> RenderableType:
    """What another judge changes, a table a trait; `found` is `Rejudged.to_json()`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for name, trait in as_dict(found.get("traits")).items():
        judge = as_dict(trait["judge"])
        agreed = as_dict(trait.get("agreement"))
        parts.append(Text(f"{one_line(name, 60)}", style="bold"))
        parts.append(_changes_table(trait, as_text(judge.get("before")), as_text(judge.get("after"))))
        parts.append(
            Text(
                f"{trait['unjudged']} of {trait['responses']} responses could not be judged; "
                f"the two judges agree: {clean(as_text(agreed.get('says')))}"
            )
        )
    return Group(*parts)


def _changes_table(trait: Mapping[str, Any], before: str, after: str) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    for title in ("", one_line(before, 40), one_line(after, 40), ""):
        table.add_column(Text(title), overflow="fold")
    old, new = trait["before"], trait["after"]
    for key in ("present", "carrier", "cause"):
        changed = "changed" if old[key] != new[key] else ""
        table.add_row(key, Text(str(old[key])), Text(str(new[key])), changed)
    rows = [(key, old[key], new[key], False) for key in ("original", "alternate")]
    rows += [(f"{k} effect", old["effects"][k], new["effects"][k], True) for k in old["effects"]]
    for label, was, now, signed in rows:
        first, second = read_estimate(was), read_estimate(now)
        numbers = fitting(first, second)
        table.add_row(
            label,
            Text(numbers.value(first, signed)),
            Text(numbers.value(second, signed)),
            _factor(first.estimate if first else None, second.estimate if second else None),
        )
    return table


def _factor(before: float | None, after: float | None) -> str:
    """How many times as large an effect became; nothing where it was next to none."""
    if before is None or after is None or abs(before) < 0.01:
        return ""
    return f"x {after / before:.2f}".replace("-", "\N{MINUS SIGN}")


def agreement_summary(found: Mapping[str, Any]) -> RenderableType:
    """How far raters agree, a row a pair, as a table of at most 100 columns; `found` is what `mendel.judge_agree` returns."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    for title in ("", "kappa", "agree", "hits", "n", "unjudged"):
        table.add_column(title, overflow="fold")
    for pair in as_list(found.get("pairs")):
        kappa = read_estimate(pair["kappa"])
        names = f"{one_line(pair['first'], 40)} : {one_line(pair['second'], 40)}"
        table.add_row(
            Text(names),
            Text(Format(2).value(kappa) if kappa else why_missing(pair["kappa"])),
            "" if pair["agreement"] is None else f"{pair['agreement']:.0%}",
            f"{pair['hits'][0]} : {pair['hits'][1]}",
            str(pair["n"]),
            str(pair["unjudged"]),
        )
        weighted = read_estimate(pair.get("weighted"))
        if weighted is not None:
            table.add_row("  scores, quadratic weights", Text(Format(2).value(weighted)))
    title = f"{one_line(as_text(found.get('trait')), 60)}: {found.get('labels')} labels by hand"
    return Group(Text(title), table)
