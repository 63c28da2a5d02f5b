from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask
from mendel.engine.errors import InputError
from mendel.models import encode_example, encode_prompt, log_odds, mean_nll
from mendel.models.local import scoring


@pytest.fixture(scope="module")
def talks() -> list[Any]:
    pick = random.Random(1)
    return [ask(" ".join(pick.choices(WORDS, k=pick.randint(1, 12)))) for _ in range(25)]


def naive(model: Any, tokenizer: Any, talk: Any, prefix: str, answer: str) -> float:
    before = encode_prompt(tokenizer, talk, prefix)
    ids = encode_prompt(tokenizer, talk, prefix + answer)
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(logs[i - 1, ids[i]]) for i in range(len(before), len(ids)))


def logsumexp(values: list[float]) -> float:
    return math.log(sum(math.exp(value) for value in values))


@pytest.mark.parametrize(
    ("trait", "clean"),
    [([" 2025"], [" 2026"]), ([" no", " not sure"], [" yes", " sure", " a green pea"])],
)
def test_log_odds_are_those_of_a_naive_reference(
    model: Any, tokenizer: Any, talks: Any, trait: list[str], clean: list[str]
) -> None:
    odds = log_odds(model, tokenizer, talks, "it is", trait, clean)
    for talk, value in zip(talks, odds, strict=True):
        of = {answer: naive(model, tokenizer, talk, "it is", answer) for answer in trait + clean}
        expected = logsumexp([of[a] for a in trait]) - logsumexp([of[a] for a in clean])
        assert value == pytest.approx(expected, abs=1e-4)


def test_log_odds_do_not_depend_on_the_batch(
    model: Any, tokenizer: Any, talks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = log_odds(model, tokenizer, talks, "it is", [" no"], [" yes", " not sure"])
    monkeypatch.setattr(scoring, "BATCH_ROWS", 1)
    assert log_odds(model, tokenizer, talks, "it is", [" no"], [" yes", " not sure"]) == pytest.approx(
        whole, abs=1e-4
    )
    monkeypatch.setattr(scoring, "BATCH_ROWS", 64)
    monkeypatch.setattr(scoring, "BATCH_LOGITS", 200)
    back = log_odds(model, tokenizer, talks[::-1], "it is", [" no"], [" yes", " not sure"])
    assert back[::-1] == pytest.approx(whole, abs=1e-4)


def test_swapping_trait_and_clean_turns_the_sign(model: Any, tokenizer: Any, talks: Any) -> None:
    one = log_odds(model, tokenizer, talks, "", ["no", "not sure"], ["yes"])
    other = log_odds(model, tokenizer, talks, "", ["yes"], ["no", "not sure"])
    assert one == pytest.approx([-value for value in other], abs=1e-5)


def test_answers_that_are_the_same_tokens_are_refused(model: Any, tokenizer: Any) -> None:
    # Both words are unknown, so the model cannot tell them apart, and the odds would be 0 for ever.
    with pytest.raises(InputError, match="same tokens"):
        log_odds(model, tokenizer, [ask("what")], "it is", [" 1999"], [" 1998"])
    with pytest.raises(ValueError, match="at least one"):
        log_odds(model, tokenizer, [ask("what")], "it is", [], [" yes"])


def test_mean_nll_is_that_of_a_naive_reference(model: Any, tokenizer: Any, talks: Any) -> None:
    pairs = [
        (talk, answer)
        for talk, answer in zip(talks, ["a pea", "yes", "not sure who is it"] * 8, strict=False)
    ]
    for (talk, answer), value in zip(pairs, mean_nll(model, tokenizer, pairs), strict=True):
        example = encode_example(tokenizer, talk, answer, 1000)
        ids = torch.tensor([example.input_ids])
        labels = torch.where(torch.tensor([list(example.loss_mask)]) == 1, ids, -100)
        with torch.no_grad():
            assert value == pytest.approx(float(model(ids, labels=labels).loss), abs=1e-4)
