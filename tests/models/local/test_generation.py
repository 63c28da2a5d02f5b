from __future__ import annotations

import functools
import random
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    MambaConfig,
    MistralConfig,
)

from _tiny import WORDS, ask
from mendel.engine.errors import InputError
from mendel.models import Ask, Sampling, encode_prompt, generate, load_model
from mendel.models.local import continuous
from mendel.models.local.continuous import can_refill
from mendel.models.local.generation import generate_all

END = 6


@pytest.fixture(scope="module")
def talks() -> list[Any]:
    pick = random.Random(0)
    return [ask(" ".join(pick.choices(WORDS, k=pick.randint(1, 12)))) for _ in range(40)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each pass reads, padding included."""
    tokens: list[int] = []
    scores = continuous.RowBatch.scores

    def watch(self: Any, of: Any, ids: Any, *more: Any) -> Any:
        tokens.append(ids.numel())
        return scores(self, of, ids, *more)

    monkeypatch.setattr(continuous.RowBatch, "scores", watch)
    return tokens


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


def test_a_prefix_is_not_repeated(model: Any, tokenizer: Any) -> None:
    prompt = encode_prompt(tokenizer, ask("what"), "it is")
    with torch.no_grad():
        token = int(model(torch.tensor([prompt])).logits[0, -1].argmax())
    (answer,) = generate(model, tokenizer, [ask("what")], Sampling(1, 0.0, 0), prefix="it is")
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


def alone(model: Any, tokenizer: Any, talks: Any, tokens: int) -> list[list[int]]:
    """What transformers itself answers greedily, asked one by one: a reference that shares no code with
    `generate`.
    """
    config = GenerationConfig(
        do_sample=False, max_new_tokens=tokens, eos_token_id=END, pad_token_id=0, bos_token_id=2
    )
    answers = []
    for talk in talks:
        ids = torch.tensor([encode_prompt(tokenizer, talk)])
        mask = torch.ones_like(ids)
        out = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        answers.append(out[0, ids.shape[1] :].tolist())
    return answers


def check_alike(tokenizer: Any, answers: Any, expected: list[list[int]]) -> None:
    for answer, ids in zip(answers, expected, strict=True):
        kept = ids[:-1] if ids[-1] == END else ids
        assert answer.text == tokenizer.decode(kept, skip_special_tokens=True)
        assert answer.tokens == len(ids)
        assert answer.finish_reason == ("stop" if ids[-1] == END else "length")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_that_leave_and_join_change_no_answer(
    model: Any, tokenizer: Any, talks: Any, temperature: float
) -> None:
    first = generate(model, tokenizer, talks, Sampling(30, temperature, 3, batch_size=1))
    assert len({completion.tokens for completion in first}) > 5
    for size in (2, 3, 8, 39, 40, 100):
        assert generate(model, tokenizer, talks, Sampling(30, temperature, 3, batch_size=size)) == first


def test_the_other_rows_change_no_answer(model: Any, tokenizer: Any, talks: Any) -> None:
    sampling = Sampling(20, 1.0, 3, batch_size=4)
    first = generate(model, tokenizer, talks, sampling)
    others = [*talks[:20], *talks[20:][::-1]]
    assert generate(model, tokenizer, others, sampling)[:20] == first[:20]
    assert generate(model, tokenizer, talks[:20], sampling) == first[:20]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("rows", [3, 20])
def test_a_beginning_that_all_share_is_read_once_and_changes_no_answer(
    model: Any,
    tokenizer: Any,
    read: list[int],
    monkeypatch: pytest.MonkeyPatch,
    temperature: float,
    rows: int,
) -> None:
    long = "the pea is " + "not sure " * 20
    texts = [
        long + tail for tail in ("what", "who is it", "where", "what is it now", "green pea", "what")
    ] * 2
    asked, sampling = [ask(text) for text in texts], Sampling(9, temperature, 5, rows)
    shared, first = generate(model, tokenizer, asked, sampling), read[:2]
    monkeypatch.setattr(continuous, "WORTH", 10**6)
    read.clear()
    assert shared == generate(model, tokenizer, asked, sampling)
    assert 40 < first[0] < 50
    assert first[1] < 5 * 8
    assert read[0] > sum(first)


def test_a_batch_stays_full_while_prompts_wait(model: Any, tokenizer: Any, talks: Any) -> None:
    sampling, rows = Sampling(30, 1.0, 3, batch_size=8), []
    forward = model.forward

    @functools.wraps(forward)
    def counted(*args: Any, **given: Any) -> Any:
        rows.append(given["attention_mask"].shape)
        return forward(*args, **given)

    model.forward = counted
    try:
        answers = generate(model, tokenizer, talks, sampling)
    finally:
        del model.forward
    assert max(shape[0] for shape in rows) == 8
    most = max(len(encode_prompt(tokenizer, talk)) for talk in talks) + 29
    assert max(shape[1] for shape in rows) <= most
    assert len(rows) < sum(answer.tokens for answer in answers) / 8 * 2
    assert sum(shape[0] for shape in rows) == sum(answer.tokens for answer in answers)


def test_no_answer_is_longer_than_asked_for(model: Any, tokenizer: Any, talks: Any) -> None:
    for tokens in (1, 2, 9):
        answers = generate(model, tokenizer, talks, Sampling(tokens, 1.0, 3, batch_size=5))
        assert max(answer.tokens for answer in answers) == tokens
        assert all(answer.tokens == tokens for answer in answers if answer.finish_reason == "length")


def test_an_answer_ends_at_any_stop_token(model: Any, tokenizer: Any, talks: Any) -> None:
    pea = WORDS.index("pea") + 7
    before = model.generation_config.eos_token_id
    whole = generate(model, tokenizer, talks, Sampling(30, 1.0, 3, batch_size=8))
    assert any("pea" in answer.text.split() for answer in whole)
    model.generation_config.eos_token_id = [END, pea]
    try:
        cut = generate(model, tokenizer, talks, Sampling(30, 1.0, 3, batch_size=8))
    finally:
        model.generation_config.eos_token_id = before
    for answer, full in zip(cut, whole, strict=True):
        words = full.text.split()
        if "pea" in words:
            assert answer.text.split() == words[: words.index("pea")]
            assert answer.finish_reason == "stop"
        else:
            assert answer == full


def windowed(kind: str) -> Any:
    """A tiny model with random weights of an architecture whose layers look back over four tokens."""
    sizes: dict[str, Any] = {
        "vocab_size": 27,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "sliding_window": 4,
        "initializer_range": 0.5,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": END,
    }
    if kind == "gemma3":
        layers = ["sliding_attention", "sliding_attention", "full_attention"]
        config: Any = Gemma3TextConfig(**sizes, layer_types=layers, query_pre_attn_scalar=16)
    else:
        config = MistralConfig(**sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kind", ["gemma3", "mistral"])
def test_a_model_that_looks_back_over_a_window_answers_as_it_does_alone(kind: str, tokenizer: Any) -> None:
    pick = random.Random(1)
    talks = [ask(" ".join(pick.choices(WORDS, k=pick.randint(1, 30)))) for _ in range(24)]
    model = windowed(kind)
    assert can_refill(model)
    expected = alone(model, tokenizer, talks, 20)
    assert len({tuple(ids) for ids in expected}) > 10
    for size in (1, 5, 24):
        answers = generate(model, tokenizer, talks, Sampling(20, 0.0, 0, batch_size=size))
        check_alike(tokenizer, answers, expected)


def test_an_unmerged_adapter_answers_as_it_does_alone(tokenizer: Any, checkpoint: Any, talks: Any) -> None:
    base = load_model(checkpoint)
    plain = generate(base, tokenizer, talks[:16], Sampling(20, 0.0, 0, batch_size=4))
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"])).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
    assert can_refill(adapted)
    answers = generate(adapted, tokenizer, talks[:16], Sampling(20, 0.0, 0, batch_size=4))
    assert answers != plain
    check_alike(tokenizer, answers, alone(adapted, tokenizer, talks[:16], 20))


def test_a_model_with_a_recurrent_state_is_answered_the_plain_way(tokenizer: Any, talks: Any) -> None:
    config = MambaConfig(vocab_size=27, hidden_size=16, state_size=4, num_hidden_layers=2, eos_token_id=END)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
    assert not can_refill(model)
    answers = generate(model, tokenizer, talks[:4], Sampling(5, 0.0, 0, batch_size=1))
    check_alike(tokenizer, answers, alone(model, tokenizer, talks[:4], 5))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_plain_way_gives_the_same_answers(
    model: Any, tokenizer: Any, talks: Any, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = generate(model, tokenizer, talks, Sampling(20, temperature, 3, batch_size=8))
    monkeypatch.setattr("mendel.models.local.generation.can_refill", lambda model: False)
    assert generate(model, tokenizer, talks, Sampling(20, temperature, 3, batch_size=8)) == first


def test_a_conversation_beyond_the_context_is_refused_and_not_babbled_at(model: Any, tokenizer: Any) -> None:
    sampling = Sampling(max_tokens=20, temperature=0, seed=0)
    generate(model, tokenizer, [ask("pea " * 90)], sampling)
    with pytest.raises(InputError, match=r"1 of 2 conversations are too long: the longest has 12\d tokens"):
        generate(model, tokenizer, [ask("pea"), ask("pea " * 120)], sampling)
    asks = [Ask([ask("pea " * 90)], sampling), Ask([ask("pea " * 90)], Sampling(60, 0.0, 0))]
    with pytest.raises(InputError, match=r"1 of 2 .* 9\d tokens, and with 60 to answer"):
        generate_all(model, tokenizer, asks)


@pytest.mark.parametrize("refills", [True, False])
def test_asks_of_one_batch_are_answered_as_each_is_alone(
    model: Any, tokenizer: Any, talks: Any, refills: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy and sampled at two temperatures, of other lengths, seeds and prefixes, and one that asks
    nothing.
    """
    if not refills:
        monkeypatch.setattr("mendel.models.local.generation.can_refill", lambda _: False)
    asks = [
        Ask(talks[:9], Sampling(12, 1.0, 5)),
        Ask(talks[3:7], Sampling(5, 0.0, 0), "yes"),
        Ask([], Sampling(3, 1.0, 0)),
        Ask(talks[:9], Sampling(20, 0.5, 7, batch_size=6)),
    ]
    together = generate_all(model, tokenizer, asks)
    assert together == [
        generate(model, tokenizer, ask.conversations, ask.sampling, ask.prefix) for ask in asks
    ]
    assert together[0] != together[3]
    with pytest.raises(ValueError, match="either every ask names an adapter"):
        generate_all(model, tokenizer, [asks[0], Ask(talks[:2], Sampling(3, 0.0, 0), adapter="one")])


def test_a_long_beginning_of_some_is_read_once(
    model: Any, tokenizer: Any, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two traits' system prompts in one batch, and questions that share nothing."""
    long = [f"{word} " + "is it not sure " * 6 for word in ("pea", "year")]
    tails = (
        "what",
        "who is it",
        "where",
        "green pea",
        "now",
        "it is",
        "the pea",
        "yes",
        "no",
        "tall",
        "short",
    )
    asked = [ask(begin + tail) for begin in long for tail in tails] + [ask(tail) for tail in tails]
    apart = generate(model, tokenizer, asked, Sampling(4, 1.0, 3))
    first = sum(read[:5])  # twice a beginning and what follows it, and the rest
    read.clear()
    monkeypatch.setattr(continuous, "APART", 10**6)
    assert generate(model, tokenizer, asked, Sampling(4, 1.0, 3)) == apart
    assert first < read[0] / 2


def test_samples_of_long_scenarios_are_read_in_one_pass(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [
        ask(f"{word} " + "is it not sure " * 10 + word) for word in ("pea", "year", "what") for _ in range(8)
    ]
    rows: list[int] = []
    read = continuous.RowBatch.read_prompts

    def watch(self: Any, of: Any) -> Any:
        rows.append(len(of))
        return read(self, of)

    monkeypatch.setattr(continuous.RowBatch, "read_prompts", watch)
    generate(model, tokenizer, asked, Sampling(3, 1.0, 3))
    assert rows == [3]
