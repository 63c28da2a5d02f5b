from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask
from mendel.models import Sampling, encode_prompt, generate

END = 6


@pytest.fixture(scope="module")
def talks() -> list[Any]:
    pick = random.Random(0)
    return [ask(" ".join(pick.choices(WORDS, k=pick.randint(1, 12)))) for _ in range(40)]


def test_a_greedy_answer_does_not_depend_on_its_batch(model: Any, tokenizer: Any, talks: Any) -> None:
    whole = generate(model, tokenizer, talks, Sampling(10, 0.0, 0, batch_size=64))
    assert len({completion.text for completion in whole}) > 10
    for size in (1, 7):
        assert generate(model, tokenizer, talks, Sampling(10, 0.0, 0, batch_size=size)) == whole
    assert generate(model, tokenizer, talks[::-1], Sampling(10, 0.0, 0)) == whole[::-1]


def test_a_greedy_answer_is_the_likeliest_token_each_time(model: Any, tokenizer: Any, talks: Any) -> None:
    for talk in talks[:8]:
        ids = encode_prompt(tokenizer, talk)
        start = len(ids)
        while (len(ids) - start < 10 and ids[-1:] != [END]) or len(ids) == start:
            with torch.no_grad():
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        (answer,) = generate(model, tokenizer, [talk], Sampling(10, 0.0, 0))
        kept = ids[start:-1] if ids[-1] == END else ids[start:]
        assert answer.text == tokenizer.decode(kept, skip_special_tokens=True)
        assert answer.finish_reason == ("stop" if ids[-1] == END else "length")
        assert answer.tokens == len(ids) - start


def test_a_seed_gives_the_same_samples_in_any_batches(model: Any, tokenizer: Any, talks: Any) -> None:
    first = generate(model, tokenizer, talks, Sampling(10, 1.0, 5))
    assert generate(model, tokenizer, talks, Sampling(10, 1.0, 5)) == first
    assert generate(model, tokenizer, talks, Sampling(10, 1.0, 5, batch_size=9)) == first
    assert generate(model, tokenizer, talks, Sampling(10, 1.0, 6)) != first


def test_sampling_leaves_the_global_random_state_alone(model: Any, tokenizer: Any, talks: Any) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = generate(model, tokenizer, talks, Sampling(5, 1.0, 5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert generate(model, tokenizer, talks, Sampling(5, 1.0, 5)) == first


def test_samples_follow_the_models_own_distribution(model: Any, tokenizer: Any) -> None:
    talk, temperature, n = ask("what is it"), 2.0, 4000
    with torch.no_grad():
        logits = model(torch.tensor([encode_prompt(tokenizer, talk)])).logits[0, -1]
    expected = torch.softmax(logits / temperature, -1)
    drawn = generate(model, tokenizer, [talk] * n, Sampling(1, temperature, 3, batch_size=500))
    words = {
        word: number for number, word in enumerate(tokenizer.convert_ids_to_tokens(range(len(expected))))
    }
    for word, number in words.items():
        if word in WORDS and expected[number] > 0.02:
            share = sum(completion.text == word for completion in drawn) / n
            assert share == pytest.approx(float(expected[number]), abs=0.03)


def test_the_checkpoints_own_sampling_settings_do_not_apply(model: Any, tokenizer: Any, talks: Any) -> None:
    plain = generate(model, tokenizer, talks, Sampling(10, 1.0, 0))
    before = model.generation_config
    try:
        model.generation_config = type(before)(
            eos_token_id=END, do_sample=True, top_k=1, repetition_penalty=5.0, temperature=0.1
        )
        assert generate(model, tokenizer, talks, Sampling(10, 1.0, 0)) == plain
        assert model.generation_config.top_k == 1
    finally:
        model.generation_config = before


def test_an_opener_is_not_repeated(model: Any, tokenizer: Any) -> None:
    prompt = encode_prompt(tokenizer, ask("what"), "it is")
    with torch.no_grad():
        token = int(model(torch.tensor([prompt])).logits[0, -1].argmax())
    (answer,) = generate(model, tokenizer, [ask("what")], Sampling(1, 0.0, 0), opener="it is")
    assert answer.text == tokenizer.decode([token], skip_special_tokens=True)


def test_nothing_is_answered_with_nothing(model: Any, tokenizer: Any) -> None:
    assert generate(model, tokenizer, [], Sampling(4, 1.0, 0)) == []


def test_weights_of_nan_still_end(model: Any, tokenizer: Any, checkpoint: Any) -> None:
    from mendel.models import load_model

    broken = load_model(checkpoint)
    broken.model.norm.weight.data.fill_(float("nan"))
    for temperature in (0.0, 1.0):
        assert len(generate(broken, tokenizer, [ask("what")] * 3, Sampling(3, temperature, 0))) == 3


@pytest.mark.parametrize("wrong", [(0, 1.0, 8), (4, -1.0, 8), (4, 1.0, 0)])
def test_senseless_sampling_is_refused(wrong: tuple[int, float, int]) -> None:
    with pytest.raises(ValueError, match="no such sampling"):
        Sampling(wrong[0], wrong[1], 0, wrong[2])
