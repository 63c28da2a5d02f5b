"""An audit and its transcripts, as the terminal and a notebook show them; text of models is made inert."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mendel.engine.text import one_line, shorten
from mendel.results.audit import AssistantHealth, AuditedTrait, AuditRecord
from mendel.results.interval import Format, fitting, percent, why_missing
from mendel.results.provenance import EndpointUse
from mendel.results.records import read_record

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


def audit_text(content: Mapping[str, Any]) -> str:
    """Return an audit's levels as plain lines.

    Args:
        content: The audit's JSON object, `Audit.to_json()`.

    Returns:
        Lines of text.
    """
    audit, lines = read_record(AuditRecord, content), []
    for name, model in audit.models.items():
        lines.append(f"{one_line(name, 60)}: {one_line(model.ref, 200)}")
        for trait, level in model.traits.items():
            count = f" ({level.responses} responses)" if level.responses else ""
            value = fitting(level.interval).value(level.interval)
            lines.append(f"  {one_line(trait, 60)}: {value}{count}")
    if audit.complete is False:
        lines.append("The audit stopped before its end.")
    return "\n".join(lines) or "Nothing was audited."


def audit_summary(content: Mapping[str, Any]) -> RenderableType:
    """Return how much of each trait each model shows, as tables of at most 100 columns.

    Args:
        content: The audit's JSON object, `Audit.to_json()`.

    Returns:
        What rich prints.
    """
    from rich.console import Group
    from rich.text import Text

    audit = read_record(AuditRecord, content)
    parts: list[RenderableType] = []
    for name, model in audit.models.items():
        parts.append(Text(f"{one_line(name, 60)}: {one_line(model.ref, 200)}"))
        parts.append(_audit_table(model.traits))
        parts += [Text(line) for line in _assistant(model.assistant)]
    parts += [Text(f"note: {one_line(note, 300)}") for note in audit.notes]
    parts += [Text(line) for line in _spent(audit.endpoints)]
    return Group(*parts)


def _audit_table(traits: Mapping[str, AuditedTrait]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, safe_box=True)
    table.add_column("trait", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("what it says, and what to know of it", overflow="fold")
    for name, trait in traits.items():
        level = trait.interval
        text = fitting(level).value(level).replace("\N{MINUS SIGN}", "-") if level else why_missing(level)
        table.add_row(Text(one_line(name, 40)), Text(text), Text("\n".join(_notes(trait))))
    return table


def _notes(trait: AuditedTrait) -> Iterator[str]:
    yield one_line(trait.scale, 200)
    if trait.hits and trait.hits.interval:
        yield f"{Format(2).value(trait.hits.interval)} of the responses score {trait.hits.at:g} or more"
    if trait.control:
        yield f"controls, where it is right: {Format(2).value(trait.control)}"
    yield f"{trait.responses} responses, judge {one_line(trait.judge, 80)}"
    for key, what in _COUNTED.items():
        count = getattr(trait, key)
        if count:
            yield f"{count} {what} ({percent(count, trait.responses)})"


def _assistant(health: AssistantHealth) -> Iterator[str]:
    if health.right is None or health.well_formed is None:
        return
    parts = ", ".join(f"{one_line(kind, 30)} {share:.0%}" for kind, share in health.kinds.items())
    yield (
        f"as an assistant: {health.right:.0%} right ({parts}), "
        f"{health.well_formed:.0%} neither empty nor loops"
    )


def _spent(use: EndpointUse) -> Iterator[str]:
    if not use.requests and not use.cached:
        return
    cost = "dollars unknown (no price)" if use.dollars is None else f"${use.dollars:.4f}"
    tokens = use.tokens.prompt + use.tokens.answer
    yield (
        f"endpoints: {use.requests:,} requests, {tokens:,} tokens, {cost}; "
        f"{use.cached:,} answers were there already"
    )


def transcripts(measurements: pa.Table, count: int) -> RenderableType:
    """Return the responses of each trait that score highest, unjudged ones last, with their conversations.

    Args:
        measurements: The audit's table of measurements.
        count: Responses of each trait.

    Returns:
        What rich prints.
    """
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
