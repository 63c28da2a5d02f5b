"""Scenarios: the probe conversations of a trait, read from a trait file, JSONL or Parquet."""

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
"""The rungs of a ladder, in the order in which they are shown; all but the first are far."""


@dataclass(frozen=True)
class Scenario:
    """A conversation that waits for the model's answer."""

    scenario: str
    """The scenario's id."""
    cluster: str
    """Similar scenarios (of one template, one story) share a cluster: intervals resample clusters."""
    messages: tuple[Message, ...]
    right: str | None = None
    """A regular expression of right answers; it scores this scenario in place of the judge's grades."""
    turns: tuple[str, ...] = ()
    """The user's further turns, one after each answer of the model, whatever it is.

    Every answer is measured.
    """
    control: bool = False
    """Whether the trait's behaviour is right in this scenario, which is then reported beside the trait."""
    kind: str = ""
    """A free label; the report tells kinds apart."""
    rung: str = ""
    """The scenario's rung on the trait's ladder, one of `RUNGS`; '': it belongs to the trait itself."""

    @property
    def turn(self) -> int:
        """The number, from 1, of the model's next answer in the conversation."""
        return 1 + sum(message["role"] == "assistant" for message in self.messages)

    def after(self, answers: Sequence[str]) -> Scenario:
        """Return the scenario as it is after the model's first answers.

        They and the user's turns after them become part of its messages.

        Args:
            answers: The model's answers, in order.

        Raises:
            ValueError: There are more answers than turns of the user left.
        """
        if len(answers) > len(self.turns):
            raise ValueError(f"{len(answers)} answers, but the user has {len(self.turns)} turns left")
        played = list(self.messages)
        for answer, turn in zip(answers, self.turns, strict=False):
            played += [Message(role="assistant", content=answer), Message(role="user", content=turn)]
        return replace(self, messages=tuple(played), turns=self.turns[len(answers) :])

    def holds(self, messages: Sequence[Message]) -> bool:
        """Return whether a conversation is this scenario, at its beginning or after answers of any model."""
        first, later = messages[: len(self.messages)], messages[len(self.messages) :]
        if tuple(first) != self.messages or len(later) % 2:
            return False
        answers, user_turns = later[0::2], later[1::2]
        return (
            all(m["role"] == "assistant" for m in answers)
            and all(m["role"] == "user" for m in user_turns)
            and tuple(m["content"] for m in user_turns) == self.turns[: len(user_turns)]
        )


def load_scenarios(name: str, root: Path) -> tuple[Scenario, ...]:
    """Return the scenarios of a file or data set, in its order.

    Args:
        name: `PATH`, `file:PATH` or `dataset:NAME`.
        root: Folder that PATH starts from.

    Raises:
        InputError: A row is no scenario, or an id is given twice; the message names file and line.
    """
    ref = name if parse_reference(name).scheme in ROWS else f"file:{name}"
    return _distinct(read_records(ref, root))


def inline_scenarios(rows: Sequence[Mapping[str, Any]], where: str) -> tuple[Scenario, ...]:
    """Return the scenarios that are listed in a trait's file; raise InputError as `load_scenarios`."""
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
        # Other keys (notes, licences) are allowed; a key close to a known one is a typing error.
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
        _validate_right(right, where)
    control = row.get("control") or False
    if not isinstance(control, bool):
        raise InputError("'control' must be true or false", where=where, value=control)
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


def validate_ladder(scenarios: Sequence[Scenario], where: str) -> None:
    """Raise InputError for a ladder without near or far scenarios, or with one that does not belong in it.

    A control does not, nor a scenario without a rung.
    """
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
                fix="Write controls in the trait's 'scenarios'.",
            )
    rungs = {scenario.rung for scenario in scenarios}
    if NEAR not in rungs or len(rungs) < 2:
        raise InputError(
            "a ladder needs scenarios near to what the filter saw and some that are far",
            where=where,
            value=", ".join(rung for rung in RUNGS if rung in rungs) or None,
            fix="Write some with rung: near and some with another rung: what is left far is compared with "
            "what is left near.",
        )


def refuse_rungs(scenarios: Sequence[Scenario], where: str) -> None:
    """Raise InputError for a scenario of the trait itself that has a rung."""
    for scenario in scenarios:
        if scenario.rung:
            raise InputError(
                f"scenario {scenario.scenario!r} has a rung, but is not in the trait's 'ladder'",
                where=where,
                value=scenario.rung,
                fix="Move it into the list or file of the key 'ladder', or leave out 'rung'.",
            )


def _turns(value: Any, where: str) -> tuple[str, ...]:
    # Parquet gives arrays, not lists.
    turns = [] if value is None else value
    if isinstance(turns, str | Mapping) or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise InputError(
            "'turns' are not texts",
            where=where,
            value=value,
            fix='Write what the user says after each answer: ["No, try again.", …].',
        )
    return tuple(turns)


def _validate_right(right: object, where: str) -> None:
    try:
        if not isinstance(right, str) or not right:
            raise InputError(
                "'right' is no text", where=where, value=right, fix="Write a regular expression."
            )
        re.compile(right)
    except re.error as error:
        raise InputError(f"'right' is no regular expression: {error}", where=where, value=right) from None


def right_patterns(scenarios: Sequence[Scenario]) -> list[list[str]]:
    """Return [id, pattern] of the scenarios with a pattern of right answers, for a digest."""
    return [[s.scenario, s.right] for s in scenarios if s.right is not None]
