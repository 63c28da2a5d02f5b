"""Adapters of one base that answer side by side: each is a `ChatModel` of its own, and what they are asked goes through one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mendel.models.chat import Ask, ChatModel, Completion, Sampling
from mendel.models.local.generation import generate_all
from mendel.models.local.loading import attach_adapter
from mendel.models.local.scoring import log_odds
from mendel.models.local.stacks import Routing, alike, answering, can_stack
from mendel.models.templates import Conversation

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Result = TypeVar("Result")


def side_by_side(
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    adapters: Mapping[str, Path],
    work: Callable[[str, ChatModel], Result],
) -> dict[str, Result]:
    """`work` done with each adapter (by name, from its folder) in a thread of its own; what they ask is answered together.

    A request waits until every adapter that is not done has one. What `work` raises is raised here. Raises RunError for an
    adapter that does not bind.
    """
    names, folders = list(adapters), list(adapters.values())
    model: Any = attach_adapter(base, folders[0], names[0])
    stack = can_stack(model, names[0]) and alike(folders)
    for name in [] if stack else names[1:]:
        attach_adapter(model, adapters[name], name)
    model.eval()
    with answering(model, adapters) if stack else nullcontext() as routing:
        return seated(_Model(model, tokenizer, routing), names, work)


class Answering(Protocol):
    """A model that answers by several adapters."""

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """The answers to each ask, which names its adapter."""

    def log_odds_by(
        self,
        adapter: str,
        conversations: Sequence[Conversation],
        opener: str,
        trait: Sequence[str],
        clean: Sequence[str],
    ) -> list[float] | None:
        """A `ChatModel`'s log-odds, by this adapter."""


def seated(
    model: Answering, names: Sequence[str], work: Callable[[str, ChatModel], Result]
) -> dict[str, Result]:
    """`work` done with each adapter of the model, as `side_by_side` does it."""
    table = _Table(model, names)

    def one(name: str) -> Result:
        try:
            return work(name, _Seat(table, name))
        finally:
            table.leave(name)

    with ThreadPoolExecutor(len(names)) as threads:
        return dict(zip(names, threads.map(one, names), strict=True))


@dataclass(frozen=True)
class _Model:
    """In this process: by peft's mixed batches, or by a routing that the layers go by."""

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    routing: Routing | None

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        return generate_all(self.model, self.tokenizer, asks, self.routing)

    def log_odds_by(self, adapter: str, *asked: Any) -> list[float]:
        if self.routing is None:
            self.model.set_adapter(adapter)
        else:
            self.routing.route_all(adapter)
        return log_odds(self.model, self.tokenizer, *asked)


class _Table:
    """Where requests meet: the one that comes last answers them all."""

    def __init__(self, model: Answering, names: Sequence[str]) -> None:
        self._model = model
        self._meeting = threading.Condition()
        self._seated = set(names)
        self._asked: dict[str, Sequence[Ask]] = {}
        self._answers: dict[str, list[list[Completion]] | Exception] = {}

    def ask(self, name: str, asks: Sequence[Ask]) -> list[list[Completion]]:
        """The answers to one's own asks; raises what answering raised."""
        with self._meeting:
            self._asked[name] = [replace(ask, adapter=name) for ask in asks]
            self._answer_if_all_asked()
            self._meeting.wait_for(lambda: name in self._answers)
            answer = self._answers.pop(name)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def leave(self, name: str) -> None:
        """This one asks no more: nobody waits for it."""
        with self._meeting:
            self._seated.discard(name)
            self._answer_if_all_asked()

    def log_odds(self, name: str, *asked: Any) -> list[float] | None:
        """What one adapter alone is needed for: one at a time."""
        with self._meeting:
            return self._model.log_odds_by(name, *asked)

    def _answer_if_all_asked(self) -> None:
        if not self._asked or set(self._asked) != self._seated:
            return
        names = sorted(self._asked)
        asks = [ask for name in names for ask in self._asked[name]]
        try:
            done = iter(self._model.chat_all(asks))
            self._answers.update((name, list(islice(done, len(self._asked[name])))) for name in names)
        except Exception as error:  # whoever asked has to hear of it, not the one that came last
            self._answers.update(dict.fromkeys(names, error))
        self._asked.clear()
        self._meeting.notify_all()


@dataclass(frozen=True)
class _Seat:
    """One adapter at the table."""

    table: _Table
    name: str

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answered with what the others ask; nothing holds it to a schema but what it was told."""
        (answers,) = self.table.ask(self.name, [Ask(conversations, sampling, opener)])
        return answers

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """In one batch, with what the others ask."""
        return self.table.ask(self.name, asks)

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Teacher-forced by this adapter alone."""
        return self.table.log_odds(self.name, conversations, opener, trait, clean)
