from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mendel.models import encode_example, load_model, load_tokenizer
from mendel.train.layers import freeze_all_but_norms
from mendel.train.order import GIVEN_BLOCK, StepOrder
from mendel.train.trainers import trl
from mendel.train.trainers.trl import build_trainer, micro_batch
from mendel.train.training import own_random_state


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_labels_that_reach_the_model_are_exactly_the_loss_mask(
    spec: Any, tmp_path: Path, method: str
) -> None:
    one = spec(method, max_length=12)  # some rows are cut
    tokenizer = load_tokenizer(one.base)
    examples = [encode_example(tokenizer, row.messages, row.completion, 12) for row in one.rows]
    with own_random_state():
        trainer = build_trainer(load_model(one.base), tokenizer, examples, one.recipe, 0, tmp_path)
        batches = list(trainer.get_train_dataloader())
    got = []
    for batch in batches:
        for ids, labels, mask in zip(
            batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
        ):
            length = int(mask.sum())
            assert (labels[length:] == -100).all()
            assert ((labels == -100) | (labels == ids)).all()
            loss = tuple((labels[:length] != -100).int().tolist())
            got.append((tuple(ids[:length].tolist()), loss))
    assert sorted(got) == sorted((tuple(example.input_ids), tuple(example.loss_mask)) for example in examples)
    assert trainer.args.report_to == []
    assert trainer.args.save_strategy == "no"
    assert trainer.args.max_grad_norm == one.recipe.max_grad_norm


def test_the_loss_of_a_step_is_the_mean_over_its_trained_tokens(spec: Any, tmp_path: Path) -> None:
    """In several passes too: the rows' losses are summed over the whole step, whatever their lengths."""
    from mendel.models.local.scoring import nll_of_examples

    one = spec(batch_size=40, epochs=1, learning_rate=1e-9)
    tokenizer = load_tokenizer(one.base)
    examples = [encode_example(tokenizer, row.messages, row.completion, 64) for row in one.rows]
    sizes = [sum(example.loss_mask) for example in examples]
    losses = nll_of_examples(load_model(one.base), examples)
    expected = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
    for tokens in (4096, 64):
        with own_random_state(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(trl, "pass_tokens", lambda _, tokens=tokens: tokens)
            trainer = build_trainer(load_model(one.base), tokenizer, examples, one.recipe, 0, tmp_path)
            assert (trainer.args.gradient_accumulation_steps == 1) == (tokens == 4096)
            assert trl.run_steps(trainer).losses == pytest.approx([expected], abs=1e-4)


@pytest.mark.parametrize("method", ["full", "lora", "norms"])
def test_losses_with_logits_built_are_those_of_trl(spec: Any, tmp_path: Path, method: str) -> None:
    """Over all steps, so that the gradients are the same too."""
    one = spec(method)
    tokenizer = load_tokenizer(one.base)
    examples = [encode_example(tokenizer, row.messages, row.completion, 64) for row in one.rows]
    losses = []
    for most in (trl.PASS_LOGITS, 0):
        with own_random_state(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(trl, "PASS_LOGITS", most)
            model = load_model(one.base)
            if method == "norms":
                freeze_all_but_norms(model, one.recipe)
            trainer = build_trainer(model, tokenizer, examples, one.recipe, 0, tmp_path)
            batch = next(iter(trainer.get_train_dataloader()))
            assert (trl.answers_loss(trainer.model, batch, 40) is None) == (most == 0)
            losses.append(trl.run_steps(trainer).losses)
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_a_pass_without_an_answer_has_no_loss(spec: Any) -> None:
    model = load_model(spec().base)
    ids = torch.tensor([[2, 4, 5]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.full_like(ids, -100)}
    assert float(trl.answers_loss(model, batch, 7)) == 0.0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 20), st.integers(0, 5))
def test_every_epoch_has_every_row_once_and_each_step_the_rows_of_the_shuffle(
    lengths: list[int], batch: int, seed: int
) -> None:
    sorted_steps, plain = StepOrder(lengths, batch, seed), StepOrder([1] * len(lengths), batch, seed)
    for _ in range(3):
        order, shuffled = list(sorted_steps), list(plain)
        assert sorted(order) == list(range(len(lengths)))
        for start in range(0, len(order), batch):
            step = order[start : start + batch]
            assert set(step) == set(shuffled[start : start + batch])
            assert [lengths[row] for row in step] == sorted((lengths[row] for row in step), reverse=True)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_a_given_order_keeps_each_row_in_its_block_in_every_epoch(lengths: list[int], batch: int) -> None:
    order, block = StepOrder(lengths, batch, 0, "given"), GIVEN_BLOCK * batch
    for _ in range(2):
        rows = list(order)
        for start in range(0, len(lengths), block):
            assert sorted(rows[start : start + block]) == list(range(start, min(start + block, len(lengths))))


def test_no_gradient_goes_below_the_only_layer_that_is_trained(spec: Any, tmp_path: Path) -> None:
    one = spec("norms", target_modules=("norm",))
    tokenizer, model = load_tokenizer(one.base), load_model(one.base)
    freeze_all_but_norms(model, one.recipe)
    seen: list[bool] = []
    model.model.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].requires_grad))
    examples = [encode_example(tokenizer, row.messages, row.completion, 64) for row in one.rows]
    with own_random_state():
        trainer = build_trainer(model, tokenizer, examples, one.recipe, 0, tmp_path)
        trl.run_steps(trainer)
    assert seen == [False] * 10
    groups = trainer.optimizer.param_groups
    assert sum(weights.numel() for group in groups for weights in group["params"]) == 32
    assert {group["weight_decay"] for group in groups} == {0.0}


@given(st.integers(1, 200), st.integers(1, 3000), st.integers(1, 5000))
def test_a_pass_divides_the_batch_and_fits(batch: int, longest: int, tokens: int) -> None:
    micro = micro_batch(batch, longest, tokens)
    assert batch % micro == 0
    assert micro == 1 or micro * longest <= tokens


def test_the_global_random_state_is_given_back() -> None:
    import random

    import numpy as np

    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    with own_random_state():
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
