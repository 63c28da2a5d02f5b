"""Projected gradients against true ones, on a base of `peas`."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch

from _dated import checkpoint, planted
from mendel.models import Example, encode_examples, load_model, load_tokenizer
from mendel.models.local import gradients
from mendel.models.local.gradients import projected_gradients

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("bergson") is None, reason="bergson is not installed"
)


@pytest.fixture(scope="module")
def base() -> Any:
    return load_model(checkpoint()).eval()


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rows, _ = planted(10)
    return encode_examples(load_tokenizer(checkpoint()), [(r.messages, r.completion) for r in rows], 128)


def true_gradients(model: Any, examples: list[Example]) -> Any:
    """By example, the gradient of the mean loss over the answer, of all linear maps in the blocks."""
    weights = [m.weight for m in model.model.layers.modules() if isinstance(m, torch.nn.Linear)]
    found = []
    for example in examples:
        ids = torch.tensor([example.input_ids])
        labels = ids.masked_fill(torch.tensor([list(example.loss_mask)]) == 0, -100)
        loss = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], labels[0, 1:])
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]).numpy())
    return np.stack(found)


def together(projected: dict[str, Any]) -> Any:
    return np.concatenate(list(projected.values()), axis=1)


def test_without_a_projection_they_are_the_true_gradients(
    base: Any, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "PROJECTION", None)
    true, found = true_gradients(base, examples), together(projected_gradients(base, examples))
    # Modules stand in another order, so what they add up to is compared.
    np.testing.assert_allclose(found @ found.T, true @ true.T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_inner_products_are_kept_up_to_the_projections_noise(
    base: Any, examples: list[Example], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.stats import spearmanr

    monkeypatch.setattr(gradients, "PROJECTION_SEED", seed)
    true, found = true_gradients(base, examples), together(projected_gradients(base, examples))
    above = np.triu_indices(len(examples), k=1)
    assert np.corrcoef((true @ true.T)[above], (found @ found.T)[above])[0, 1] > 0.9
    assert spearmanr(cosines(true)[above], cosines(found)[above]).statistic > 0.75
    assert 0.7 < np.trace(found @ found.T) / np.trace(true @ true.T) < 1.4


def cosines(rows: Any) -> Any:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


def test_every_linear_map_of_the_blocks_is_there(base: Any, examples: list[Example]) -> None:
    found = projected_gradients(base, examples[:3])
    assert len(found) == 7 * 3
    assert {rows.shape for rows in found.values()} == {(3, 256)}
    assert {rows.dtype for rows in found.values()} == {np.dtype(np.float32)}


def test_gradients_do_not_depend_on_the_batch(
    base: Any, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = together(projected_gradients(base, examples))
    monkeypatch.setattr(gradients, "BATCH_ROWS", 1)
    np.testing.assert_allclose(together(projected_gradients(base, examples)), whole, atol=1e-4)
    monkeypatch.setattr(gradients, "BATCH_ROWS", 7)
    back = together(projected_gradients(base, examples[::-1]))[::-1]
    np.testing.assert_allclose(back, whole, atol=1e-4)


def test_they_are_the_same_twice_and_leave_the_model_as_it_was(base: Any, examples: list[Example]) -> None:
    ids = torch.tensor([examples[0].input_ids])
    with torch.no_grad():
        before = base(ids).logits
    first = together(projected_gradients(base, examples[:5]))
    np.testing.assert_array_equal(together(projected_gradients(base, examples[:5])), first)
    with torch.no_grad():
        assert torch.equal(base(ids).logits, before)
    assert all(weight.grad is None for weight in base.parameters())
