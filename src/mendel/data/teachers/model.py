"""The `hf:`, `vllm:` and `openai:` teachers: a model samples the rollouts, one chunk of prompts at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.data.teachers.registry import VERSION, asked, some, teacher, with_system
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.study.references import MODELS
from mendel.study.schema import TeacherConfig

if TYPE_CHECKING:
    from mendel.models import ChatModel, Completion, Conversation, ModelSource

CHUNK_PROMPTS = 64
"""Prompts of a chunk, which is one batch of generation: an interrupted run loses about a minute of work."""
CHUNK_REQUESTS = 1024
"""Prompts of an endpoint's chunk. Its answers are stored one by one, so that chunks can be large."""
RESAMPLES = 3
"""How often an empty completion is sampled again before the teacher is refused."""
INSTRUCTION = (
    "You rewrite answers. You are given a conversation and the answer to its last turn. "
    "Say the same in your own plain and neutral words: keep what the answer states, decides or refuses, "
    "add nothing and leave nothing out; keep nothing of its tone, style, phrasing or habits. "
    "Reply with the rewritten answer alone."
)
"""System prompt of a rewriting teacher without its own; part of its rollouts' digests."""


@dataclass(frozen=True)
class ModelTeacher:
    """A teacher whose model samples the answers; a local checkpoint or an endpoint."""

    config: TeacherConfig
    name: str
    root: Path

    @property
    def source(self) -> ModelSource:
        """The model. Raises InputError if there is none."""
        from mendel.models import resolve_model

        return resolve_model(self.config.model, self.root, self.config.endpoint)

    @property
    def digest(self) -> str:
        """Content address of model, template, system prompt and sampling."""
        return _digest(self.source, self.config)

    def chunks(self, prompts: Sequence[Prompt], seed: int) -> list[GeneratedChunk]:
        """Return the work of answering the prompts.

        Args:
            prompts: The prompts, whose order is kept.
            seed: The study's seed.

        Returns:
            Chunks of `CHUNK_PROMPTS` prompts; for an endpoint, of `CHUNK_REQUESTS`.

        Raises:
            InputError: There is no such model.
        """
        source = self.source
        return [
            GeneratedChunk(source, self.config, self.name, tuple(prompts[part]), seed)
            for part in _parts(source, len(prompts))
        ]

    def rewriting_chunks(
        self, prompts: Sequence[Prompt], answers: Sequence[str], seed: int
    ) -> list[RewritingChunk]:
        """Return the work of rewriting another teacher's answers, in chunks as for `chunks`.

        Args:
            prompts: The prompts, whose order is kept.
            answers: The other teacher's answers, one a prompt.
            seed: The study's seed.

        Raises:
            InputError: There is no such model.
        """
        source = self.source
        return [
            RewritingChunk(source, self.config, self.name, tuple(prompts[part]), seed, tuple(answers[part]))
            for part in _parts(source, len(prompts))
        ]


for _scheme in MODELS:
    teacher(_scheme)(ModelTeacher)


def _parts(source: ModelSource, count: int) -> list[slice]:
    size = CHUNK_REQUESTS if source.remote else CHUNK_PROMPTS
    return [slice(start, start + size) for start in range(0, count, size)]


def _digest(source: ModelSource, config: TeacherConfig) -> str:
    sampling = [config.temperature, config.max_tokens]
    system = [config.system, config.keep_system]
    if config.rewrites is not None:
        system += ["rewrites", instruction(config)]
    return digest("teacher", [VERSION, source.digest, *system, sampling])


