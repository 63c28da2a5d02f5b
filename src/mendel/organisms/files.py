"""The files of a generated study: traits, scenarios and prompts, alike for `peas` and for organisms."""

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
{rubric}  hit_at: 0.5
{log_odds}generate: {{max_tokens: {max_tokens}, temperature: {temperature}, samples: {samples}}}
"""


def user_turn(text: str) -> list[dict[str, str]]:
    """Return a conversation of one user turn."""
    return [{"role": "user", "content": text}]


def scenario_row(scenario: str, cluster: str, text: str, right: str | None) -> dict[str, Any]:
    """Return a scenario as a row of its file. `right` is the pattern of the right answer of a task."""
    row: dict[str, Any] = {"scenario": scenario, "cluster": cluster, "messages": user_turn(text)}
    return row if right is None else {**row, "right": right}


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
