"""The responses behind a number: how many of how many are hits, and a few of both kinds to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.report._text import as_dict, as_float, as_list, one_line, shorten

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 3
"""Responses shown at most of each kind (hits, others) for an arm and trait."""
TEXT_BUDGET = 400_000
"""Characters of responses and prompts in the page: a page with more traits shows shorter ones."""
LENGTHS = (160, 700)
"""Characters of one response: at least, at most."""


@dataclass(frozen=True)
class Turn:
    """A message of the conversation that the student was given."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """One response, cleaned and shortened, and where it comes from."""

    student: str
    seed: str
    scenario: str
    score: float | None
    hit: bool
    prompt: tuple[Turn, ...]
    response: str


@dataclass(frozen=True)
class Responses:
    """The responses of one arm's students (those that are ok) to one trait's scenarios."""

    hits: int
    total: int
    students: int
    examples: tuple[Example, ...]


def read_responses(
    measurements: pa.Table | None, students: pa.Table | None
) -> Mapping[tuple[str, str], Responses]:
    """By trait and arm. Empty where a table or a column is not there.

    Examples are evenly spaced over the hits, and over the others, in the table's order: nobody picked them.
    """
    needed = {"student", "trait", "scenario", "score", "hit", "prompt", "response"}
    if measurements is None or students is None or not needed <= set(measurements.column_names):
        return {}
    if measurements.num_rows == 0:
        return {}
    groups = _groups(measurements, _working(students))
    chosen = {key: _spaced(hits) + _spaced(others) for key, (hits, others, _) in groups.items()}
    order = [row for rows in chosen.values() for row in rows]
    length = max(LENGTHS[0], min(LENGTHS[1], TEXT_BUDGET // max(1, 2 * len(order))))
    rows = iter(_rows(measurements, order))
    seeds = dict(zip(_texts(students, "student"), _texts(students, "seed"), strict=True))
    return {
        key: Responses(
            hits=len(hits),
            total=len(hits) + len(others),
            students=n,
            examples=tuple(_example(next(rows), seeds, length) for _ in chosen[key]),
        )
        for key, (hits, others, n) in groups.items()
    }


def _working(students: pa.Table) -> dict[str, str]:
    """Arm by student, for students whose measurements count: a broken one shows nothing about a trait."""
    names, arms, status = (_texts(students, column) for column in ("student", "arm", "status"))
    return {name: arm for name, arm, state in zip(names, arms, status, strict=True) if state == "ok"}


def _groups(
    measurements: pa.Table, arm_of: Mapping[str, str]
) -> dict[tuple[str, str], tuple[list[int], list[int], int]]:
    """Row numbers of hits and of others, and the number of students, by trait and arm; unscored rows are left out."""
    import numpy as np

    names, name_codes = _codes(measurements, "student")
    traits, trait_codes = _codes(measurements, "trait")
    arms = sorted(set(arm_of.values()))
    position = {arm: i for i, arm in enumerate(arms)}
    arm_by_name = np.array([position.get(arm_of.get(name, ""), -1) for name in names] + [-1])
    arm_codes = arm_by_name[name_codes]
    hit = np.asarray(measurements["hit"].cast("int8").fill_null(-1).to_numpy())
    usable = np.flatnonzero((arm_codes >= 0) & (trait_codes >= 0) & (hit >= 0))
    keys = trait_codes[usable] * len(arms) + arm_codes[usable]
    by_key = usable[np.argsort(keys, kind="stable")]
    groups = {}
    for rows in np.split(by_key, np.flatnonzero(np.diff(np.sort(keys))) + 1):
        if not len(rows):
            continue
        key = (traits[trait_codes[rows[0]]], arms[arm_codes[rows[0]]])
        hits, others = rows[hit[rows] == 1].tolist(), rows[hit[rows] == 0].tolist()
        groups[key] = (hits, others, len(np.unique(name_codes[rows])))
    return groups


def _codes(table: pa.Table, column: str) -> tuple[list[str], Any]:
    """The distinct values of a column and each row's position among them (-1: null)."""
    import numpy as np

    encoded = table[column].combine_chunks().dictionary_encode()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.combine_chunks()
    return _decoded(encoded.dictionary), np.asarray(
        encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    )


def _spaced(rows: Sequence[int], count: int = SHOWN) -> list[int]:
    if len(rows) <= count:
        return list(rows)
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]


def _rows(table: pa.Table, order: Sequence[int]) -> list[dict[str, Any]]:
    taken = table.take(order)
    texts = {c: _texts(taken, c) for c in ("student", "scenario", "prompt", "response")}
    scores, hits = taken["score"].to_pylist(), taken["hit"].to_pylist()
    return [
        {**{name: column[i] for name, column in texts.items()}, "score": scores[i], "hit": hits[i]}
        for i in range(len(order))
    ]


def _texts(table: pa.Table, column: str) -> list[str]:
    """A column as text; empty strings where a value or the whole column is not there."""
    if column not in table.column_names:
        return [""] * table.num_rows
    return _decoded(table[column])


def _decoded(values: Any) -> list[str]:
    import pyarrow as pa

    # Through bytes: a string column may hold bytes that are no UTF-8, and one of them must not cost the page.
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(pa.large_binary())
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
        for value in values.to_pylist()
    ]


def _example(row: Mapping[str, Any], seeds: Mapping[str, str], length: int) -> Example:
    return Example(
        student=one_line(row["student"], 12).split(" … ")[0],
        seed=one_line(seeds.get(row["student"], "")),
        scenario=one_line(row["scenario"], 80),
        score=as_float(row["score"]),
        hit=row["hit"] is True,
        prompt=_conversation(row["prompt"], length),
        response=shorten(row["response"], length),
    )


def _conversation(text: str, length: int) -> tuple[Turn, ...]:
    """The prompt column is a conversation as JSON text; anything else is shown as it stands."""
    try:
        messages = [as_dict(message) for message in as_list(json.loads(text))]
    except (ValueError, RecursionError):
        messages = []
    if not messages:
        return (Turn("prompt", shorten(text, length)),)
    share = max(80, length // len(messages))
    turns = [
        Turn(one_line(str(m.get("role", "")), 20), shorten(str(m.get("content", "")), share))
        for m in messages
    ]
    # A long conversation is shown by its ends: the context that was set, and what was asked last.
    skipped = len(turns) - 6
    return (
        tuple(turns) if skipped <= 0 else (*turns[:2], Turn("", f"… ({skipped} more messages)"), *turns[-4:])
    )
