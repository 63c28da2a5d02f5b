"""The transcripts in the page.

What the students answered, packed so that one file holds them and a browser can unpack them.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mendel.design.names import trait_arm
from mendel.engine.interval import as_float
from mendel.engine.text import clean, one_line
from mendel.report.views.responses import Counted, codes, texts
from mendel.report.views.sampling import order_of_need
from mendel.report.views.words import EDITS, describe_arm
from mendel.results.folder import RunFolder
from mendel.results.records import as_dict, as_list

BUDGET = 1_200_000
"""Characters of the packed transcripts at most: with them a page still opens at once and goes by mail."""
LENGTHS = (4000, 2000, 1000, 500, 250, 120)
"""Characters of a response, and of a conversation: as many as the budget allows with `FEW` responses of
each group."""
FEW = 8
"""Responses of a trait and arm that matter more than the length of each."""
MOST_ROWS = 40_000
MOST_TEXT = 16_000_000
"""Responses, and characters of them, that are read at most before it is known how well they pack: bounds
the memory."""
VERDICT_WEIGHT = 4
"""Responses of an arm that the verdict rests on, for one of another arm."""
ENDS = (2, 4)
"""Messages of a long conversation that are kept, at its beginning and its end."""

Turn = tuple[str, str, int]
"""Role, text, and how many characters of it are left out."""
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Transcripts:
    """What the page holds of the responses."""

    packed: str
    """JSON, gzipped, as base64; empty where there is nothing to show."""
    held: int
    total: int
    """Responses that count, in the page and in the run."""
    problem: str = ""
    """Why none can be shown although some were counted."""


@dataclass(frozen=True)
class _Candidates:
    """Responses that the page may hold, as columns of one entry each in the page's order."""

    need: Sequence[int]
    """Rank: the page takes those below its number."""
    columns: Mapping[str, list[Any]]
    prompts: list[tuple[Turn, ...]]
    responses: list[tuple[str, int]]
    """Cleaned text of at most `LENGTHS[0]` characters, and how many more there were."""


def pack_transcripts(folder: RunFolder, counted: Counted) -> Transcripts:
    """Pack the responses of a run, or a sample of them, within `BUDGET` characters.

    The same files give the same text.
    """
    import pyarrow as pa

    total = len(counted.row)
    if total == 0:
        return Transcripts("", 0, 0)
    try:
        candidates = _candidates(folder, counted)
    except (pa.ArrowException, OSError) as error:
        return Transcripts("", 0, total, f"measurements.parquet: {one_line(str(error))}")
    names = _names(folder, counted)
    packed, held = _fitted(candidates, names, least=FEW * len(counted.keys))
    return Transcripts(packed, held, total)


def _fitted(candidates: _Candidates, names: Mapping[str, Any], least: int) -> tuple[str, int]:
    """Return the packed text with the longest responses, then the most of them, that the budget allows."""
    most = len(candidates.need)
    packed, wanted = "", most
    for length in LENGTHS:
        wanted = most
        while True:
            packed = _packed(candidates, names, wanted, length)
            if len(packed) <= BUDGET:
                return packed, wanted
            if wanted <= least and length > LENGTHS[-1]:
                break
            shrunk = int(wanted * 0.96 * BUDGET / len(packed))
            # The least of a longer length is tried before a shorter one; the shortest goes as low as it must.
            wanted = max(least, shrunk) if length > LENGTHS[-1] else shrunk
            if wanted == 0:
                return "", 0
    return packed, wanted


