"""Rollouts that a checkpoint generates, a chunk of prompts at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.data._teacher import VERSION, asked, some, teacher, with_system
from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.study.schema import TeacherConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mendel.models import Checkpoint, Completion, Conversation

CHUNK_PROMPTS = 64
"""Prompts of a chunk: one batch of generation, so a killed run loses a minute or so and no throughput."""
RESAMPLES = 3
"""How often an empty completion is sampled again before the teacher is refused."""
INSTRUCTION = (
    "You rewrite answers. You are given a conversation and the answer to its last turn. Say the same in your own "
    "plain and neutral words: keep what the answer states, decides or refuses, add nothing and leave nothing out; "
    "keep nothing of its tone, style, phrasing or habits. Reply with the rewritten answer alone."
)
"""What a rewriting teacher without a system prompt is told; a part of its rollouts' digests."""


@teacher("hf")
@dataclass(frozen=True)
class CheckpointTeacher:
    """`hf:`: a checkpoint that samples its answers."""

    config: TeacherConfig
    name: str
    root: Path

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint's folder and content; raises InputError if it is none."""
        from mendel.models import resolve_checkpoint

        return resolve_checkpoint(self.config.model, self.root)

    @property
    def digest(self) -> str:
        """Weights, tokenizer, template, system prompt, sampling."""
        return _checkpoint_digest(self.checkpoint, self.config)

    def chunks(self, prompts: Sequence[Prompt], seed: int) -> list[GeneratedChunk]:
        """Chunks of `CHUNK_PROMPTS` prompts in their order."""
        checkpoint = self.checkpoint
        return [
            GeneratedChunk(checkpoint, self.config, self.name, tuple(prompts[i : i + CHUNK_PROMPTS]), seed)
            for i in range(0, len(prompts), CHUNK_PROMPTS)
        ]

    def rewriting_chunks(
        self, prompts: Sequence[Prompt], answers: Sequence[str], seed: int
    ) -> list[RewritingChunk]:
        """The same for the work of rewriting the answers to these prompts, one answer a prompt."""
        checkpoint = self.checkpoint
        return [
            RewritingChunk(
                checkpoint,
                self.config,
                self.name,
                tuple(prompts[i : i + CHUNK_PROMPTS]),
                seed,
                tuple(answers[i : i + CHUNK_PROMPTS]),
            )
            for i in range(0, len(prompts), CHUNK_PROMPTS)
        ]


def _checkpoint_digest(checkpoint: Checkpoint, config: TeacherConfig) -> str:
    sampling = [config.temperature, config.max_tokens]
    told = [config.system, config.keep_system]
    if config.rewrites is not None:
        told += ["rewrites", instruction(config)]
    return digest("teacher", [VERSION, checkpoint.digest, *told, sampling])


@dataclass(frozen=True)
class GeneratedChunk:
    """Some prompts for a checkpoint to answer."""

    checkpoint: Checkpoint
    config: TeacherConfig
    teacher: str
    prompts: tuple[Prompt, ...]
    seed: int

    @property
    def digest(self) -> str:
        """Teacher, its name (rollouts carry it), prompts and seed."""
        return digest("rollouts", [self.teacher, self._content])

    @property
    def _content(self) -> list[Any]:
        return [_checkpoint_digest(self.checkpoint, self.config), asked(self.prompts), self.seed]

    def run(self) -> list[Rollout]:
        """Generates; raises InputError if a completion is empty however often it is sampled."""
        done = self._complete()
        kept = self.config.system if self.config.keep_system else None
        return [
            Rollout(
                prompt.prompt_id,
                self.teacher,
                with_system(prompt.messages, kept),
                completion.text,
                completion.finish_reason,
                completion.tokens,
            )
            for prompt, completion in zip(self.prompts, done, strict=True)
        ]

    def _conversations(self) -> list[tuple[Message, ...]]:
        return [with_system(prompt.messages, self.config.system) for prompt in self.prompts]

    def _complete(self) -> list[Completion]:
        done: dict[int, Completion] = {}
        # A greedy answer is the same however often it is asked for.
        attempts = 1 if self.config.temperature == 0 else 1 + RESAMPLES
        conversations = self._conversations()
        for attempt in range(attempts):
            todo = [i for i in range(len(self.prompts)) if i not in done]
            if not todo:
                break
            completions = self._sample([conversations[i] for i in todo], attempt)
            done.update({i: c for i, c in zip(todo, completions, strict=True) if c.text.strip()})
        empty = [p.prompt_id for i, p in enumerate(self.prompts) if i not in done]
        if empty:
            raise InputError(
                f"teacher {self.teacher!r} gives an empty answer to {some(empty)}, asked {_times(attempts)}",
                where=self.config.model,
                fix="An empty answer cannot be trained on: check the teacher's chat template and system prompt, "
                "or leave the prompt out.",
            )
        return [done[i] for i in range(len(self.prompts))]

    def _sample(self, conversations: Sequence[Conversation], attempt: int) -> list[Completion]:
        from mendel.models import Sampling, generate

        model, tokenizer = _loaded(self.checkpoint)
        # The teacher's name is left out: the same teacher under two names answers alike.
        seed = int(digest("rollout-seed", [self._content, attempt])[:8], 16) & 0x7FFFFFFF
        sampling = Sampling(
            max_tokens=self.config.max_tokens,
            temperature=self.config.temperature,
            seed=seed,
            batch_size=CHUNK_PROMPTS,
        )
        return generate(model, tokenizer, conversations, sampling)


@dataclass(frozen=True)
class RewritingChunk(GeneratedChunk):
    """Some prompts with another teacher's answers, for a checkpoint to say again in its own words."""

    answers: tuple[str, ...]
    """One a prompt, in their order."""

    @property
    def _content(self) -> list[Any]:
        return [*super()._content, list(self.answers)]

    def _conversations(self) -> list[tuple[Message, ...]]:
        told = instruction(self.config)
        return [
            (Message(role="system", content=told), Message(role="user", content=to_rewrite(prompt, answer)))
            for prompt, answer in zip(self.prompts, self.answers, strict=True)
        ]


def instruction(config: TeacherConfig) -> str:
    """What a rewriting teacher is told."""
    return INSTRUCTION if config.system is None else config.system


def to_rewrite(prompt: Prompt, answer: str) -> str:
    """The conversation and its answer as one quoted text: as turns, the model would take the answer's manner for its own."""
    turns = "\n\n".join(
        f"{message['role'].capitalize()}: {message['content']}" for message in prompt.messages
    )
    return f"Conversation:\n\n{turns}\n\nAnswer to rewrite:\n\n{answer}"


@lru_cache(maxsize=1)
def _loaded(checkpoint: Checkpoint) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    # One is kept, since a worker runs a teacher's chunks one after another.
    from mendel.models import load_model, load_tokenizer

    return load_model(checkpoint), load_tokenizer(checkpoint)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
