from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from _tiny import STOPLESS, TEMPLATE, TWO_FACED, ask, make_checkpoint
from mendel.engine.errors import InputError
from mendel.models import (
    encode_example,
    encode_prompt,
    load_tokenizer,
    resolve_checkpoint,
    stop_tokens,
    template_digest,
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


def test_an_opener_follows_the_prompt(tokenizer: Any) -> None:
    prompt = encode_prompt(tokenizer, ask("what"))
    assert encode_prompt(tokenizer, ask("what"), "it is") == [
        *prompt,
        *tokenizer.convert_tokens_to_ids(["it", "is"]),
    ]
