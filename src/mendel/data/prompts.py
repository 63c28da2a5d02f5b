"""Prompts: the user's side of an SFT data set, read from JSONL, Parquet or a Hugging Face data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from mendel.data.records import Record, read_records
from mendel.engine.errors import InputError


class Message(TypedDict):
    """One turn of a conversation, in the conversational format of Hugging Face and OpenAI."""

    role: str
    content: str


ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer."""

    prompt_id: str
    messages: tuple[Message, ...]
    source: str = ""
    """Where the prompt came from; random controls match it."""

    @property
    def length(self) -> int:
        """Characters of all turns; random controls match them."""
        return sum(len(message["content"]) for message in self.messages)


def load_prompts(ref: str, root: Path) -> tuple[Prompt, ...]:
    """Return the prompts of a file or data set, in its order.

    A row holds `prompt_id` (default: a digest of its content), `messages` or `prompt` (text or messages), and
    optionally `source`. An answer at the end (`completion`, or a last assistant turn) is left out.

    Args:
        ref: `file:PATH` or `dataset:NAME`.
        root: Folder that PATH starts from.

    Raises:
        InputError: A row is no prompt, or an id is given twice; the message names file and line.
    """
    prompts: list[Prompt] = []
    places: dict[str, str] = {}
    for record in read_records(ref, root):
        prompt = _prompt(record)
        if prompt.prompt_id in places:
            raise InputError(
                f"prompt_id {prompt.prompt_id!r} stands twice, first in {places[prompt.prompt_id]}",
                where=record.where,
                fix="Give every prompt an id of its own.",
            )
        places[prompt.prompt_id] = record.where
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
        raise InputError(
            "'prompt_id' is neither a word nor a number",
            where=record.where,
            value=prompt_id,
            fix="Write a text or a whole number, or leave it out.",
        )
    if prompt_id is None:
        from mendel.engine.digest import digest

        prompt_id = digest("prompt", [dict(message) for message in messages])[:16]
    return Prompt(str(prompt_id), messages, str(row.get("source") or ""))


def parse_messages(raw: Any, where: str) -> tuple[Message, ...]:
    """Return the messages of a row after a check of every turn's role and content.

    Args:
        raw: The row's value.
        where: The row's place, for messages.

    Raises:
        InputError: The value is no list of turns; the message names the turn.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise InputError(
            "'messages' is no list of turns",
            where=where,
            value=raw,
            fix='Write [{"role": "user", "content": "…"}].',
        )
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
