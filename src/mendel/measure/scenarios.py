"""Scenarios: the probe conversations of a trait, read from JSONL or Parquet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mendel.data._records import Record, read_records
from mendel.data.prompts import Message, parse_messages
from mendel.engine.errors import InputError

KEYS = ("scenario", "cluster", "messages", "right")


@dataclass(frozen=True)
class Scenario:
    """A conversation that waits for the model's answer."""

    scenario: str
    """Its id."""
    cluster: str
    """Scenarios that are alike (one template, one story) share one: intervals resample clusters."""
    messages: tuple[Message, ...]
    right: str | None = None
    """A regular expression that a right answer holds; scores this scenario instead of the judge's grades."""

    @property
    def turn(self) -> int:
        """Which answer of the conversation the model gives, from 1."""
        return 1 + sum(message["role"] == "assistant" for message in self.messages)


def load_scenarios(name: str, root: Path) -> tuple[Scenario, ...]:
    """The scenarios of a file (`PATH`, `file:PATH` or `dataset:NAME`), in its order.

    Raises InputError with file and line for a row that is no scenario and for an id that stands twice.
    """
    ref = name if name.partition(":")[0] in ("file", "dataset") else f"file:{name}"
    scenarios: list[Scenario] = []
    places: dict[str, str] = {}
    for record in read_records(ref, root):
        scenario = _scenario(record)
        if scenario.scenario in places:
            raise InputError(
                f"scenario {scenario.scenario!r} stands twice, first in {places[scenario.scenario]}",
                where=record.where,
                fix="Give every scenario an id of its own; a 'cluster' says which ones are alike.",
            )
        places[scenario.scenario] = record.where
        scenarios.append(scenario)
    return tuple(scenarios)


def _scenario(record: Record) -> Scenario:
    row, where = record.row, record.where
    for key in row:
        # Other keys (notes, licences) may stand there; one that nearly is a known key is a slip.
        close = [] if key in KEYS else difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75)
        if close:
            raise InputError(f"unknown key {key!r}", where=where, fix=f"Did you mean {close[0]!r}?")
    if row.get("scenario") in (None, "") or row.get("messages") is None:
        raise InputError(
            f"no 'scenario' with 'messages' (keys: {', '.join(sorted(row))})",
            where=where,
            fix='Write {"scenario": "…", "messages": [{"role": "user", "content": "…"}]}.',
        )
    messages = parse_messages(row["messages"], where)
    if messages[-1]["role"] not in ("user", "tool"):
        raise InputError(
            "the conversation does not end with the user's turn",
            where=where,
            fix="End 'messages' with a user (or tool) turn; the model answers it.",
        )
    right, cluster = row.get("right"), row.get("cluster")
    if right is not None:
        _check_right(right, where)
    name = str(row["scenario"])
    return Scenario(name, name if cluster in (None, "") else str(cluster), messages, right)


def _check_right(right: object, where: str) -> None:
    try:
        if not isinstance(right, str) or not right:
            raise InputError(
                "'right' is no text", where=where, value=right, fix="Write a regular expression."
            )
        re.compile(right)
    except re.error as error:
        raise InputError(f"'right' is no regular expression: {error}", where=where, value=right) from None


def rights(scenarios: Sequence[Scenario]) -> list[list[str]]:
    """What scores scenarios in the judge's place: [id, pattern] pairs, for a digest."""
    return [[s.scenario, s.right] for s in scenarios if s.right is not None]
