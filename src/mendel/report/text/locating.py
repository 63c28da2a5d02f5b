"""What the terminal shows of a search for carriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mendel.results.findings import LocatedPrompts
from mendel.results.interval import Interval
from mendel.results.records import read_record

SHOWN = 10
"""Prompts that are listed; all of them stand in the JSON."""


def located_text(content: LocatedPrompts | Mapping[str, Any]) -> str:
    """Return the finding, its checks, the rounds and what they cost, as plain lines.

    Args:
        content: What `mendel.locate` found, as a value or as its JSON object.

    Returns:
        Lines of text.
    """
    located = content if isinstance(content, LocatedPrompts) else read_record(LocatedPrompts, content)
    lines = [f"{located.trait}: {located.reads}"]
    for check in located.checks.values():
        lines.append(f"  {check.question:64} {check.answer:10} {_level(check.level)}")
    lines += [f"  {part.kind:9} {part.students or 0:2d} students: {part.reads}" for part in located.rounds]
    if located.rounds:
        lines.append(
            f"{located.students_trained} students trained, {located.students_reused} reused; "
            f"one prompt at a time would take {located.one_at_a_time:,}"
        )
    if located.prompts:
        more = len(located.prompts) - SHOWN
        rest = f" and {more} more" if more > 0 else ""
        lines.append(f"prompts: {', '.join(located.prompts[:SHOWN])}{rest}")
    lines += [f"warning: {text}" for text in located.warnings]
    return "\n".join(lines)


def _level(level: Interval) -> str:
    if level.estimate is None:
        return "not known"
    if level.low is None or level.high is None:
        return f"{level.estimate:.2f}"
    return f"{level.estimate:.2f} [{level.low:.2f}, {level.high:.2f}]"
