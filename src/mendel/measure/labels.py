"""Labels: the scores that people give responses by a trait's rubric, kept as JSON lines; judges are held against them."""

from __future__ import annotations

import difflib
import json
import math
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.data.prompts import Message, parse_messages
from mendel.data.records import Record, read_records
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.measure.judges.registry import Rubric

TEXTS = ("trait", "scenario", "cluster", "response", "rubric")
KEYS = (*TEXTS, "prompt", "score", "note")
LINES, CHARACTERS = 40, 4000
"""Of a response that are shown at once; the rest is shown when it is asked for."""


@dataclass(frozen=True)
class Unlabelled:
    """A response as it is shown to a person: without its student and without any judge's score."""

    trait: str
    scenario: str
    cluster: str
    prompt: tuple[Message, ...]
    response: str

    @property
    def key(self) -> str:
        """Digest of the trait, the conversation and the response: samples that are alike are labelled once."""
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
        """A row of the file."""
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
class Session:
    """What a session did."""

    labelled: int
    skipped: int
    left: int
    """Responses that have no label yet, the skipped ones included."""


def rubric_id(rubric: Rubric) -> str:
    """8 hex digits of a rubric's text and scale; where a hit begins does not change what a score means."""
    return digest("label-rubric", [rubric.text, float(rubric.low), float(rubric.high)])[:8]


def read_labels(
    path: str | Path, trait: str | None = None, rubric: Rubric | None = None
) -> tuple[Label, ...]:
    """The labels of a JSONL file, in its order; of one `trait` alone where it is named.

    Raises InputError with file and line for a row that is no label, for a response that is labelled twice by one rubric,
    and, where a `rubric` is given, for a score off its scale and a label by another rubric.
    """
    file = _jsonl(path)
    labels: list[Label] = []
    places: dict[tuple[str, str], str] = {}
    for record in read_records(f"file:{file.name}", file.parent):
        label = _label(record)
        if trait is not None and label.of.trait != trait:
            continue
        if rubric is not None:
            _check_rubric(label, rubric, record.where)
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
    """Adds a line to the file, which is made if need be, and has it on disk before it returns."""
    file = _jsonl(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as stream:
        # An editor may have left the last line without its end.
        if stream.tell() and (stream.seek(-1, os.SEEK_END), stream.read())[1] != b"\n":
            stream.write(b"\n")
        stream.write(_line(label) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


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
            raise InputError(f"{key!r} is no text", where=where, value=row[key])
    score = row["score"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError("'score' is no number", where=where, value=score)
    return Label(unlabelled(row, where), float(score), row["rubric"], row.get("note", ""))


def _check_rubric(label: Label, rubric: Rubric, where: str) -> None:
    if label.rubric != rubric_id(rubric):
        raise InputError(
            "labelled by another rubric",
            where=where,
            value=label.rubric,
            allowed=rubric_id(rubric),
            fix="The rubric's text or scale changed since: label again into another file.",
        )
    if not rubric.low <= label.score <= rubric.high:
        raise InputError(
            "the score is off the rubric's scale",
            where=where,
            value=label.score,
            allowed=f"{rubric.low:g} to {rubric.high:g}",
        )


def unlabelled(row: Mapping[str, Any], where: str) -> Unlabelled:
    """What is to be labelled of a row of labels or of measurements (whose `prompt` is JSON text); its scores are left behind.

    Raises InputError, at `where`, for a prompt that is no conversation.
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
) -> Session:
    """Asks a person for the scores of responses, one after another, and writes each to `path` at once.

    `ask` shows a question and returns a line (EOFError ends the session), `tell` shows text, which holds no control
    characters but line ends and tabs. Responses that have a label already are passed over, so a session goes on where
    one stopped; the order is shuffled, by the digest of all rows. Raises InputError as `read_labels` does, and ValueError
    for rows of several traits.
    """
    if len({row.trait for row in rows}) > 1:
        raise ValueError("one rubric is for the responses of one trait")
    items = _shuffled(rows)
    begun = bool(items) and _jsonl(path).exists() and _jsonl(path).stat().st_size > 0
    done = {label.of.key for label in read_labels(path, items[0].trait, rubric)} if begun else set()
    tell(
        f"{visible(rubric.text)}\n\nScores go from {rubric.low:g} to {rubric.high:g}. A note may follow: 3 only the title."
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

    def run(self) -> Session:
        queue = [place for place, item in enumerate(self.items) if item.key not in self.done]
        given: list[int | None] = []
        """Of the responses that were answered: where in the file the label stands; None for a skipped one."""
        while len(given) < len(queue):
            item = self.items[queue[len(given)]]
            number = len(self.items) - len(queue) + len(given) + 1
            self.tell(f"\n--- {number} of {len(self.items)} ---\n{_shown(item, whole=False)}")
            said = self._answer(item)
            if isinstance(said, Label):
                given.append(self._write(said))
            elif said == "s":
                given.append(None)
            elif said == "u":
                self._undo(given)
            else:
                break
        labelled = len(given) - given.count(None)
        return Session(labelled, len(given) - labelled, len(queue) - labelled)

    def _answer(self, item: Unlabelled) -> Label | str:
        """The label, or `s`, `u` or `q`."""
        low, high = self.rubric.low, self.rubric.high
        while True:
            try:
                said = self.ask(f"Score {low:g} to {high:g} (s skip, u undo, a show all, q quit): ").strip()
            except EOFError:
                return "q"
            if said.lower() in ("s", "u", "q"):
                return said.lower()
            if said.lower() == "a":
                self.tell(_shown(item, whole=True))
                continue
            first, _, note = said.partition(" ")
            score = _number(first)
            if score is None or not low <= score <= high:
                self.tell(f"{visible(said)!r} is no score from {low:g} to {high:g}.")
                continue
            return Label(item, score, rubric_id(self.rubric), note.strip())

    def _write(self, label: Label) -> int:
        before = self.path.stat().st_size if self.path.exists() else 0
        append_label(self.path, label)
        return before

    def _undo(self, given: list[int | None]) -> None:
        if not given:
            self.tell("Nothing to undo in this session.")
            return
        before = given.pop()
        if before is not None:
            os.truncate(self.path, before)
        self.tell("Undone.")


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shuffled(rows: Sequence[Unlabelled]) -> list[Unlabelled]:
    """Each response once, in an order that depends on what the rows are and on nothing else."""
    items = {row.key: row for row in rows}
    together = digest("label-order", sorted(items))
    return [items[key] for key in sorted(items, key=lambda key: digest("label-place", [together, key]))]


def _shown(item: Unlabelled, *, whole: bool) -> str:
    turns = [f"[{message['role']}]\n{visible(message['content'])}" for message in item.prompt]
    texts = [*turns, f"[response]\n{visible(item.response)}"]
    return "\n\n".join(texts if whole else [_cut(text) for text in texts])


def _cut(text: str) -> str:
    short = "\n".join(text[:CHARACTERS].split("\n")[:LINES])
    hidden = len(text) - len(short)
    return f"{short}\n… {hidden:,} characters more: a shows all" if hidden else text


def visible(text: str) -> str:
    """Text that cannot drive a terminal: of what has no shape of its own, all but line ends and tabs is shown as ⟨U+001B⟩.

    Those are control and formatting characters (escape sequences, right-to-left overrides, zero-width spaces), line separators,
    surrogates, and characters that Unicode does not know.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return f"⟨U+{ord(character):04X}⟩" if hidden and character not in "\n\t" else character
