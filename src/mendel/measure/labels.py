"""Labels: scores that people give responses by a rubric, kept as JSON lines; judges are compared to them."""

from __future__ import annotations

import difflib
import json
import math
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.data.prompts import Message, parse_messages
from mendel.data.records import Record, read_records
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic
from mendel.measure.judges.registry import Rubric

TEXTS = ("trait", "scenario", "cluster", "response", "rubric")
KEYS = (*TEXTS, "prompt", "score", "note")
LINES, CHARACTERS = 40, 4000
"""Lines and characters of a response that are shown at first; the rest is shown on request."""


@dataclass(frozen=True)
class Unlabelled:
    """A response as a person sees it: without its student and without any judge's score."""

    trait: str
    scenario: str
    cluster: str
    prompt: tuple[Message, ...]
    response: str

    @property
    def key(self) -> str:
        """Digest of the trait, the conversation and the response: equal samples are labelled once."""
        return digest("label", [self.trait, [[m["role"], m["content"]] for m in self.prompt], self.response])


@dataclass(frozen=True)
class Label:
    """A response with the score that a person gave it."""

    of: Unlabelled
    score: float
    rubric: str
    """`rubric_id` of the rubric that it was scored by."""
    note: str = ""

    def json(self) -> dict[str, object]:
        """Return the label as a row of the file."""
        row: dict[str, object] = {
            "trait": self.of.trait,
            "scenario": self.of.scenario,
            "cluster": self.of.cluster,
            "prompt": [dict(message) for message in self.of.prompt],
            "response": self.of.response,
            "score": self.score,
            "rubric": self.rubric,
        }
        return {**row, "note": self.note} if self.note else row


@dataclass(frozen=True)
class SessionCounts:
    """Counts of a labelling session."""

    labelled: int
    skipped: int
    left: int
    """Responses without a label, including the skipped ones."""


def rubric_id(rubric: Rubric) -> str:
    """Return 8 hex digits of a rubric's text and scale.

    The hit's threshold is not part of it, since it does not change the meaning of a score.
    """
    return digest("label-rubric", [rubric.text, float(rubric.low), float(rubric.high)])[:8]


def read_labels(
    path: str | Path, trait: str | None = None, rubric: Rubric | None = None
) -> tuple[Label, ...]:
    """Return the labels of a JSONL file, in its order.

    Args:
        path: The file.
        trait: Only this trait's labels are returned; None: all.
        rubric: The labels must be by this rubric; None: any.

    Raises:
        InputError: A row is no label, a response is labelled twice by one rubric, a score is off the rubric's
            scale, or a label is by another rubric. The message names file and line.
    """
    file = _jsonl(path)
    labels: list[Label] = []
    places: dict[tuple[str, str], str] = {}
    for record in read_records(f"file:{file.name}", file.parent):
        label = _label(record)
        if trait is not None and label.of.trait != trait:
            continue
        if rubric is not None:
            _validate_rubric(label, rubric, record.where)
        name = (label.of.key, label.rubric)
        if name in places:
            raise InputError(
                f"the response to scenario {label.of.scenario!r} is labelled twice, first in {places[name]}",
                where=record.where,
                fix="Keep one of the two lines.",
            )
        places[name] = record.where
        labels.append(label)
    return tuple(labels)


