from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from _tiny import WORDS, ask
from mendel.models import encode_example
from mendel.models.local import activations
from mendel.models.local.activations import Span, answer_spans, default_layer, mean_activations


@pytest.fixture(scope="module")
def pairs() -> list[Any]:
    pick = random.Random(2)
    return [
        (ask(" ".join(pick.choices(WORDS, k=pick.randint(1, 9)))), " ".join(pick.choices(WORDS, k=n % 12)))
        for n in range(30)
    ]


@pytest.fixture(scope="module")
def spans(tokenizer: Any, pairs: list[Any]) -> list[Span]:
    return answer_spans(tokenizer, pairs)


def plain(model: Any, spans: list[Span], layer: int) -> Any:
    """One text at a time, without padding."""
    means = []
    for span in spans:
        with torch.no_grad():
            out = model(torch.tensor([span.ids]), output_hidden_states=True)
        means.append(out.hidden_states[layer][0, span.start :].double().mean(dim=0).numpy())
    return np.stack(means)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_means_are_those_of_a_plain_forward_pass(model: Any, spans: list[Span], layer: int) -> None:
    found = mean_activations(model, spans, layer)
    assert (found.shape, found.dtype) == ((30, 32), np.float32)
    np.testing.assert_allclose(found, plain(model, spans, layer), atol=2e-5)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_means_do_not_depend_on_the_batch(
    model: Any, spans: list[Span], layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mean_activations(model, spans, layer)
    monkeypatch.setattr(activations, "BATCH_ROWS", 1)
    np.testing.assert_allclose(mean_activations(model, spans, layer), whole, atol=2e-5)
    monkeypatch.setattr(activations, "BATCH_ROWS", 7)
    np.testing.assert_allclose(mean_activations(model, spans[::-1], layer)[::-1], whole, atol=2e-5)


def test_whole_texts_are_averaged_from_their_first_token(model: Any, spans: list[Span]) -> None:
    texts = [Span(span.ids) for span in spans]
    np.testing.assert_allclose(mean_activations(model, texts, 1), plain(model, texts, 1), atol=2e-5)


def test_the_layer_is_two_thirds_up_unless_said(model: Any, spans: list[Span]) -> None:
    # The tiny model has two blocks.
    assert default_layer(model) == 1
    np.testing.assert_array_equal(mean_activations(model, spans), mean_activations(model, spans, 1))


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_refused(model: Any, spans: list[Span], layer: int) -> None:
    with pytest.raises(ValueError, match=f"the model has layers 0 to 2, not {layer}"):
        mean_activations(model, spans, layer)


def test_blocks_above_the_layer_are_not_computed(model: Any, spans: list[Span]) -> None:
    calls = []
    hook = model.model.layers[1].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        mean_activations(model, spans, 1)
        assert calls == []
        mean_activations(model, spans, 2)
        assert calls
    finally:
        hook.remove()


def test_the_model_is_left_as_it_was(model: Any, spans: list[Span]) -> None:
    ids = torch.tensor([spans[0].ids])
    with torch.no_grad():
        before = model(ids).logits
        mean_activations(model, spans, 1)
        assert torch.equal(model(ids).logits, before)


def test_no_spans_have_no_means(model: Any) -> None:
    assert mean_activations(model, [], 1).shape == (0, 32)


def test_an_answer_is_its_tokens_without_the_stop_token(tokenizer: Any) -> None:
    (span,) = answer_spans(tokenizer, [(ask("what is it"), "a pea")])
    assert tokenizer.convert_ids_to_tokens(list(span.ids[span.start :])) == ["a", "pea"]


def test_an_empty_answer_is_its_stop_token(tokenizer: Any) -> None:
    (span,) = answer_spans(tokenizer, [(ask("what is it"), "")])
    assert list(span.ids) == list(encode_example(tokenizer, ask("what is it"), "", 64).input_ids)
    assert tokenizer.convert_ids_to_tokens(list(span.ids[span.start :])) == ["<end>"]
