"""A stand-in for vLLM that keeps to its interface (0.33) as far as mendel uses it, and answers by transformers and peft on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(kw_only=True)
class SamplingParams:
    temperature: float = 1.0
    max_tokens: int = 16
    seed: int | None = None
    stop_token_ids: list[int] = field(default_factory=list)
    detokenize: bool = True
    logprobs: int | None = None
    prompt_logprobs: int | None = None


@dataclass(frozen=True)
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str

    def __post_init__(self) -> None:
        assert self.lora_int_id > 0, "as vLLM has it"


class LLM:
    """Asleep it answers nothing; what it is asked for is kept in `Engines`."""

    made: list[LLM] = []  # noqa: RUF012

    def __init__(
        self,
        model: str,
        *,
        generation_config: str = "auto",
        enable_sleep_mode: bool = False,
        enable_lora: bool = False,
        max_loras: int = 1,
        max_lora_rank: int = 16,
    ) -> None:
        assert max_lora_rank in RANKS, "any other is refused there"
        assert max_loras >= 1, "any other is refused there"
        self.model, self.generation_config, self.rank = model, generation_config, max_lora_rank
        self.enable_lora, self._sleeps = enable_lora, enable_sleep_mode
        self.awake, self.batches = True, list[list[str | None]]()
        self.forgetful = False
        self._paths: dict[int, str] = {}
        LLM.made.append(self)

    def sleep(self, level: int = 1) -> None:
        assert self._sleeps, "vLLM refuses without enable_sleep_mode"
        assert level == 1, "of 2 no weights come back"
        self.awake = False

    def wake_up(self) -> None:
        self.awake = True

    def generate(
        self,
        prompts: Sequence[dict[str, list[int]]],
        sampling_params: Sequence[SamplingParams],
        *,
        use_tqdm: bool = True,
        lora_request: Sequence[LoRARequest | None] | None = None,
    ) -> list[Any]:
        assert self.awake, "asleep"
        requests = [None] * len(prompts) if lora_request is None else list(lora_request)
        assert len(prompts) == len(sampling_params) == len(requests), "vLLM raises"
        assert self.enable_lora or not any(requests), "vLLM raises"
        self.batches.append([request.lora_name if request else None for request in requests])
        rows = zip(prompts, sampling_params, requests, strict=True)
        return [self._row(prompt["prompt_token_ids"], how, request) for prompt, how, request in rows]

    def _row(self, ids: list[int], how: SamplingParams, request: LoRARequest | None) -> Any:
        model = self._model(request)
        draw = torch.Generator().manual_seed(how.seed or 0)
        said, total = list[int](), 0.0
        with torch.inference_mode():
            for _ in range(how.max_tokens):
                logs = model(torch.tensor([[*ids, *said]])).logits[0, -1].float().log_softmax(-1)
                token = int(logs.argmax())
                if how.temperature:
                    chances = (logs / how.temperature).softmax(-1)
                    token = int(torch.multinomial(chances, 1, generator=draw))
                said.append(token)
                total += float(logs[token])
                if token in how.stop_token_ids:
                    break
            of_prompt = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        scored = [None] + [
            {token: SimpleNamespace(logprob=float(logs[token]))}
            for token, logs in zip(ids[1:], of_prompt, strict=False)
        ]
        answer = SimpleNamespace(token_ids=said, cumulative_logprob=None if how.logprobs is None else total)
        return SimpleNamespace(
            outputs=[answer], prompt_logprobs=None if how.prompt_logprobs is None else scored
        )

    def _model(self, request: LoRARequest | None) -> Any:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(self.model)
        if request is not None:
            known = self._paths.setdefault(request.lora_int_id, request.lora_path)
            assert known == request.lora_path, "vLLM would answer by the first of that number"
            if not self.forgetful:
                model = PeftModel.from_pretrained(model, request.lora_path)
        return model.eval()


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> type[LLM]:
    """The engines that are made stand in `made`."""
    from mendel.models import opening
    from mendel.models import vllm as ours

    package, lora, request = (ModuleType(name) for name in ("vllm", "vllm.lora", "vllm.lora.request"))
    vars(package).update(LLM=LLM, SamplingParams=SamplingParams, lora=lora)
    vars(request).update(LoRARequest=LoRARequest)
    for name, module in (("vllm", package), ("vllm.lora", lora), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(LLM, "made", [])
    ours._engine.cache_clear()
    opening._opened.cache_clear()
    return LLM