def append_label(path: str | Path, label: Label) -> None:
    """Add a line to the file and wait until it is on the disk; make the file if there is none."""
    file = _jsonl(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as stream:
        # The last line may have no end, if an editor wrote it.
        if stream.tell() and (stream.seek(-1, os.SEEK_END), stream.read())[1] != b"\n":
            stream.write(b"\n")
        stream.write(_line(label) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def write_labels(path: str | Path, labels: Iterable[Label]) -> None:
    """Write a file of labels, such as those of a generated study; replace what is there.

    Args:
        path: The file, which ends in `.jsonl`.
        labels: The labels of one rubric, in the file's order. Of equal responses to equal conversations the
            first is kept: a file labels each once.
    """
    kept: dict[str, Label] = {}
    for label in labels:
        kept.setdefault(label.of.key, label)
    write_atomic(_jsonl(path), b"".join(_line(label) + b"\n" for label in kept.values()))


def _jsonl(path: str | Path) -> Path:
    if Path(path).suffix != ".jsonl":
        raise InputError("labels are JSON lines", where=str(path), fix="Name the file .jsonl.")
    return Path(path)


def _line(label: Label) -> bytes:
    return json.dumps(label.json(), ensure_ascii=False).encode()


def _label(record: Record) -> Label:
    row, where = record.row, record.where
    missing = [key for key in (*TEXTS, "prompt", "score") if row.get(key) is None]
    if missing:
        close = difflib.get_close_matches(missing[0], [key for key in row if key not in KEYS], n=1)
        raise InputError(
            f"no {missing[0]!r} (keys: {', '.join(sorted(row))})",
            where=where,
            fix=f"Did you mean it by {close[0]!r}?" if close else f"A label has {', '.join(KEYS[:-1])}.",
        )
    for key in (*TEXTS, "note"):
        if not isinstance(row.get(key, ""), str):
            raise InputError(
                f"{key!r} is no text", where=where, value=row[key], fix="Write it between quotes."
            )
    score = row["score"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError(
            "'score' is no number", where=where, value=score, fix="Write a number on the rubric's scale."
        )
    return Label(unlabelled(row, where), float(score), row["rubric"], row.get("note", ""))


def _validate_rubric(label: Label, rubric: Rubric, where: str) -> None:
    if label.rubric != rubric_id(rubric):
        raise InputError(
            "the label is by another rubric",
            where=where,
            value=label.rubric,
            allowed=rubric_id(rubric),
            fix="The rubric's text or scale has changed: label again, into another file.",
        )
    if not rubric.low <= label.score <= rubric.high:
        raise InputError(
            "the score is off the rubric's scale",
            where=where,
            value=label.score,
            allowed=f"{rubric.low:g} to {rubric.high:g}",
            fix="Correct the line, or delete it.",
        )


def unlabelled(row: Mapping[str, Any], where: str) -> Unlabelled:
    """Return the response of a row of labels or measurements, without its scores.

    Args:
        row: A row; the `prompt` of measurements is JSON text.
        where: The row's place, for messages.

    Raises:
        InputError: `prompt` is no conversation.
    """
    prompt = row["prompt"]
    if isinstance(prompt, str):
        try:
            prompt = json.loads(prompt)
        except ValueError:
            raise InputError("'prompt' is neither messages nor JSON", where=where, value=prompt) from None
    trait, scenario, cluster, response = (str(row[key]) for key in TEXTS[:4])
    return Unlabelled(trait, scenario, cluster, parse_messages(prompt, where), response)


def label_session(
    rows: Sequence[Unlabelled],
    rubric: Rubric,
    path: str | Path,
    ask: Callable[[str], str],
    tell: Callable[[str], None],
    *,
    shuffle: bool = True,
) -> SessionCounts:
    """Ask a person for the scores of responses, one after another, and write each to `path` at once.

    Responses that have a label are skipped, so that a session can be continued. The order is shuffled by the
    digest of all rows, unless they come in a random order already.

    Args:
        rows: Responses to one trait.
        rubric: The trait's rubric, shown first.
        path: The labels' file.
        ask: Shows a question and returns a line; EOFError ends the session.
        tell: Shows text, which holds no control characters but line ends and tabs.
        shuffle: Whether the order is shuffled; if not, it stays as given.

    Raises:
        InputError: As `read_labels`.
        ValueError: The rows are of several traits.
    """
    if len({row.trait for row in rows}) > 1:
        raise ValueError("one rubric is for the responses of one trait")
    items = _shuffled(rows) if shuffle else list({row.key: row for row in rows}.values())
    begun = bool(items) and _jsonl(path).exists() and _jsonl(path).stat().st_size > 0
    done = {label.of.key for label in read_labels(path, items[0].trait, rubric)} if begun else set()
    tell(
        f"{visible(rubric.text)}\n\n"
        f"Scores go from {rubric.low:g} to {rubric.high:g}. A note may follow: 3 only the title."
    )
    return _Labelling(items, rubric, Path(path), ask, tell, done).run()


@dataclass
class _Labelling:
    items: list[Unlabelled]
    rubric: Rubric
    path: Path
    ask: Callable[[str], str]
    tell: Callable[[str], None]
    done: set[str]

    def run(self) -> SessionCounts:
        queue = [place for place, item in enumerate(self.items) if item.key not in self.done]
        # Each answered response's label begins at this byte of the file; None for a skipped one.
        offsets: list[int | None] = []
        while len(offsets) < len(queue):
            item = self.items[queue[len(offsets)]]
            number = len(self.items) - len(queue) + len(offsets) + 1
            self.tell(f"\n--- {number} of {len(self.items)} ---\n{_shown(item, whole=False)}")
            answer = self._answer(item)
            if isinstance(answer, Label):
                offsets.append(self._write(answer))
            elif answer == "s":
                offsets.append(None)
            elif answer == "u":
                self._undo(offsets)
            else:
                break
        labelled = len(offsets) - offsets.count(None)
        return SessionCounts(labelled, len(offsets) - labelled, len(queue) - labelled)

    def _answer(self, item: Unlabelled) -> Label | str:
        """Return the label, or `s`, `u` or `q`."""
        low, high = self.rubric.low, self.rubric.high
        while True:
            try:
                line = self.ask(f"Score {low:g} to {high:g} (s skip, u undo, a show all, q quit): ").strip()
            except EOFError:
                return "q"
            if line.lower() in ("s", "u", "q"):
                return line.lower()
            if line.lower() == "a":
                self.tell(_shown(item, whole=True))
                continue
            first, _, note = line.partition(" ")
            score = _number(first)
            if score is None or not low <= score <= high:
                self.tell(f"{visible(line)!r} is no score from {low:g} to {high:g}.")
                continue
            return Label(item, score, rubric_id(self.rubric), note.strip())

    def _write(self, label: Label) -> int:
        """Append the label and return the file's size before."""
        size = self.path.stat().st_size if self.path.exists() else 0
        append_label(self.path, label)
        return size

    def _undo(self, offsets: list[int | None]) -> None:
        if not offsets:
            self.tell("Nothing to undo in this session.")
            return
        offset = offsets.pop()
        if offset is not None:
            os.truncate(self.path, offset)
        self.tell("Undone.")


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shuffled(rows: Sequence[Unlabelled]) -> list[Unlabelled]:
    """Return each response once, in an order that depends only on the set of rows."""
    items = {row.key: row for row in rows}
    order = digest("label-order", sorted(items))
    return [items[key] for key in sorted(items, key=lambda key: digest("label-place", [order, key]))]


def _shown(item: Unlabelled, *, whole: bool) -> str:
    turns = [f"[{message['role']}]\n{visible(message['content'])}" for message in item.prompt]
    texts = [*turns, f"[response]\n{visible(item.response)}"]
    return "\n\n".join(texts if whole else [_cut(text) for text in texts])


def _cut(text: str) -> str:
    short = "\n".join(text[:CHARACTERS].split("\n")[:LINES])
    hidden = len(text) - len(short)
    return f"{short}\n… {hidden:,} characters more: a shows all" if hidden else text


def visible(text: str) -> str:
    """Return text that cannot control a terminal.

    Characters without a visible shape, except line ends and tabs, are shown as ⟨U+001B⟩. They are control and
    formatting characters (escape sequences, right-to-left overrides, zero-width spaces), line separators,
    surrogates, and characters that Unicode does not define.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return f"⟨U+{ord(character):04X}⟩" if hidden and character not in "\n\t" else character
