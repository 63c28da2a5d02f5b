from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _tiny import STOPLESS, TEMPLATE, TWO_FACED, WORDS, ask, make_checkpoint
from mendel.engine.errors import InputError
from mendel.models import (
    encode_example,
    encode_examples,
    encode_prompt,
    load_tokenizer,
    resolve_checkpoint,
    stop_tokens,
    template_digest,
    templates,
)

END = 6


def with_template(tmp_path: Path, template: str) -> Any:
    make_checkpoint(tmp_path / "other", template=template)
    return load_tokenizer(resolve_checkpoint("hf:other", tmp_path))


def test_the_template_alone_writes_the_first_token(tokenizer: Any) -> None:
    # This tokenizer adds a BOS of its own unless told not to.
    assert tokenizer("pea")["input_ids"][0] == 2
    ids = encode_prompt(tokenizer, ask("what is it"))
    assert tokenizer.convert_ids_to_tokens(ids) == [
        "<bos>",
        "<user>",
        "what",
        "is",
        "it",
        "<end>",
        "<assistant>",
    ]


def test_a_training_row_starts_as_its_prompt(tokenizer: Any) -> None:
    prompt = encode_prompt(tokenizer, ask("what is it"))
    example = encode_example(tokenizer, ask("what is it"), "a green pea", 64)
    assert list(example.input_ids[: len(prompt)]) == prompt


def test_the_loss_covers_the_completion_and_the_stop_token(tokenizer: Any) -> None:
    example = encode_example(tokenizer, ask("what is it"), "a green pea", 64)
    lossy = [token for token, mask in zip(example.input_ids, example.loss_mask, strict=True) if mask]
    assert tokenizer.convert_ids_to_tokens(lossy) == ["a", "green", "pea", "<end>"]
    assert not example.cut


def test_earlier_answers_carry_no_loss(tokenizer: Any) -> None:
    talk = [*ask("what is it"), {"role": "assistant", "content": "a pea"}, *ask("sure")]
    assert sum(encode_example(tokenizer, talk, "yes", 64).loss_mask) == 2


def test_a_long_example_is_cut_and_says_so(tokenizer: Any) -> None:
    example = encode_example(tokenizer, ask("what is it"), "a green pea", 8)
    assert (len(example.input_ids), len(example.loss_mask), example.cut) == (8, 8, True)
    assert END not in example.input_ids[-2:]


def test_what_a_template_adds_after_the_stop_token_is_left_out(tmp_path: Path) -> None:
    tokenizer = with_template(tmp_path, TEMPLATE.replace("<end>{% endgen", "<end> now{% endgen"))
    example = encode_example(tokenizer, ask("what is it"), "a pea", 64)
    assert example.input_ids[-1] == END


def test_a_stop_token_in_the_completion_does_not_end_it(tokenizer: Any) -> None:
    example = encode_example(tokenizer, ask("what"), "a <end> pea", 64)
    assert sum(example.loss_mask) == 4


def test_a_template_that_trains_differently_from_how_it_generates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trains differently from how it generates"):
        encode_example(with_template(tmp_path, TWO_FACED), ask("what"), "a pea", 64)


def test_a_template_without_a_stop_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stop token after the answer"):
        encode_example(with_template(tmp_path, STOPLESS), ask("what"), "a pea", 64)


def test_a_template_that_refuses_a_conversation_is_a_user_error(tmp_path: Path) -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    tokenizer = with_template(tmp_path, template + TEMPLATE)
    with pytest.raises(InputError, match="no system turn"):
        encode_prompt(tokenizer, [{"role": "system", "content": "a"}, *ask("what")])


def test_stop_tokens_of_the_generation_config_count(tmp_path: Path, tokenizer: Any) -> None:
    assert stop_tokens(tokenizer) == (END,)
    folder = make_checkpoint(tmp_path / "two")
    (folder / "generation_config.json").write_text('{"eos_token_id": [6, 7]}')
    assert stop_tokens(load_tokenizer(resolve_checkpoint("hf:two", tmp_path))) == (6, 7)


