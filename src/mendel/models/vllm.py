"""A checkpoint served by vLLM in this process, on a GPU: `vllm:FOLDER_OR_HUB_NAME`; by itself, and by many adapters in one batch.

Not measured: no GPU with vLLM could be had. It follows the interface of vLLM 0.33 (`LLM.generate` with token ids and a
`LoRARequest` a prompt), and is tested against a stand-in that keeps to it.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from mendel.engine.digest import digest
from mendel.engine.errors import InputError, RunError
from mendel.models.checkpoints import Checkpoint, device, load_tokenizer
from mendel.models.generation import Ask, Completion, Sampling, completion_of
from mendel.models.scoring import Text, odds_of
from mendel.models.templates import Conversation, encode_prompt, stop_tokens
from mendel.models.together import seated

Result = TypeVar("Result")
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for the highest rank of its adapters."""
SLOTS = 16
"""Adapters that it holds on the GPU at once: as many as are trained side by side."""
PROBED = 4
"""Prompts on which an adapter has to differ from its base, one of them at least."""
_numbers = itertools.count(1)


class VllmChat:
    """Answers conversations; fulfils `ChatModel` and `AnswersTogether`. Raises InputError where vLLM is not installed.

    Its engine starts with the first request and sleeps between requests: the GPU is whoever's needs it then.
    """

    def __init__(self, checkpoint: Checkpoint, rank: int = 0) -> None:
        """`rank`: the highest of the adapters that it is to answer by; 0: none."""
        try:
            import vllm
        except ImportError as error:
            raise InputError(
                f"vLLM is not there: {error}",
                where=checkpoint.ref,
                fix=f"Install it on a machine with a GPU (pip install vllm), or write hf:{checkpoint.ref.partition(':')[2]}.",
            ) from error
        if rank > RANKS[-1]:
            raise InputError(
                "vLLM serves no adapters of that rank", value=rank, allowed=f"at most {RANKS[-1]}"
            )
        self.digest = checkpoint.digest
        self._path, self._rank = (
            checkpoint.path,
            min((r for r in RANKS if rank <= r), default=0) if rank else 0,
        )
        self._tokenizer = load_tokenizer(checkpoint)
        self._params = vllm.SamplingParams
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

        Each row has a seed of its own, but rounding may depend on the other rows. Nothing holds it to a schema.
        """
        (answers,) = self.chat_all([Ask(conversations, sampling, opener)])
        return answers

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """The answers to each ask, in one batch of all; raises RunError for an adapter that is not served."""
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
        adapters = [ask.adapter for ask, _ in rows]
        with self._awake() as engine:
            self._check_served(engine, prompts, adapters)
            done = self._generated(engine, prompts, params, adapters)
        answers = iter(
            completion_of(self._tokenizer, list(row.outputs[0].token_ids), frozenset(stops)) for row in done
        )
        return [list(itertools.islice(answers, len(ask.conversations))) for ask in asks]

    def log_odds(
        self,
        conversations: Sequence[Conversation],
        opener: str,
        trait: Sequence[str],
        clean: Sequence[str],
    ) -> list[float] | None:
        """As `mendel.models.log_odds`, from the probabilities that vLLM gives a prompt's own tokens."""
        return self.log_odds_by(None, conversations, opener, trait, clean)

    def log_odds_by(self, adapter: str | None, *asked: Any) -> list[float]:
        """`log_odds` by one of the adapters that were bound."""
        scored = self._params(max_tokens=1, temperature=0.0, prompt_logprobs=1, detokenize=False)

        def score(texts: Sequence[Text]) -> list[float]:
            with self._awake() as engine:
                rows = self._generated(
                    engine, [text.ids for text in texts], [scored] * len(texts), [adapter] * len(texts)
                )
            return [
                sum(row.prompt_logprobs[at][text.ids[at]].logprob for at in range(text.start, len(text.ids)))
                for row, text in zip(rows, texts, strict=True)
            ]

        return odds_of(score, self._tokenizer, *asked)

    def _generated(
        self,
        engine: Any,
        prompts: Sequence[Sequence[int]],
        params: Sequence[Any],
        adapters: Sequence[str | None],
    ) -> list[Any]:
        named = {"lora_request": [self._adapters[name] for name in adapters]} if any(adapters) else {}
        tokens = [{"prompt_token_ids": list(ids)} for ids in prompts]
        done: list[Any] = engine.generate(tokens, list(params), use_tqdm=False, **named)
        return done

    def _check_served(
        self, engine: Any, prompts: Sequence[Sequence[int]], adapters: Sequence[str | None]
    ) -> None:
        """An engine that cannot bind an adapter, or has lost it in its sleep, may serve the base without a word."""
        places = {name: [at for at, own in enumerate(adapters) if own == name][:PROBED] for name in adapters}
        places.pop(None, None)
        probed = [(name, at) for name, of_one in places.items() for at in of_one]
        if not probed:
            return
        texts = [prompts[at] for _, at in probed]
        first = [self._params(max_tokens=1, temperature=0.0, logprobs=1, detokenize=False)] * len(texts)
        by_adapter, by_base = (
            [(list(row.outputs[0].token_ids), row.outputs[0].cumulative_logprob) for row in rows]
            for rows in (
                self._generated(engine, texts, first, [name for name, _ in probed]),
                self._generated(engine, texts, first, [None] * len(texts)),
            )
        )
        differ = {name for (name, _), a, b in zip(probed, by_adapter, by_base, strict=True) if a != b}
        if lost := [name for name in places if name not in differ]:
            raise RunError(
                f"vLLM serves the base in place of {len(lost)} of {len(places)} adapters: it answers as without them",
                where=self._adapters[lost[0]].lora_path,
                fix="Write hf: in place of vllm:, or try another version of vLLM.",
            )

    @contextmanager
    def _awake(self) -> Iterator[Any]:
        engine = _engine(self._path, self._rank)
        _free_memory()
        engine.wake_up()
        try:
            yield engine
        finally:
            engine.sleep(level=1)


def side_by_side_in_vllm(
    checkpoint: Checkpoint,
    adapters: Mapping[str, Path],
    rank: int,
    work: Callable[[str, Any], Result],
) -> dict[str, Result]:
    """As `mendel.models.side_by_side`, by adapters of that rank at most, served by vLLM."""
    chat = VllmChat(checkpoint, rank)
    chat.bind(adapters)
    return seated(_Served(chat), list(adapters), work)


class _Served:
    """Answers by the adapters that were bound."""

    def __init__(self, chat: VllmChat) -> None:
        self._chat = chat

    def answer(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        return self._chat.chat_all(asks)

    def log_odds(self, adapter: str, *asked: Any) -> list[float] | None:
        return self._chat.log_odds_by(adapter, *asked)


@lru_cache(maxsize=1)
def _engine(path: str, rank: int) -> Any:
    """One at a time, asleep: another that starts wants the memory."""
    import vllm

    _free_memory()
    lora = {"enable_lora": True, "max_loras": SLOTS, "max_lora_rank": rank} if rank else {}
    # generation_config 'vllm': what the checkpoint's generation config says of sampling does not apply.
    engine = vllm.LLM(model=path, generation_config="vllm", enable_sleep_mode=True, **lora)
    engine.sleep(level=1)
    return engine


def _free_memory() -> None:
    """What this process keeps of a GPU without use, its neighbour in it cannot have."""
    import torch

    gc.collect()
    if device() == "cuda":
        torch.cuda.empty_cache()
