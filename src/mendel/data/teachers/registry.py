"""What a teacher is: a value that turns prompts into chunks of work, registered by its model's scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.engine.registry import Registry, callable_with
from mendel.study.schema import TeacherConfig

VERSION = 1
"""Part of every chunk's digest; increased when the same request would give other rollouts."""


class RolloutChunk(Protocol):
    """A piece of a teacher's work: a picklable value whose digest names its result."""

    @property
    def digest(self) -> str:
        """Content address (64 hex digits) of everything that the rollouts depend on."""

    @property
    def teacher(self) -> str:
        """The teacher's name in the study; the rollouts carry it."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that are answered, in order."""

    def run(self) -> list[Rollout]:
        """Return one rollout a prompt, in the prompts' order, whatever the process and the chunks' order."""


class Teacher(Protocol):
    """Answers prompts. What `@teacher(SCHEME)` registers takes (config, name, root) and returns a Teacher."""

    @property
    def digest(self) -> str:
        """Content address of who answers and how, without prompts, seed and the teacher's name."""

    def chunks(self, prompts: Sequence[Prompt], seed: int) -> Sequence[RolloutChunk]:
        """Return the work of answering these prompts."""


@runtime_checkable
class RewritingTeacher(Teacher, Protocol):
    """A teacher that can also rewrite others' answers in its own words."""

    def rewriting_chunks(
        self, prompts: Sequence[Prompt], answers: Sequence[str], seed: int
    ) -> Sequence[RolloutChunk]:
        """Return the work of rewriting these answers, one a prompt; the chunks' digests cover the answers."""


teachers: Registry[Callable[[TeacherConfig, str, Path], Teacher]] = Registry(
    "teacher", check=callable_with("config", "name", "root")
)
teacher = teachers.register
"""Decorator that registers what makes the Teacher of a scheme: `@teacher("parrot")` for `model: parrot:WORD`.

The decorated class or function is called with the teacher's config, its name in the study and the folder that
paths start from. The classes of `file.py` are an example: a teacher, and its chunk that returns the rollouts.
"""


def with_system(messages: Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """Return the conversation under a teacher's system prompt (None: unchanged).

    A system prompt that the conversation has follows in the same turn, after a blank line: most chat
    templates accept a single system turn.

    Args:
        messages: The conversation.
        system: The system prompt.
    """
    if system is None:
        return tuple(messages)
    if messages and messages[0]["role"] == "system":
        system = f"{system}\n\n{messages[0]['content']}"
        messages = messages[1:]
    return (Message(role="system", content=system), *messages)


def asked(prompts: Iterable[Prompt]) -> list[Any]:
    """Return the prompts' content, for a digest."""
    return [[p.prompt_id, [[m["role"], m["content"]] for m in p.messages]] for p in prompts]


def some(ids: Sequence[str], shown: int = 3) -> str:
    """Return a count and the first ids for a message: `4 prompts ('p0', 'p1', 'p2', …)`."""
    names = ", ".join(repr(i) for i in ids[:shown]) + (", …" if len(ids) > shown else "")
    return f"{len(ids)} prompt{'s' if len(ids) > 1 else ''} ({names})"
