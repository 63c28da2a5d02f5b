"""What the terminal shows of a search for carriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 10
"""Prompts that are listed; all of them stand in the JSON."""


def located_text(found: Mapping[str, Any]) -> str:
    """The finding, its checks, the rounds and what they cost."""
    lines = [f"{found['trait']}: {found['reads']}"]
    for check in found["checks"].values():
        lines.append(f"  {check['question']:64} {check['answer']:10} {_level(check['level'])}")
    lines += [
        f"  {part['kind']:9} {part['students']:2d} students: {part['reads']}" for part in found["rounds"]
    ]
    trained, reused = found["students_trained"], found["students_reused"]
    if found["rounds"]:
        lines.append(
            f"{trained} students trained, {reused} reused; one prompt at a time would take {found['one_at_a_time']:,}"
        )
    prompts = found["prompts"]
    if prompts:
        more = f" and {len(prompts) - SHOWN} more" if len(prompts) > SHOWN else ""
        lines.append(f"prompts: {', '.join(prompts[:SHOWN])}{more}")
    lines += [f"warning: {text}" for text in found["warnings"]]
    return "\n".join(lines)


def _level(e: Mapping[str, Any]) -> str:
    if e["estimate"] is None:
        return "not known"
    if e["low"] is None:
        return f"{e['estimate']:.2f}"
    return f"{e['estimate']:.2f} [{e['low']:.2f}, {e['high']:.2f}]"
