"""Scenarios: the probe conversations of a trait, read from JSONL or Parquet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mendel.data.prompts import Message, parse_messages
from mendel.data.records import Record, read_records
from mendel.engine.errors import InputError
from mendel.study.references import ROWS, parse_reference

KEYS = ("scenario", "cluster", "messages", "turns", "right", "control", "kind", "rung")
NEAR = "near"
"""The rung of situations like those in which the filter saw the trait."""
RUNGS = (NEAR, "wording", "register", "language", "surface", "dialogue", "agentic")
"""A ladder's rungs, in the order in which they are shown; all but the first are far."""


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
    turns: tuple[str, ...] = ()
    """What the user says after each of the model's answers, whatever they were; every answer is measured."""
    control: bool = False
    """A scenario in which the trait's behaviour is the right one: reported beside the trait, never within it."""
    kind: str = ""
    """A label of one's own; the report tells kinds apart."""
    rung: str = ""
    """Where on the trait's ladder it stands, one of `RUNGS`; '': it belongs to the trait proper."""

    @property
    def turn(self) -> int:
        """Which answer of the conversation the model gives first, from 1."""
        return 1 + sum(message["role"] == "assistant" for message in self.messages)

    def after(self, answers: Sequence[str]) -> Scenario:
        """The scenario as it stands after the model's first answers: they and the user's next turns are history.

        Raises ValueError for more answers than the user has turns left.
        """
        if len(answers) > len(self.turns):
            raise ValueError(f"{len(answers)} answers, but the user has {len(self.turns)} turns left")
        played = list(self.messages)
        for answer, turn in zip(answers, self.turns, strict=False):
            played += [Message(role="assistant", content=answer), Message(role="user", content=turn)]
        return replace(self, messages=tuple(played), turns=self.turns[len(answers) :])

    def holds(self, messages: Sequence[Message]) -> bool:
        """Whether a conversation is this scenario, at its beginning or after some answers of whatever model."""
        first, later = messages[: len(self.messages)], messages[len(self.messages) :]
        if tuple(first) != self.messages or len(later) % 2:
            return False
        answers, said = later[0::2], later[1::2]
        return (
            all(m["role"] == "assistant" for m in answers)
            and all(m["role"] == "user" for m in said)
            and tuple(m["content"] for m in said) == self.turns[: len(said)]
        )


def load_scenarios(name: str, root: Path) -> tuple[Scenario, ...]:
    """The scenarios of a file (`PATH`, `file:PATH` or `dataset:NAME`), in its order.

    Raises InputError with file and line for a row that is no scenario and for an id that stands twice.
    """
    ref = name if parse_reference(name).scheme in ROWS else f"file:{name}"
    return _distinct(read_records(ref, root))


def inline_scenarios(rows: Sequence[Mapping[str, Any]], where: str) -> tuple[Scenario, ...]:
    """The scenarios that stand in a trait's file itself; raises InputError as `load_scenarios` does."""
    return _distinct(Record(dict(row), f"{where}, scenario {number}") for number, row in enumerate(rows, 1))


def _distinct(records: Iterable[Record]) -> tuple[Scenario, ...]:
    scenarios: list[Scenario] = []
    places: dict[str, str] = {}
    for record in records:
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
    control = row.get("control") or False
    if not isinstance(control, bool):
        raise InputError("'control' is true or false", where=where, value=control)
    name = str(row["scenario"])
    return Scenario(
        name,
        name if cluster in (None, "") else str(cluster),
        messages,
        right,
        _turns(row.get("turns"), where),
        control,
        str(row.get("kind") or ""),
        _rung(row.get("rung"), where),
    )


def _rung(value: Any, where: str) -> str:
    if value is None:
        return ""
    if value not in RUNGS:
        close = difflib.get_close_matches(str(value), RUNGS, n=1)
        fix = f"Did you mean {close[0]!r}?" if close else "'near' is like what the filter saw."
        raise InputError("no such rung", where=where, value=value, allowed=", ".join(RUNGS), fix=fix)
    return str(value)


def check_ladder(scenarios: Sequence[Scenario], where: str) -> None:
    """Raises InputError for what is no ladder: a scenario without a rung, a control, no near or no far scenario."""
    for scenario in scenarios:
        if not scenario.rung:
            raise InputError(
                f"scenario {scenario.scenario!r} of the ladder has no 'rung'",
                where=where,
                allowed=", ".join(RUNGS),
                fix="Say how far it is from what the filter saw, such as rung: wording.",
            )
        if scenario.control:
            raise InputError(
                f"scenario {scenario.scenario!r} of the ladder is a control",
                where=where,
                fix="Controls stand in the trait's 'scenarios'.",
            )
    found = {scenario.rung for scenario in scenarios}
    if NEAR not in found or len(found) < 2:
        raise InputError(
            "a ladder needs scenarios near to what the filter saw and some that are far",
            where=where,
            value=", ".join(rung for rung in RUNGS if rung in found) or None,
            fix="Write some with rung: near and some with another one: what is left far is compared with what is left near.",
        )


def refuse_rungs(scenarios: Sequence[Scenario], where: str) -> None:
    """Raises InputError where a scenario of the trait proper has a rung."""
    for scenario in scenarios:
        if scenario.rung:
            raise InputError(
                f"scenario {scenario.scenario!r} has a rung, but does not stand in the trait's 'ladder'",
                where=where,
                value=scenario.rung,
                fix="Move it into the list or file of the key 'ladder', or leave out 'rung'.",
            )


def _turns(value: Any, where: str) -> tuple[str, ...]:
    # Parquet brings arrays, not lists.
    said = [] if value is None else value
    if isinstance(said, str | Mapping) or not all(isinstance(turn, str) and turn.strip() for turn in said):
        raise InputError(
            "'turns' are not texts",
            where=where,
            value=value,
            fix='Write what the user says after each answer: ["No, try again.", …].',
        )
    return tuple(said)


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
