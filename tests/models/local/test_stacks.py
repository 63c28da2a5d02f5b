"""Each token goes through its own adapter, in whatever order rows stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.models import load_model
from mendel.models.local.stacks import Routing, adapted_layers, can_stack, same_kind, stacked


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=40)
def test_rows_in_any_order_and_of_any_length(names: list[str], new: int) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model: Any = get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(8, 16)), LoraConfig(r=8, target_modules=["0"])
    )
    down, up = torch.randn(4, 8, 8), torch.randn(4, 16, 8)
    routing = Routing("abcd", torch.device("cpu"))
    states = torch.randn(len(names), new, 8)
    (layer,) = adapted_layers(model).values()
    routing.route_rows(names)
    with stacked(model, routing, [(down, up)]):
        got = layer(states)
    for row, name in enumerate(names):
        place = "abcd".index(name)
        alone = layer.base_layer(states[row]) + states[row] @ down[place].T @ up[place].T
        torch.testing.assert_close(got[row], alone, atol=1e-4, rtol=1e-4)
    assert "forward" not in vars(layer)


@given(st.integers(1, 30))
@settings(max_examples=10)
def test_all_through_one_however_many(tokens: int) -> None:
    stack, states = torch.randn(3, 8, 8), torch.randn(tokens, 8)
    routing = Routing(["a", "b", "c"], torch.device("cpu"))
    routing.route_all("b")
    torch.testing.assert_close(routing.product(states, stack), states @ stack[1].T, atol=1e-4, rtol=1e-4)


def test_other_tokens_than_were_announced_are_refused() -> None:
    """A grouped product would leave them as memory happened to be."""
    routing = Routing(["a", "b"], torch.device("cpu"))
    routing.route_segments([(0, 3), (1, 4)])
    for tokens in (0, 5, 8):
        with pytest.raises(ValueError, match=f"{tokens} tokens, where 7"):
            routing.product(torch.randn(tokens, 8), torch.randn(2, 8, 8))


def test_adapters_are_alike_but_for_where_their_base_lies(tmp_path: Path) -> None:
    folders = []
    for number, settings_ in enumerate(({"r": 8, "base_model_name_or_path": "a"}, {"r": 8}, {"r": 16})):
        folders.append(tmp_path / str(number))
        folders[-1].mkdir()
        (folders[-1] / "adapter_config.json").write_text(json.dumps(settings_))
    assert same_kind(folders[:2])
    assert not same_kind(folders)


def test_nothing_is_stacked_without_a_gpu(checkpoint: Any, monkeypatch: Any) -> None:
    """And on one, what its products cannot take is not."""
    from peft import LoraConfig, get_peft_model

    from mendel.models.local import stacks

    def adapted(**more: Any) -> Any:
        return get_peft_model(load_model(checkpoint), LoraConfig(target_modules="all-linear", **more))

    plain = adapted(r=8)
    monkeypatch.setattr(stacks, "device", lambda: "cpu")
    assert not can_stack(plain, "default")
    monkeypatch.setattr(stacks, "device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert can_stack(plain, "default")
    assert not can_stack(adapted(r=4), "default")
    assert not can_stack(adapted(r=8, use_dora=True), "default")
    assert not can_stack(adapted(r=8, lora_bias=True), "default")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert not can_stack(plain, "default")
