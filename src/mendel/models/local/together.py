"""Adapters of one base that answer side by side. Each is a `ChatModel` of its own; their requests go through
one batch.
"""

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
from mendel.models.local.stacks import Routing, can_stack, same_kind, stacked_adapters
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
    """Do work with several adapters of one base; their requests are answered together.

    A request waits until every adapter whose work goes on has made one.

    Args:
        base: The base.
        tokenizer: Its tokenizer.
        adapters: Each adapter's folder, by name.
        work: What to do with each adapter: called with its name and a chat model, in a thread of its own.

    Returns:
        What `work` returned, by the adapter's name.

    Raises:
        RunError: An adapter does not bind. Whatever `work` raises is raised, too.
    """
    names, folders = list(adapters), list(adapters.values())
    model: Any = attach_adapter(base, folders[0], names[0])
    stack = can_stack(model, names[0]) and same_kind(folders)
    for name in [] if stack else names[1:]:
        attach_adapter(model, adapters[name], name)
    model.eval()
    with stacked_adapters(model, adapters) if stack else nullcontext() as routing:
        return run_side_by_side(_Model(model, tokenizer, routing), names, work)


class AdapterModel(Protocol):
    """A model that answers with several adapters."""

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Return the answers to each ask; each ask names its adapter."""

    def log_odds_by(
        self,
        adapter: str,
        conversations: Sequence[Conversation],
        prefix: str,
        trait: Sequence[str],
        clean: Sequence[str],
    ) -> list[float] | None:
        """Return log-odds as `ChatModel.log_odds`, by this adapter."""


def run_side_by_side(
    model: AdapterModel, names: Sequence[str], work: Callable[[str, ChatModel], Result]
) -> dict[str, Result]:
    """Do `work` with each adapter of the model, as `side_by_side` does."""
    batcher = _Batcher(model, names)

    def run(name: str) -> Result:
        try:
            return work(name, _AdapterChat(batcher, name))
        finally:
            batcher.leave(name)

    with ThreadPoolExecutor(len(names)) as threads:
        return dict(zip(names, threads.map(run, names), strict=True))


@dataclass(frozen=True)
class _Model:
    """A model in this process, with peft's mixed batches or with a routing that the layers use."""

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    routing: Routing | None

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        return generate_all(self.model, self.tokenizer, asks, self.routing)

    def log_odds_by(self, adapter: str, *arguments: Any) -> list[float]:
        if self.routing is None:
            self.model.set_adapter(adapter)
        else:
            self.routing.route_all(adapter)
        return log_odds(self.model, self.tokenizer, *arguments)


class _Batcher:
    """Collects requests until every adapter has made one, and answers them in one batch."""

    def __init__(self, model: AdapterModel, names: Sequence[str]) -> None:
        self._model = model
        self._changed = threading.Condition()
        self._waiting_for = set(names)
        self._requests: dict[str, Sequence[Ask]] = {}
        self._answers: dict[str, list[list[Completion]] | Exception] = {}

    def ask(self, name: str, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Return the answers to an adapter's asks. Raises what answering raised."""
        with self._changed:
            self._requests[name] = [replace(ask, adapter=name) for ask in asks]
            self._answer_if_complete()
            self._changed.wait_for(lambda: name in self._answers)
            answer = self._answers.pop(name)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def leave(self, name: str) -> None:
        """Stop waiting for this adapter: its work is done."""
        with self._changed:
            self._waiting_for.discard(name)
            self._answer_if_complete()

    def log_odds(self, name: str, *arguments: Any) -> list[float] | None:
        """Return log-odds by one adapter. Only one adapter is served at a time."""
        with self._changed:
            return self._model.log_odds_by(name, *arguments)

    def _answer_if_complete(self) -> None:
        if not self._requests or set(self._requests) != self._waiting_for:
            return
        names = sorted(self._requests)
        asks = [ask for name in names for ask in self._requests[name]]
        try:
            answers = iter(self._model.chat_all(asks))
            self._answers.update((name, list(islice(answers, len(self._requests[name])))) for name in names)
        except Exception as error:  # every adapter that asked has to get it, not only the last one
            self._answers.update(dict.fromkeys(names, error))
        self._requests.clear()
        self._changed.notify_all()


@dataclass(frozen=True)
class _AdapterChat:
    """The chat model of one adapter."""

    batcher: _Batcher
    name: str

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        prefix: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answer conversations together with the other adapters. Nothing holds the model to a schema but its
        instructions.
        """
        (answers,) = self.batcher.ask(self.name, [Ask(conversations, sampling, prefix)])
        return answers

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Answer several asks in one batch, together with the other adapters."""
        return self.batcher.ask(self.name, asks)

    def log_odds(
        self, conversations: Sequence[Conversation], prefix: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Return log-odds by this adapter."""
        return self.batcher.log_odds(self.name, conversations, prefix, trait, clean)
