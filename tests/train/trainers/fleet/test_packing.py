"""Packed passes give every row what it gets alone."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.models import Example, load_model
from mendel.train.trainers.fleet import attention
from mendel.train.trainers.fleet.attention import PackedAttention, needs_frames
from mendel.train.trainers.fleet.last_block import trimmed_last_mlp
from mendel.train.trainers.fleet.packing import can_pack, pack, packed_logits, split_passes
from mendel.train.trainers.fleet.passes import Rows

TINY = {
    "vocab_size": 40,
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
WINDOWED = {"sliding_window": 4, "head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]}


def made(model_type: str, **more: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **{**TINY, **more})
    return AutoModelForCausalLM.from_config(config).eval()


def example(ids: list[int], prompt: int) -> Example:
    return Example(tuple(ids), tuple(int(place >= prompt) for place in range(len(ids))), cut=False)


rows = st.lists(
    st.tuples(st.lists(st.integers(0, 39), min_size=2, max_size=20), st.integers(0, 20)),
    min_size=1,
    max_size=9,
)


@given(rows)
@settings(max_examples=15)
def test_each_row_gets_the_logits_that_it_gets_alone(texts: list[tuple[list[int], int]]) -> None:
    model = made("llama")
    examples = [example(ids, min(prompt, len(ids) - 1)) for ids, prompt in texts]
    data = Rows(examples)
    (shares,) = split_passes([(0, data, range(len(examples)))], 10_000, 10_000)
    packed = pack(shares, [data], model.device)
    with torch.inference_mode():
        with PackedAttention(model):
            got = packed_logits(model, packed)
        alone = [
            model(input_ids=torch.tensor([one.input_ids])).logits[0, place - 1]
            for one in examples
            for place in range(1, len(one.input_ids))
            if one.loss_mask[place]
        ]
    targets = [one.input_ids[p] for one in examples for p in range(1, len(one.input_ids)) if one.loss_mask[p]]
    torch.testing.assert_close(got, torch.stack(alone), atol=1e-4, rtol=1e-4)
    assert packed.targets.tolist() == targets


@given(
    st.lists(st.lists(st.integers(2, 30), min_size=1, max_size=12), min_size=1, max_size=4),
    st.integers(1, 100),
    st.integers(1, 60),
)
def test_passes_hold_every_row_once_in_order_and_no_more_than_they_may(
    lengths: list[list[int]], tokens: int, logits: int
) -> None:
    data = [Rows([example([1] * n, n // 2) for n in of_one]) for of_one in lengths]
    passes = split_passes([(i, one, range(len(one.lengths))) for i, one in enumerate(data)], tokens, logits)
    for student, one in enumerate(data):
        order = [row for shares in passes for s in shares if s.student == student for row in s.rows]
        assert order == list(range(len(one.lengths)))
    for shares in passes:
        assert len({s.student for s in shares}) == len(shares)
        for s in shares:
            assert s.tokens == data[s.student].lengths[list(s.rows)].sum()
            assert s.trained == data[s.student].trained[list(s.rows)].sum()
        several = sum(len(s.rows) for s in shares) > 1
        assert not several or sum(s.tokens for s in shares) <= tokens
        assert not several or sum(s.trained for s in shares) <= logits


def test_what_one_row_holds_reaches_no_other_one() -> None:
    """NaN spreads as nothing else does: also through what a mask gives no weight."""
    model = made("llama")
    with torch.no_grad():
        model.get_input_embeddings().weight[7] = torch.nan
    data = Rows([example([7, 7], 1), example([1, 2, 3, 4], 1), example([3, 7, 2], 1)])
    (shares,) = split_passes([(0, data, (1, 2, 0))], 100, 100)
    with torch.inference_mode(), PackedAttention(model):
        logits = packed_logits(model, pack(shares, [data], model.device))
    assert logits.isfinite().all(dim=-1).tolist() == [True] * 3 + [False] * 3
    assert model.config._attn_implementation != "mendel_packed"


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        ("llama", {}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 8}),
        ("mistral", {"sliding_window": 4, "head_dim": 8}),
        ("gemma3_text", WINDOWED),
        ("gpt_neox", {}),
        ("olmo2", {}),
    ],
)
def test_models_of_many_kinds_can_be_packed(model_type: str, more: dict[str, Any]) -> None:
    assert can_pack(made(model_type, **more))


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        ("llama", {"head_dim": 8}),
        ("qwen3", {"head_dim": 8}),
        ("mistral", {"sliding_window": 4, "head_dim": 8}),
        ("gemma3_text", WINDOWED),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["torch 2.11", "later torch"])
def test_a_kernel_that_takes_rows_as_they_are_needs_no_frames(
    monkeypatch: pytest.MonkeyPatch, model_type: str, more: dict[str, Any], later: bool
) -> None:
    """A stand-in for a GPU's: with torch's own signature, which changed, and in float32."""
    seen: list[int] = []

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        cu_seq_q: torch.Tensor,
        cu_seq_k: torch.Tensor,
        max_q: int,
        max_k: int,
        scale: float | None,
        window_size: tuple[int, int],
    ) -> torch.Tensor:
        lengths = cu_seq_q.diff().tolist()
        assert (cu_seq_q.dtype, max(lengths), max_q) == (torch.int32, max_k, max_k)
        seen.append(len(lengths))
        out = []
        for q, k, v in zip(*(states.split(lengths) for states in (query, key, value)), strict=True):
            behind = torch.arange(len(q))[:, None] - torch.arange(len(q))[None]
            mask = (behind >= 0) & ((behind <= window_size[0]) if window_size[0] >= 0 else True)
            assert window_size[1] == 0
            heads = [states.transpose(0, 1) for states in (q, k, v)]
            attended = torch.nn.functional.scaled_dot_product_attention(
                *heads, attn_mask=mask, scale=scale, enable_gqa=True
            )
            out.append(attended.transpose(0, 1))
        return torch.cat(out)

    def attend_later(
        *states: Any, enable_gqa: bool, window_size: tuple[int, int], **more: Any
    ) -> torch.Tensor:
        assert enable_gqa
        return attend(*states, window_size=window_size, **more)

    monkeypatch.setattr(attention, "row_kernel", lambda: attend_later if later else attend)
    monkeypatch.setattr(attention, "HALF", ("float32",))
    model = made(model_type, **more)
    assert not needs_frames(model, torch.float32)
    assert can_pack(model)
    assert seen == [3, 3]


def test_frames_are_needed_where_no_kernel_computes_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "row_kernel", lambda: print)
    assert not needs_frames(made("llama", head_dim=8), torch.bfloat16)
    assert needs_frames(made("llama", head_dim=8), torch.float32)
    assert needs_frames(made("llama", head_dim=6), torch.bfloat16)
    assert needs_frames(made("llama", head_dim=264), torch.bfloat16)


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        ("gemma2", {**WINDOWED, "attn_logit_softcapping": 5.0}),  # a cap on scores
        ("mamba", {"state_size": 4}),  # a state that goes from row to row
        ("llama", {"attention_dropout": 0.1}),  # what is drawn depends on the company
        ("gpt2", {"n_embd": 24, "n_head": 4, "n_layer": 2, "n_positions": 64}),
        ("opt", {"word_embed_proj_dim": 24, "ffn_dim": 32}),
        ("qwen2_moe", {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16}),
    ],
)
def test_what_cannot_be_packed_is_known_beforehand(model_type: str, more: dict[str, Any]) -> None:
    assert not can_pack(made(model_type, **more))


@pytest.mark.parametrize(
    ("model_type", "more"), [("llama", {}), ("gemma3_text", WINDOWED), ("gpt_neox", {}), ("olmo2", {})]
)
def test_the_last_mlp_takes_answers_alone_and_gradients_stay(model_type: str, more: dict[str, Any]) -> None:
    """Of blocks that do nothing after it, that normalize what it adds, and that have it beside attention."""
    model = made(model_type, **more)
    data = Rows([example([1, 2, 3, 4, 5, 6], 4), example([7, 8, 9], 1)])
    (shares,) = split_passes([(0, data, (0, 1))], 100, 100)
    packed = pack(shares, [data], model.device)
    taken: list[int] = []
    mlp = model.base_model.layers[-1].mlp

    def gradients(trimmed: bool) -> dict[str, torch.Tensor]:
        model.zero_grad()
        with PackedAttention(model), trimmed_last_mlp(model) if trimmed else nullcontext():
            watching = mlp.register_forward_pre_hook(lambda _, states: taken.append(states[0].shape[1]))
            logits = packed_logits(model, packed)
            watching.remove()
        torch.nn.functional.cross_entropy(logits, packed.targets).backward()
        return {name: weight.grad.clone() for name, weight in model.named_parameters()}

    whole, trimmed = gradients(False), gradients(True)
    assert taken == [9, 4]
    for name, gradient in whole.items():
        torch.testing.assert_close(trimmed[name], gradient, atol=1e-5, rtol=1e-4)
    assert model(input_ids=torch.tensor([[1, 2, 3]])).logits.shape[1] == 3


def test_a_model_is_left_as_it_was(base: Any, tmp_path: Path) -> None:
    model = load_model(base)
    before = model.config._attn_implementation
    assert can_pack(model)
    assert (model.config._attn_implementation, model.training) == (before, False)
