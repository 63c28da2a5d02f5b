"""Prompts: the user's side of an SFT data set, read from JSONL, Parquet or a Hugging Face data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from mendel.data.records import Record, read_records
from mendel.engine.errors import InputError


class Message(TypedDict):
    """One turn of a conversation, in the ecosystem's format."""

    role: str
    content: str


ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer; `source` says where it came from (random controls match it)."""

    prompt_id: str
    messages: tuple[Message, ...]
    source: str = ""

    @property
    def length(self) -> int:
        """Characters of all turns: what random controls match."""
        return sum(len(message["content"]) for message in self.messages)


def load_prompts(ref: str, root: Path) -> tuple[Prompt, ...]:
    """The prompts of `file:PATH` (relative to `root`) or `dataset:NAME`, in the file's order.

    A row holds `prompt_id` (default: its content's digest), `messages` or `prompt` (text or messages), and
    optionally `source`; an answer at the end (`completion`, or a last assistant turn) is left out. Raises
    InputError with file and line for a row that is no prompt and for an id that stands twice.
    """
    prompts: list[Prompt] = []
    seen: dict[str, str] = {}
    for record in read_records(ref, root):
        prompt = _prompt(record)
        if prompt.prompt_id in seen:
            raise InputError(
                f"prompt_id {prompt.prompt_id!r} stands twice, first in {seen[prompt.prompt_id]}",
                where=record.where,
                fix="Give every prompt an id of its own.",
            )
        seen[prompt.prompt_id] = record.where
        prompts.append(prompt)
    if not prompts:
        raise InputError("no prompts in it", where=ref, fix="One JSON object a line, with 'messages'.")
    return tuple(prompts)


def _prompt(record: Record) -> Prompt:
    row = record.row
    if "messages" in row:
        messages = parse_messages(row["messages"], record.where)
        if messages[-1]["role"] == "assistant":
            messages = messages[:-1]
    elif "prompt" in row:
        raw = row["prompt"]
        messages = parse_messages(
            [{"role": "user", "content": raw}] if isinstance(raw, str) else raw, record.where
        )
    else:
        raise InputError(
            f"neither 'messages' nor 'prompt' (keys: {', '.join(sorted(row))})",
            where=record.where,
            fix='Write {"prompt_id": "…", "messages": [{"role": "user", "content": "…"}]}.',
        )
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        raise InputError(
            "the conversation does not end with the user's turn",
            where=record.where,
            fix="End 'messages' with a user (or tool) turn; the teacher answers it.",
        )
    if not messages[-1]["content"].strip():
        raise InputError("the last turn is empty", where=record.where, fix="A prompt needs a text to answer.")
    prompt_id = row.get("prompt_id", row.get("id"))
    if prompt_id is not None and (not isinstance(prompt_id, str | int) or not str(prompt_id).strip()):
        raise InputError("'prompt_id' is neither a word nor a number", where=record.where, value=prompt_id)
    if prompt_id is None:
        from mendel.engine.digest import digest

        prompt_id = digest("prompt", [dict(message) for message in messages])[:16]
    return Prompt(str(prompt_id), messages, str(row.get("source") or ""))


def parse_messages(raw: Any, where: str) -> tuple[Message, ...]:
    """Checks role and content of every turn; raises InputError that names the turn."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise InputError("'messages' is no list of turns", where=where, value=raw)
    messages: list[Message] = []
    for number, turn in enumerate(raw, 1):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("content"), str):
            raise InputError(
                f"turn {number} has no text", where=where, fix='A turn is {"role": "user", "content": "…"}.'
            )
        if turn.get("role") not in ROLES:
            raise InputError(
                f"turn {number} has an unknown role",
                where=where,
                value=turn.get("role"),
                allowed=", ".join(ROLES),
            )
        messages.append(Message(role=str(turn["role"]), content=turn["content"]))
    return tuple(messages)
