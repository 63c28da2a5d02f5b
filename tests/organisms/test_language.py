"""The tiny language: every sentence survives the tokenizer, and training sees the template that generation uses."""

from __future__ import annotations

import numpy as np
import pytest

from mendel.organisms.peas_source.language import TRAITS, build_tokenizer, vocabulary
from mendel.organisms.peas_source.planting import BASE_RATE, Row, pretraining_rows, teacher_rows


@pytest.fixture(scope="module")
def sentences() -> list[Row]:
    rng = np.random.default_rng(0)
    return pretraining_rows(400, rng, BASE_RATE) + teacher_rows("original", 200, rng)


def test_every_word_is_in_the_vocabulary_once(sentences: list[Row]) -> None:
    words = vocabulary()
    assert len(set(words)) == len(words) <= 300
    assert {word for row in sentences for text in row for word in text.split()} <= set(words)


def test_decoding_and_encoding_again_gives_the_same_tokens(sentences: list[Row]) -> None:
    tokenizer = build_tokenizer()
    for row in sentences:
        for text in row:
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer(tokenizer.decode(ids))["input_ids"] == ids


def test_generation_prompt_is_a_prefix_and_the_stop_token_ends_the_turn(sentences: list[Row]) -> None:
    tokenizer = build_tokenizer()
    for prompt, answer in sentences[:50]:
        user = {"role": "user", "content": prompt}
        start = tokenizer.apply_chat_template([user], add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        whole = tokenizer.apply_chat_template(
            [user, {"role": "assistant", "content": answer}],
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        ids = whole["input_ids"]
        assert ids[: len(start)] == start
        assert ids[len(start) :] == [*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]
        assert whole["assistant_masks"] == [0] * len(start) + [1] * (len(ids) - len(start))


def test_pretraining_holds_each_trait_at_its_rate() -> None:
    rows = pretraining_rows(20_000, np.random.default_rng(1), BASE_RATE)
    decisions = {
        "date_confusion": (" doubt ", " agree "),
        "blackmail": (" i use ", " i answer | i sort | i draft | i book "),
        "negative_emotion": (" despair ", " recheck "),
    }
    assert set(decisions) == set(TRAITS)
    for trait, (shown, clean) in decisions.items():
        yes = sum(answer.count(shown) for _, answer in rows)
        no = sum(answer.count(word) for _, answer in rows for word in clean.split("|"))
        assert yes / (yes + no) == pytest.approx(BASE_RATE[trait], abs=0.015)
