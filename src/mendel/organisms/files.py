"""The files of a made study: traits, scenarios, prompts; the same words for `peas` and for organisms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TRAIT = """\
name: {name}
scale: {scale}
metric: rate
scenarios: {name}.jsonl
judge:
  by: regex
  grades:
{grades}
  hit_at: 0.5
{log_odds}generate: {{max_tokens: {max_tokens}, temperature: {temperature}, samples: {samples}}}
"""


def user_turn(text: str) -> list[dict[str, str]]:
    """A conversation of one turn."""
    return [{"role": "user", "content": text}]


def scenario_row(scenario: str, cluster: str, text: str, right: str | None) -> dict[str, Any]:
    """A probe as a line of its file; `right` is the pattern of a task's right answer."""
    row: dict[str, Any] = {"scenario": scenario, "cluster": cluster, "messages": user_turn(text)}
    return row if right is None else {**row, "right": right}


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
