"""What a teacher is: a value that turns prompts into chunks of work, found by the scheme of its `model`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.engine.registry import Registry, callable_with
from mendel.study.schema import TeacherConfig

VERSION = 1
"""Part of every chunk's digest; raise it when the same request would give other rollouts."""


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
        """One rollout a prompt, in the prompts' order; the same in whichever order and process chunks run."""


class Teacher(Protocol):
    """What `@teacher(SCHEME)` registers is called with (config, name, root) and returns one of these."""

    @property
    def digest(self) -> str:
        """Who answers, and how: independent of prompts, seed and the teacher's name in the study."""

    def chunks(self, prompts: Sequence[Prompt], seed: int) -> Sequence[RolloutChunk]:
        """The work of answering these prompts."""


@runtime_checkable
class RewritingTeacher(Teacher, Protocol):
    """A teacher that can also say others' answers again in its own words."""

    def rewriting_chunks(
        self, prompts: Sequence[Prompt], answers: Sequence[str], seed: int
    ) -> Sequence[RolloutChunk]:
        """The work of rewriting these answers, one a prompt; the chunks' digests cover the answers."""


teachers: Registry[Callable[[TeacherConfig, str, Path], Teacher]] = Registry(
    "teacher", check=callable_with("config", "name", "root")
)
teacher = teachers.register
"""Decorator: `@teacher("scheme")` registers who answers for `model: scheme:…`."""


def with_system(messages: Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """The conversation under a teacher's system prompt; one that it has already follows in the same turn.

    Most chat templates take one system turn at most, so two are joined by a blank line.
    """
    if system is None:
        return tuple(messages)
    if messages and messages[0]["role"] == "system":
        system = f"{system}\n\n{messages[0]['content']}"
        messages = messages[1:]
    return (Message(role="system", content=system), *messages)


def asked(prompts: Iterable[Prompt]) -> list[Any]:
    """The prompts' content, for a digest."""
    return [[p.prompt_id, [[m["role"], m["content"]] for m in p.messages]] for p in prompts]


def some(ids: Sequence[str], shown: int = 3) -> str:
    """`4 prompts ('p0', 'p1', 'p2', …)`, for a message."""
    names = ", ".join(repr(i) for i in ids[:shown]) + (", …" if len(ids) > shown else "")
    return f"{len(ids)} prompt{'s' if len(ids) > 1 else ''} ({names})"
