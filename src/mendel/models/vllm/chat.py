"""A checkpoint served by vLLM in this process, on a GPU: `vllm:FOLDER_OR_HUB_NAME`; by itself, and by many adapters in one batch.

Not measured: no GPU with vLLM could be had. It follows the interface of vLLM 0.33 (`LLM.generate` with token ids and a
`LoRARequest` a prompt), and is tested against a stand-in that keeps to it.
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
from mendel.models.local.together import seated
from mendel.models.templates import Conversation, encode_prompt, stop_tokens
from mendel.models.vllm.engine import awake, import_vllm, rank_for, unserved

Result = TypeVar("Result")
PROBED = 4
"""Prompts by which it is seen whether an adapter is served."""
_numbers = itertools.count(1)


class VllmChat:
    """Answers conversations; fulfils `ChatModel`, `AnswersTogether` and `Answering`. Raises InputError where vLLM is not installed.

    Its engine starts with the first request and sleeps between requests: the GPU is whoever's needs it then.
    """

    def __init__(self, checkpoint: Checkpoint, rank: int = 0) -> None:
        """`rank`: the highest of the adapters that it is to answer by; 0: none."""
        try:
            self._params = import_vllm().SamplingParams
        except ImportError as error:
            raise InputError(
                f"vLLM is not there: {error}",
                where=checkpoint.ref,
                fix=f"Install it on a machine with a GPU (pip install vllm), or write hf:{checkpoint.ref.partition(':')[2]}.",
            ) from error
        self.digest = checkpoint.digest
        self._checkpoint, self._rank = checkpoint, rank_for(rank)
        self._tokenizer = load_tokenizer(checkpoint)
        self._adapters: dict[str | None, Any] = {None: None}

    def bind(self, adapters: Mapping[str, Path]) -> None:
        """From now on asks may name these (each from its folder)."""
        from vllm.lora.request import LoRARequest

        for name, folder in adapters.items():
            self._adapters[name] = LoRARequest(name, next(_numbers), str(folder))

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """One answer to each conversation, in order; vLLM batches as it likes, so `batch_size` does not apply.

        Each row has a seed of its own, but rounding may depend on the other rows. Nothing holds it to a schema. Raises
        InputError for a conversation that the engine's context does not hold, RunError for what vLLM raises.
        """
        (answers,) = self.chat_all([Ask(conversations, sampling, opener)])
        return answers

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """The answers to each ask, in one batch of all; raises as `chat`, and RunError for an adapter that is not served."""
        rows = [(ask, place) for ask in asks for place in range(len(ask.conversations))]
        if not rows:
            return [[] for _ in asks]
        stops = stop_tokens(self._tokenizer)
        prompts = [
            encode_prompt(self._tokenizer, ask.conversations[place], ask.opener) for ask, place in rows
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
        done = self._generated(prompts, params, [ask.adapter for ask, _ in rows], lengths)
        answers = iter(
            completion_of(self._tokenizer, list(row.outputs[0].token_ids), frozenset(stops)) for row in done
        )
        return [list(itertools.islice(answers, len(ask.conversations))) for ask in asks]

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """As `mendel.models.log_odds`, from the probabilities that vLLM gives a prompt's own tokens."""
        return self.log_odds_by(None, conversations, opener, trait, clean)

    def log_odds_by(self, adapter: str | None, *asked: Any) -> list[float]:
        """`log_odds` by one of the adapters that were bound."""

        def score(texts: Sequence[Text]) -> list[float]:
            ids, reading = [text.ids for text in texts], [self._reading()] * len(texts)
            lengths = [(len(one), 1) for one in ids]
            rows = self._generated(ids, reading, [adapter] * len(texts), lengths)
            return [
                sum(_own_log_probs(row, text.ids, max(1, text.start)))
                for row, text in zip(rows, texts, strict=True)
            ]

        return odds_of(score, self._tokenizer, *asked)

    def _reading(self) -> Any:
        """Sampling that generates next to nothing: it is the prompt's own tokens that are looked at."""
        return self._params(max_tokens=1, temperature=0.0, prompt_logprobs=1, detokenize=False)

    def _generated(
        self,
        prompts: Sequence[Sequence[int]],
        params: Sequence[Any],
        adapters: Sequence[str | None],
        lengths: Sequence[tuple[int, int]],
    ) -> list[Any]:
        """What vLLM makes of prompts, each by its adapter, once it was seen that these are served."""
        probes = {
            name: list(
                dict.fromkeys(tuple(p) for p, own in zip(prompts, adapters, strict=True) if own == name)
            )
            for name in adapters
            if name is not None
        }
        with awake(self._checkpoint.path, self._rank, self._checkpoint.ref) as engine:
            check_context(engine.model_config.max_model_len, lengths, self._checkpoint.ref)

            def asked(
                ids: Sequence[Sequence[int]], how: Sequence[Any], by: Sequence[str | None]
            ) -> list[Any]:
                named = {"lora_request": [self._adapters[name] for name in by]} if any(by) else {}
                tokens = [{"prompt_token_ids": list(one)} for one in ids]
                return list(engine.generate(tokens, list(how), use_tqdm=False, **named))

            def log_probs(ids: Sequence[Sequence[int]], by: Sequence[str | None]) -> list[list[float]]:
                rows = asked(ids, [self._reading()] * len(ids), by)
                return [_own_log_probs(row, one, 1) for row, one in zip(rows, ids, strict=True)]

            lost = unserved(log_probs, {name: of_one[:PROBED] for name, of_one in probes.items()})
            if lost:
                raise RunError(
                    f"vLLM serves the base in place of {len(lost)} of {len(probes)} adapters: it reads as without them",
                    where=self._adapters[lost[0]].lora_path,
                    fix="Write hf: in place of vllm:, or try another version of vLLM.",
                )
            return asked(prompts, params, adapters)


def side_by_side_in_vllm(
    checkpoint: Checkpoint, adapters: Mapping[str, Path], rank: int, work: Callable[[str, ChatModel], Result]
) -> dict[str, Result]:
    """As `mendel.models.side_by_side`, by adapters of that rank at most, served by vLLM."""
    chat = VllmChat(checkpoint, rank)
    chat.bind(adapters)
    return seated(chat, list(adapters), work)


def _own_log_probs(row: Any, ids: Sequence[int], start: int) -> list[float]:
    """Of the prompt's tokens from `start` on, each given all before it."""
    return [float(row.prompt_logprobs[at][ids[at]].logprob) for at in range(start, len(ids))]