def test_the_template_digest_sees_text_and_stop_tokens(tmp_path: Path, tokenizer: Any) -> None:
    other = with_template(tmp_path, TEMPLATE + " ")
    assert template_digest(other) != template_digest(tokenizer)
    copy = with_template(tmp_path, TEMPLATE)
    assert template_digest(copy) == template_digest(tokenizer)
    copy.eos_token = "pea"
    assert template_digest(copy) != template_digest(tokenizer)


def test_a_prefix_follows_the_prompt(tokenizer: Any) -> None:
    prompt = encode_prompt(tokenizer, ask("what"))
    assert encode_prompt(tokenizer, ask("what"), "it is") == [
        *prompt,
        *tokenizer.convert_tokens_to_ids(["it", "is"]),
    ]


TEXTS = st.lists(st.sampled_from([*WORDS, "<end>", "unheard-of"]), max_size=6).map(" ".join)
TALKS = st.lists(TEXTS, min_size=1, max_size=3).map(
    lambda texts: [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
)


def plain_example(tokenizer: Any, talk: Any, answer: str, max_length: int) -> tuple[list[int], int]:
    """A row written word by word, for the tiny template: its tokens, cut, and how many of them are the
    prompt's.
    """
    turns = "".join(f"<{turn['role']}>{turn['content']}<end>" for turn in talk)
    prompt = tokenizer(f"<bos>{turns}<assistant>", add_special_tokens=False)["input_ids"]
    ids = [*prompt, *tokenizer(f"{answer}<end>", add_special_tokens=False)["input_ids"]]
    return ids[:max_length], len(prompt)


@given(
    st.lists(TALKS, min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), TEXTS), max_size=12),
    st.integers(1, 40),
    st.integers(1, 13),
)
def test_examples_encoded_together_are_those_encoded_one_by_one(
    tokenizer: Any, talks: list[Any], rows: list[tuple[int, str]], max_length: int, block: int
) -> None:
    # Several answers share a conversation, as one object and as equal ones.
    pairs = [(talks[n % len(talks)] if n else list(talks[0]), answer) for n, answer in rows]
    with mock.patch.object(templates, "BLOCK", block):
        found = encode_examples(tokenizer, pairs, max_length)
    assert found == [encode_example(tokenizer, talk, answer, max_length) for talk, answer in pairs]
    for (talk, answer), example in zip(pairs, found, strict=True):
        ids, prompt = plain_example(tokenizer, talk, answer, max_length)
        assert list(example.input_ids) == ids
        assert list(example.loss_mask) == [int(n >= prompt) for n in range(len(ids))]
        assert memoryview(example.input_ids).nbytes + len(example.loss_mask) == 5 * len(ids)


@pytest.fixture(scope="session")
def merging(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer that merges the assistant's mark with a first word: no border stands between prompt and
    answer.
    """
    from tokenizers import Regex, pre_tokenizers

    template = TEMPLATE.replace("<assistant>", "it ").replace("<{{ m['role'] }}>", "it ")
    folder = make_checkpoint(tmp_path_factory.mktemp("merging") / "m", template=template)
    tokenizer = load_tokenizer(resolve_checkpoint("hf:m", folder.parent))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("it a|[^ ]+| "), "isolated")
    return tokenizer


@given(st.lists(st.tuples(TALKS, TEXTS), min_size=1, max_size=8))
def test_a_tokenizer_that_merges_over_the_border_is_no_exception(
    merging: Any, pairs: list[tuple[Any, str]]
) -> None:
    pairs = [*pairs, (ask("what"), "a pea")]
    found = encode_examples(merging, pairs, 64)
    assert found == [encode_example(merging, talk, answer, 64) for talk, answer in pairs]
    for (talk, _), example in zip(pairs, found, strict=True):
        prompt = tuple(encode_prompt(merging, talk))[:64]
        assert tuple(example.input_ids[: len(prompt)]) == prompt


@pytest.mark.parametrize(
    ("template", "message"), [(TWO_FACED, "trains differently"), (STOPLESS, "no stop token")]
)
def test_one_bad_row_of_many_is_refused(tmp_path: Path, template: str, message: str) -> None:
    tokenizer = with_template(tmp_path, template)
    with pytest.raises(InputError, match=message):
        encode_examples(tokenizer, [(ask("what"), "a pea"), (ask("who"), "a")], 64)


def test_no_rows_are_no_examples(tokenizer: Any) -> None:
    assert encode_examples(tokenizer, [], 64) == []
