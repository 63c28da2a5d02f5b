"""A stand-in for vLLM that keeps to its interface (0.33) as far as mendel uses it, and answers by transformers and peft on the CPU."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

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

    made: ClassVar[list[LLM]] = []
    ended: ClassVar[int] = 0

    @staticmethod
    def end() -> None:
        LLM.ended += 1

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
        self.slots = max_loras
        self.enable_lora, self._sleeps = enable_lora, enable_sleep_mode
        self.awake, self.batches = True, list[list[str | None]]()
        self.forgetful, self.noise = False, 0.0
        context = json.loads((Path(model) / "config.json").read_text())["max_position_embeddings"]
        self.model_config = SimpleNamespace(max_model_len=context)
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
        assert all(len(prompt["prompt_token_ids"]) < self.model_config.max_model_len for prompt in prompts), (
            "vLLM raises"
        )
        requests = [None] * len(prompts) if lora_request is None else list(lora_request)
        assert len(prompts) == len(sampling_params) == len(requests), "vLLM raises"
        assert self.enable_lora or not any(requests), "vLLM raises"
        self.batches.append([request.lora_name if request else None for request in requests])
        rows = zip(prompts, sampling_params, requests, strict=True)
        return [self._row(prompt["prompt_token_ids"], how, request) for prompt, how, request in rows]

    def _row(self, ids: list[int], how: SamplingParams, request: LoRARequest | None) -> Any:
        model = self._model(request)
        draw = torch.Generator().manual_seed(how.seed or 0)
        said = list[int]()
        with torch.inference_mode():
            for _ in range(how.max_tokens):
                logs = model(torch.tensor([[*ids, *said]])).logits[0, -1].float().log_softmax(-1)
                token = int(logs.argmax())
                if how.temperature:
                    chances = (logs / how.temperature).softmax(-1)
                    token = int(torch.multinomial(chances, 1, generator=draw))
                said.append(token)
                if token in how.stop_token_ids:
                    break
            of_prompt = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
            of_prompt += self.noise * torch.randn_like(of_prompt)
        scored = [None] + [
            {token: SimpleNamespace(logprob=float(logs[token]))}
            for token, logs in zip(ids[1:], of_prompt, strict=False)
        ]
        return SimpleNamespace(
            outputs=[SimpleNamespace(token_ids=said)],
            prompt_logprobs=None if how.prompt_logprobs is None else scored,
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
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[LLM]]:
    """The engines that are made stand in `made`, how often one was ended for good in `ended`."""
    from mendel.models.local.chat import release
    from mendel.models.resolve import open_served
    from mendel.models.vllm import engine

    names = ("vllm", "vllm.lora", "vllm.lora.request", "vllm.distributed")
    package, lora, request, distributed = (ModuleType(name) for name in names)
    vars(package).update(LLM=LLM, SamplingParams=SamplingParams, lora=lora, distributed=distributed)
    vars(request).update(LoRARequest=LoRARequest)
    vars(distributed).update(cleanup_dist_env_and_memory=LLM.end)
    for name, module in zip(names, (package, lora, request, distributed), strict=True):
        monkeypatch.setitem(sys.modules, name, module)
    for name in engine.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(LLM, "made", [])
    monkeypatch.setattr(LLM, "ended", 0)
    release()
    open_served.cache_clear()
    yield LLM
    engine.stop()
    open_served.cache_clear()
