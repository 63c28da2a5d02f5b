"""Adapters of one base that answer side by side: each is a `ChatModel` of its own, and what they are asked goes through one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mendel.models.chat import ChatModel
from mendel.models.checkpoints import attach_adapter
from mendel.models.generation import Completion, Sampling, generate_together
from mendel.models.scoring import log_odds
from mendel.models.stacks import Routing, alike, answering, can_stack
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
        table = _Table(model, tokenizer, names, routing)

        def one(name: str) -> Result:
            try:
                return work(name, _Seat(table, name))
            finally:
                table.leave(name)

        with ThreadPoolExecutor(len(names)) as threads:
            return dict(zip(names, threads.map(one, names), strict=True))


@dataclass(frozen=True)
class _Request:
    conversations: Sequence[Conversation]
    sampling: Sampling
    opener: str


class _Table:
    """Where requests meet: the one that comes last answers them all."""

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        names: Sequence[str],
        routing: Routing | None,
    ) -> None:
        self.model, self.tokenizer, self.routing = model, tokenizer, routing
        self._meeting = threading.Condition()
        self._seated = set(names)
        self._asked: dict[str, _Request] = {}
        self._answers: dict[str, list[Completion] | Exception] = {}

    def ask(self, name: str, request: _Request) -> list[Completion]:
        """The answers to one's own request; raises what answering it raised."""
        with self._meeting:
            self._asked[name] = request
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

    def score(self, name: str, function: Callable[[PeftModel], Result]) -> Result:
        """What one adapter alone is needed for: one at a time."""
        with self._meeting:
            if self.routing is None:
                self.model.set_adapter(name)
            else:
                self.routing.only(name)
            return function(self.model)

    def _answer_if_all_asked(self) -> None:
        if not self._asked or set(self._asked) != self._seated:
            return
        alike: dict[tuple[Sampling, str], dict[str, Sequence[Conversation]]] = {}
        for name in sorted(self._asked):
            request = self._asked[name]
            alike.setdefault((request.sampling, request.opener), {})[name] = request.conversations
        self._asked.clear()
        for (sampling, opener), of_each in alike.items():
            try:
                self._answers.update(
                    generate_together(self.model, self.tokenizer, of_each, sampling, opener, self.routing)
                )
            except Exception as error:  # whoever asked has to hear of it, not the one that came last
                self._answers.update(dict.fromkeys(of_each, error))
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
        return self.table.ask(self.name, _Request(conversations, sampling, opener))

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Teacher-forced by this adapter alone."""
        tokenizer = self.table.tokenizer
        return self.table.score(
            self.name, lambda model: log_odds(model, tokenizer, conversations, opener, trait, clean)
        )