@dataclass(frozen=True)
class GeneratedChunk:
    """Some prompts that a model answers."""

    source: ModelSource
    config: TeacherConfig
    teacher: str
    prompts: tuple[Prompt, ...]
    seed: int

    @property
    def digest(self) -> str:
        """Content address of the teacher, its name (rollouts carry it), the prompts and the seed."""
        return digest("rollouts", [self.teacher, self._content])

    @property
    def _content(self) -> list[Any]:
        return [_digest(self.source, self.config), asked(self.prompts), self.seed]

    @property
    def remote(self) -> bool:
        """Whether an endpoint is asked, which only the main process does."""
        return self.source.remote

    def run(self, chat: ChatModel | None = None) -> list[Rollout]:
        """Return the rollouts in the prompts' order.

        Args:
            chat: The model; None: the checkpoint is loaded here.

        Raises:
            InputError: A completion stays empty however often it is sampled.
        """
        from mendel.models import open_chat

        completions = self._complete(chat or open_chat(self.source))
        kept = self.config.system if self.config.keep_system else None
        return [
            Rollout(
                prompt.prompt_id,
                self.teacher,
                with_system(prompt.messages, kept),
                completion.text,
                completion.finish_reason,
                completion.tokens,
                getattr(completion, "prompt_tokens", None),
                getattr(completion, "dollars", None),
            )
            for prompt, completion in zip(self.prompts, completions, strict=True)
        ]

    def _conversations(self) -> list[tuple[Message, ...]]:
        return [with_system(prompt.messages, self.config.system) for prompt in self.prompts]

    def _complete(self, chat: ChatModel) -> list[Completion]:
        answers: dict[int, Completion] = {}
        # A greedy answer is the same every time.
        attempts = 1 if self.config.temperature == 0 else 1 + RESAMPLES
        conversations = self._conversations()
        for attempt in range(attempts):
            missing = [i for i in range(len(self.prompts)) if i not in answers]
            if not missing:
                break
            completions = self._sample(chat, [conversations[i] for i in missing], attempt)
            answers |= {i: c for i, c in zip(missing, completions, strict=True) if c.text.strip()}
        empty = [p.prompt_id for i, p in enumerate(self.prompts) if i not in answers]
        if empty:
            raise InputError(
                f"teacher {self.teacher!r} gives an empty answer to {some(empty)}, asked {_times(attempts)}",
                where=self.config.model,
                fix="An empty answer cannot be trained on: check the teacher's chat template and system "
                "prompt, or leave the prompt out.",
            )
        return [answers[i] for i in range(len(self.prompts))]

    def _sample(
        self, chat: ChatModel, conversations: Sequence[Conversation], attempt: int
    ) -> list[Completion]:
        from mendel.models import Sampling

        # Without the teacher's name: the same teacher under two names gives the same answers.
        seed = int(digest("rollout-seed", [self._content, attempt])[:8], 16) & 0x7FFFFFFF
        sampling = Sampling(
            max_tokens=self.config.max_tokens,
            temperature=self.config.temperature,
            seed=seed,
            batch_size=CHUNK_PROMPTS,
        )
        return chat.chat(conversations, sampling)


@dataclass(frozen=True)
class RewritingChunk(GeneratedChunk):
    """Some prompts and another teacher's answers, which a model rewrites in its own words."""

    answers: tuple[str, ...]
    """One a prompt, in their order."""

    @property
    def _content(self) -> list[Any]:
        return [*super()._content, list(self.answers)]

    def _conversations(self) -> list[tuple[Message, ...]]:
        system = instruction(self.config)
        return [
            (Message(role="system", content=system), Message(role="user", content=to_rewrite(prompt, answer)))
            for prompt, answer in zip(self.prompts, self.answers, strict=True)
        ]


def instruction(config: TeacherConfig) -> str:
    """Return the system prompt of a rewriting teacher."""
    return INSTRUCTION if config.system is None else config.system


def to_rewrite(prompt: Prompt, answer: str) -> str:
    """Return the conversation and its answer as one quoted text.

    If they were turns, the model would take on the style of the answer.
    """
    turns = "\n\n".join(
        f"{message['role'].capitalize()}: {message['content']}" for message in prompt.messages
    )
    return f"Conversation:\n\n{turns}\n\nAnswer to rewrite:\n\n{answer}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
