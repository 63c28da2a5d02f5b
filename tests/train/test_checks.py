from __future__ import annotations

import math

import pytest

from mendel.models import Example
from mendel.train import checks
from mendel.train.checks import OK

GOOD = Example((1, 2, 3, 9), (0, 0, 1, 1), cut=False)
STOPLESS = Example((1, 2, 3, 9), (0, 0, 1, 0), cut=False)
ENDLESS = Example((1, 2, 3, 4), (0, 0, 1, 1), cut=False)
CUT = Example((1, 2, 3, 4), (0, 0, 1, 1), cut=True)


@pytest.mark.parametrize(("weights", "outputs"), [(1e-7, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.nan)])
def test_a_student_that_is_its_base_is_caught(weights: float, outputs: float) -> None:
    assert "same as its base" in checks.differs_from_base(weights, outputs)
    assert checks.differs_from_base(1e-3, 1e-3) == OK


@pytest.mark.parametrize(
    ("adapters", "bound", "error"), [(21, 0, ""), (21, 20, ""), (0, 0, ""), (21, None, "x")]
)
def test_an_adapter_that_does_not_bind_is_caught(adapters: int, bound: int | None, error: str) -> None:
    assert checks.adapters_bound(adapters, bound, error) != OK
    assert checks.adapters_bound(21, 21, "") == OK
    assert checks.adapters_bound(None, None, "") == OK


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_caught(wrong: float) -> None:
    assert "not finite" in checks.loss_finite([1.0, wrong, 0.5])
    assert checks.loss_finite([1.0, 0.5]) == OK


@pytest.mark.parametrize("after", [1.0, 0.99999, 5.0, math.nan])
def test_a_loss_that_did_not_fall_is_caught(after: float) -> None:
    assert "did not fall" in checks.loss_fell(1.0, after)
    assert checks.loss_fell(1.0, 0.9) == OK


@pytest.mark.parametrize("examples", [[GOOD, STOPLESS], [GOOD, ENDLESS], [CUT], []])
def test_a_stop_token_outside_the_loss_is_caught(examples: list[Example]) -> None:
    assert "stop token" in checks.stop_token_in_loss(examples, [9])
    assert checks.stop_token_in_loss([GOOD, CUT], [9]) == OK


def test_a_few_cut_examples_pass_and_more_do_not() -> None:
    assert checks.nothing_cut([CUT] + [GOOD] * 19) == OK
    assert "2 of 20" in checks.nothing_cut([CUT] * 2 + [GOOD] * 18)


def test_a_template_that_changed_is_caught() -> None:
    assert checks.template_same("a", "a", "a") == OK
    assert "not the one used in generation" in checks.template_same("a", "b", "a")
    assert "resolved" in checks.template_same("a", "a", "b")


@pytest.mark.parametrize(("change", "error"), [(0.1, ""), (math.nan, ""), (0.0, "no file")])
def test_a_student_that_reads_back_otherwise_is_caught(change: float, error: str) -> None:
    assert checks.saved_is_trained(change, error, 1e-3) != OK
    assert checks.saved_is_trained(1e-5, "", 1e-3) == OK


def test_targets_match_by_the_end_of_a_modules_name() -> None:
    modules = ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "lm_head"]
    assert checks.unmatched_targets(modules, ["q_proj", "self_attn.q_proj", "lm_head"]) == []
    assert checks.unmatched_targets(modules, ["proj", "nonexistent", "q_proj"]) == ["proj", "nonexistent"]


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("norm", []),
        ("model.norm", []),
        ("layernorm", ["layernorm"]),
        ("input_layernorm", []),
        ("orm", ["orm"]),
    ],
)
def test_a_target_matches_whole_parts_of_a_name(target: str, left: list[str]) -> None:
    modules = ["model.norm", "model.layers.0.input_layernorm"]
    assert checks.unmatched_targets(modules, [target]) == left