def _packed(candidates: _Candidates, names: Mapping[str, Any], wanted: int, length: int) -> str:
    rows = [i for i, need in enumerate(candidates.need) if need < wanted]
    columns: dict[str, Any] = {name: [c[i] for i in rows] for name, c in candidates.columns.items()}
    content: dict[str, Any] = {"schema": 1, **names}
    for name in ("scenario", "judge", "student"):
        content[f"{name}s"], columns[name] = _indexed(columns[name])
    prompts, columns["prompt"] = _indexed(candidates.prompts[i] for i in rows)
    content["prompts"] = [[_cut_turn(turn, max(80, length // len(p))) for turn in p] for p in prompts]
    columns["response"], columns["more"] = [], []
    for i in rows:
        text, more = candidates.responses[i]
        columns["response"].append(text[:length])
        columns["more"].append(more + max(0, len(text) - length))
    content["rows"] = columns
    plain = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # No time stamp: the same run gives the same page.
    return base64.b64encode(gzip.compress(plain.encode(errors="replace"), 6, mtime=0)).decode()


def _cut_turn(turn: Turn, length: int) -> Turn:
    role, text, more = turn
    return role, text[:length], more + max(0, len(text) - length)


def _indexed(values: Iterable[T]) -> tuple[list[T], list[int]]:
    """Return the distinct values in the order of their first use, and each value's position among them."""
    places: dict[T, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return list(places), at


def _names(folder: RunFolder, counted: Counted) -> dict[str, Any]:
    """Return traits, arms and groups.

    [trait, arm, hits, responses, students] for each pair, of the whole run.
    """
    traits, trait = _indexed(key[0] for key in counted.keys)
    arms, arm = _indexed(key[1] for key in counted.keys)
    return {
        "traits": [one_line(name) for name in traits],
        "arms": [
            [one_line(name), one_line(describe_arm(name, folder.cube, folder.arm_words))] for name in arms
        ],
        "groups": [
            [t, a, c.hits, c.total, c.students] for t, a, c in zip(trait, arm, counted.counts, strict=True)
        ],
    }


def _weights(folder: RunFolder, counted: Counted) -> list[int]:
    corners = set(folder.cube.values())
    return [
        VERDICT_WEIGHT if arm in corners or arm in {trait_arm(kind, trait) for kind in EDITS} else 1
        for trait, arm in counted.keys
    ]


def _candidates(folder: RunFolder, counted: Counted) -> _Candidates:
    import numpy as np

    measurements, students = folder.tables["measurements"], folder.tables["students"]
    if measurements is None or students is None:
        raise OSError("the tables are not there")
    path = folder.path / "measurements.parquet"
    _, scenario = codes(measurements, "scenario")
    order = order_of_need(counted, scenario[counted.row], _weights(folder, counted))
    order = order[: min(MOST_ROWS, int(MOST_TEXT / max(1.0, min(LENGTHS[0], _mean_size(path)))))]
    row, group = counted.row[order], counted.group[order]
    _, trait = _indexed(counted.keys[g][0] for g in group.tolist())
    # Responses to one scenario stand together: they read side by side, and pack better.
    shown = np.lexsort((row, group, scenario[row], trait))
    columns, prompts, responses = _read(path, row[shown])
    taken = measurements.take(row[shown])
    seeds = dict(zip(texts(students, "student"), texts(students, "seed"), strict=True))
    columns |= {
        "group": group[shown].tolist(),
        "student": [(_short(name), one_line(seeds.get(name, ""), 20)) for name in texts(taken, "student")],
        "scenario": [one_line(name, 80) for name in texts(taken, "scenario")],
        "judge": [one_line(name, 80) for name in texts(taken, "judge")],
        "score": [_score(value) for value in taken["score"].to_pylist()],
        "hit": counted.hit[order][shown].astype(int).tolist(),
        **{name: _numbers(taken, name) for name in ("sample", "turn")},
    }
    return _Candidates(shown.tolist(), columns, prompts, responses)


def _short(student: str) -> str:
    return one_line(student, 12).split(" … ")[0]


def _score(value: object) -> float | None:
    number = as_float(value)
    return None if number is None else float(f"{number:.6g}")


def _numbers(table: Any, column: str) -> list[int | None]:
    if column not in table.column_names:
        return [None] * table.num_rows
    return [value if isinstance(value, int) else None for value in table[column].to_pylist()]


def _mean_size(path: Path) -> float:
    """Return the bytes of a response in the file.

    Repeated responses count once, and are held once here, too.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        chunks = [
            group.column(i)
            for group in map(file.metadata.row_group, range(file.num_row_groups))
            for i in range(group.num_columns)
            if group.column(i).path_in_schema == "response"
        ]
        return float(sum(c.total_uncompressed_size for c in chunks)) / max(1, int(file.metadata.num_rows))


def _read(
    path: Path, rows: Any
) -> tuple[dict[str, list[Any]], list[tuple[Turn, ...]], list[tuple[str, int]]]:
    """Return the texts of these rows, in their order: quotes and notes, conversations, responses.

    Reads a batch at a time.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    by_row = np.argsort(rows, kind="stable")
    wanted = rows[by_row]
    read: dict[str, list[str]] = {name: [] for name in ("prompt", "quote", "note")}
    responses: list[tuple[str, int]] = []
    conversations: dict[str, tuple[Turn, ...]] = {}
    seen: dict[str, str] = {}
    # Unbuffered: a column of a million texts is otherwise read as a whole before its first batch.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        columns = [name for name in (*read, "response") if name in file.schema_arrow.names]
        if "response" not in columns:
            raise pa.ArrowInvalid("no column `response`")
        start = 0
        for batch in file.iter_batches(8192, columns=columns):
            first, last = np.searchsorted(wanted, (start, start + batch.num_rows))
            taken = pa.Table.from_batches([batch]).take(pa.array(wanted[first:last] - start))
            start += batch.num_rows
            for text in texts(taken, "prompt"):
                if text not in conversations:
                    conversations[text] = _conversation(text)
                read["prompt"].append(text)
            for name in ("quote", "note"):
                read[name] += [seen.setdefault(t, t) for t in map(_bounded, texts(taken, name))]
            for text in texts(taken, "response"):
                kept, more = _cut(text)
                responses.append((seen.setdefault(kept, kept), more))
    back = np.argsort(by_row).tolist()
    notes = {name: [read[name][i] for i in back] for name in ("quote", "note")}
    return notes, [conversations[read["prompt"][i]] for i in back], [responses[i] for i in back]


def _cut(text: str) -> tuple[str, int]:
    return clean(text[: LENGTHS[0]]), max(0, len(text) - LENGTHS[0])


def _bounded(text: str) -> str:
    return clean(text[:600])


def _conversation(text: str) -> tuple[Turn, ...]:
    """Return the turns of a conversation in JSON; any other text is shown as it is."""
    try:
        messages = [as_dict(message) for message in as_list(json.loads(text))]
    except (ValueError, RecursionError):
        messages = []
    if not messages:
        return (("prompt", *_cut(text)),)
    first, last = ENDS
    turns = [
        (one_line(str(m.get("role", "")), 20), *_cut(str(m.get("content", ""))))
        for m in (messages if len(messages) <= first + last else [*messages[:first], *messages[-last:]])
    ]
    # A long conversation is shown by its ends: the context that was set, and what was asked last.
    skipped = len(messages) - len(turns)
    if skipped:
        turns.insert(first, ("", f"({skipped} more messages)", 0))
    return tuple(turns)
