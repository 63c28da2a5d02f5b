"""References: one table of schemes, split at the first colon."""

from __future__ import annotations

import pytest

from mendel.study.references import CHECKPOINTS, MODELS, ROWS, SCHEMES, Reference, forms, parse_reference


def test_the_schemes_are_grouped_by_what_they_find() -> None:
    assert set(CHECKPOINTS) == {"hf", "vllm"}
    assert set(MODELS) == {"hf", "vllm", "openai"}
    assert set(ROWS) == {"file", "dataset"}
    assert all(scheme.forms and scheme.says.endswith(".") for scheme in SCHEMES.values())


@pytest.mark.parametrize(
    ("ref", "parsed", "model"),
    [
        ("hf:./a", Reference("hf", "./a"), True),
        ("openai:http://h:1/v1#m", Reference("openai", "http://h:1/v1#m"), True),
        ("file:a.jsonl", Reference("file", "a.jsonl"), False),
        ("my_pkg/parrot:hello: you", Reference("my_pkg/parrot", "hello: you"), False),
        ("hf:", Reference("hf", ""), False),
        ("./a", Reference("", "./a"), False),
    ],
)
def test_a_reference_is_split_at_its_first_colon(ref: str, parsed: Reference, model: bool) -> None:
    assert parse_reference(ref) == parsed
    assert parse_reference(ref).names_model is model


def test_messages_say_what_can_be_written() -> None:
    assert forms("hf", "file") == "hf:FOLDER, hf:HUB_NAME, file:PATH"
