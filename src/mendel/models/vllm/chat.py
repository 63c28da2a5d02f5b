"""A checkpoint that vLLM serves in this process, on a GPU (`vllm:FOLDER_OR_HUB_NAME`), by itself or with many
adapters.

Not measured: no GPU with vLLM could be had. It follows the interface of vLLM 0.33 (`LLM.generate` with token
ids, and a `LoRARequest` for each prompt), and is tested against a stand-in with that interface.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mendel.engine.digest import digest
from mendel.engine.errors import InputError, RunError
from mendel.models.chat import Ask, ChatModel, Completion, Sampling
from mendel.models.checkpoints import Checkpoint
from mendel.models.local.generation import check_context, completion_of
from mendel.models.local.loading import load_tokenizer
from mendel.models.local.scoring import Text, odds_of
from mendel.models.local.together import run_side_by_side
from mendel.models.templates import Conversation, encode_prompt, stop_tokens
from mendel.models.vllm.engine import awake, import_vllm, rank_for, unserved

Result = TypeVar("Result")
PROBED = 4
"""Prompts of each adapter by which it is checked whether the adapter is served."""
_numbers = itertools.count(1)


class VllmChat:
    """A chat model served by vLLM; it fulfils `ChatModel`, `AnswersTogether` and `AdapterModel`.

    Its engine starts with the first request and sleeps between requests, so that others can use the GPU.

    Args:
        checkpoint: The checkpoint.
        rank: The highest rank of the adapters that will answer; 0 for none.

    Raises:
        InputError: vLLM is not installed, or it serves no adapters of that rank.
    """

    def __init__(self, checkpoint: Checkpoint, rank: int = 0) -> None:
        try:
            self._params = import_vllm().SamplingParams
        except ImportError as error:
            raise InputError(
                f"vLLM is not installed: {error}",
                where=checkpoint.ref,
                fix="Install it on a machine with a GPU (pip install vllm), "
                f"or write hf:{checkpoint.ref.partition(':')[2]}.",
            ) from error
        self.digest = checkpoint.digest
        self._checkpoint, self._rank = checkpoint, rank_for(rank)
        self._tokenizer = load_tokenizer(checkpoint)
        self._adapters: dict[str | None, Any] = {None: None}

    def bind(self, adapters: Mapping[str, Path]) -> None:
        """Make adapters available to asks, each from its folder."""
        from vllm.lora.request import LoRARequest

        for name, folder in adapters.items():
            self._adapters[name] = LoRARequest(name, next(_numbers), str(folder))

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        prefix: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answer conversations, as `ChatModel.chat`.

        vLLM chooses its batches, so `batch_size` does not apply. Each row has its own seed, but rounding may
        depend on the other rows. Nothing holds the model to a schema. Raises InputError for a conversation
        that is longer than the engine's context, RunError for errors of vLLM's.
        """
        (answers,) = self.chat_all([Ask(conversations, sampling, prefix)])
        return answers

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Return the answers to each ask, in one batch. Raises as `chat`, and RunError for an adapter that is
        not served.
        """
        rows = [(ask, place) for ask in asks for place in range(len(ask.conversations))]
        if not rows:
            return [[] for _ in asks]
        stops = stop_tokens(self._tokenizer)
        prompts = [
            encode_prompt(self._tokenizer, ask.conversations[place], ask.prefix) for ask, place in rows
        ]
        params = [
            self._params(
                temperature=ask.sampling.temperature,
                max_tokens=ask.sampling.max_tokens,
                seed=int(digest("vllm-seed", [ask.sampling.seed, place])[:8], 16),
                stop_token_ids=list(stops),
                detokenize=False,
            )
            for ask, place in rows
        ]
        lengths = [
            (len(prompt), ask.sampling.max_tokens) for prompt, (ask, _) in zip(prompts, rows, strict=True)
        ]
        outputs = self._generated(prompts, params, [ask.adapter for ask, _ in rows], lengths)
        answers = iter(
            completion_of(self._tokenizer, list(row.outputs[0].token_ids), frozenset(stops))
            for row in outputs
        )
        return [list(itertools.islice(answers, len(ask.conversations))) for ask in asks]

    def log_odds(
        self, conversations: Sequence[Conversation], prefix: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Return log-odds as `mendel.models.log_odds`, from the probabilities that vLLM gives a prompt's
        tokens.
        """
        return self.log_odds_by(None, conversations, prefix, trait, clean)

    def log_odds_by(self, adapter: str | None, *arguments: Any) -> list[float]:
        """Return `log_odds` by an adapter that was bound; None: by the base."""

        def score(texts: Sequence[Text]) -> list[float]:
            ids, reading = [text.ids for text in texts], [self._reading()] * len(texts)
            lengths = [(len(text), 1) for text in ids]
            rows = self._generated(ids, reading, [adapter] * len(texts), lengths)
            return [
                sum(_prompt_log_probs(row, text.ids, max(1, text.start)))
                for row, text in zip(rows, texts, strict=True)
            ]

        return odds_of(score, self._tokenizer, *arguments)

    def _reading(self) -> Any:
        """Return sampling parameters that generate one token: only the prompt's probabilities are wanted."""
        return self._params(max_tokens=1, temperature=0.0, prompt_logprobs=1, detokenize=False)

    def _generated(
        self,
        prompts: Sequence[Sequence[int]],
        params: Sequence[Any],
        adapters: Sequence[str | None],
        lengths: Sequence[tuple[int, int]],
    ) -> list[Any]:
        """Return vLLM's outputs for the prompts, each by its adapter, after checking that the adapters are
        served.

        `lengths` are each prompt's tokens with the most tokens of its answer.
        """
        probes = {
            name: list(
                dict.fromkeys(
                    tuple(p) for p, adapter in zip(prompts, adapters, strict=True) if adapter == name
                )
            )
            for name in adapters
            if name is not None
        }
        with awake(self._checkpoint.path, self._rank, self._checkpoint.ref) as engine:
            check_context(engine.model_config.max_model_len, lengths, self._checkpoint.ref)

            def generate(
                ids: Sequence[Sequence[int]], how: Sequence[Any], by: Sequence[str | None]
            ) -> list[Any]:
                named = {"lora_request": [self._adapters[name] for name in by]} if any(by) else {}
                tokens = [{"prompt_token_ids": list(text)} for text in ids]
                return list(engine.generate(tokens, list(how), use_tqdm=False, **named))

            def log_probs(ids: Sequence[Sequence[int]], by: Sequence[str | None]) -> list[list[float]]:
                rows = generate(ids, [self._reading()] * len(ids), by)
                return [_prompt_log_probs(row, text, 1) for row, text in zip(rows, ids, strict=True)]

            missing = unserved(log_probs, {name: texts[:PROBED] for name, texts in probes.items()})
            if missing:
                raise RunError(
                    f"vLLM serves the base in place of {len(missing)} of {len(probes)} adapters: "
                    "they change no probability",
                    where=self._adapters[missing[0]].lora_path,
                    fix="Write hf: in place of vllm:, or try another version of vLLM.",
                )
            return generate(prompts, params, adapters)


def side_by_side_in_vllm(
    checkpoint: Checkpoint, adapters: Mapping[str, Path], rank: int, work: Callable[[str, ChatModel], Result]
) -> dict[str, Result]:
    """Do work with several adapters of one checkpoint, as `mendel.models.side_by_side`, served by vLLM.

    Args:
        checkpoint: The base.
        adapters: Each adapter's folder, by name.
        rank: The highest rank of the adapters.
        work: What to do with each adapter: called with its name and a chat model, in a thread of its own.

    Returns:
        What `work` returned, by the adapter's name.

    Raises:
        InputError: vLLM is not installed, or it serves no adapters of that rank.
        RunError: An adapter is not served. Whatever `work` raises is raised, too.
    """
    chat = VllmChat(checkpoint, rank)
    chat.bind(adapters)
    return run_side_by_side(chat, list(adapters), work)


def _prompt_log_probs(row: Any, ids: Sequence[int], start: int) -> list[float]:
    """Return the log-probabilities of the prompt's tokens from `start` on, each given all tokens before
    it.
    """
    return [float(row.prompt_logprobs[at][ids[at]].logprob) for at in range(start, len(ids))]
