"""Against `transformers serve`: a server that nobody here wrote. It checks no context length, so nothing is
asked of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint_calls import sampling, texts

from _smollm2 import Server, smollm2_folder
from mendel.engine.budget import Budget
from mendel.engine.errors import InputError
from mendel.models import generate, load_model, load_tokenizer, resolve_checkpoint
from mendel.models.endpoints import EndpointChat, EndpointCompletion, Endpoints
from mendel.study.schema import EndpointConfig

pytestmark = [pytest.mark.server, pytest.mark.slow]

PROMPTS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Which colour is a pea?"},
    ],
    [
        {"role": "user", "content": "Say one."},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "And two?"},
    ],
]


@pytest.fixture
def model(smollm2_server: Server, tmp_path: Path) -> Iterator[EndpointChat]:
    with Endpoints(tmp_path, Budget(tokens=20_000)) as endpoints:
        yield endpoints.chat_model(smollm2_server.ref, EndpointConfig(concurrency=2))


def test_the_server_answers_as_the_checkpoint_does_here(model: EndpointChat) -> None:
    checkpoint = resolve_checkpoint(f"hf:{smollm2_folder()}", Path())
    greedy = sampling(max_tokens=12, temperature=0.0)
    local = generate(load_model(checkpoint), load_tokenizer(checkpoint), PROMPTS, greedy)
    answers = model.chat(PROMPTS, greedy)
    assert texts(answers) == texts(local)
    assert [answer.finish_reason for answer in answers] == [answer.finish_reason for answer in local]


def test_usage_is_recorded_and_within_what_was_set_aside(smollm2_server: Server, tmp_path: Path) -> None:
    budget = Budget(dollars=0.0, tokens=5_000)
    with Endpoints(tmp_path, budget) as endpoints:
        chat = endpoints.chat_model(smollm2_server.ref, EndpointConfig())
        answers = chat.chat(PROMPTS[:2], sampling(max_tokens=8))
        # The margin that the first requests had was wide enough for the template's own words.
        assert chat.connection.bound.margin == 128
    used = [answer for answer in answers if isinstance(answer, EndpointCompletion)]
    assert all(answer.prompt_tokens and answer.tokens <= 8 for answer in used)
    spent = budget.spent
    assert (spent.dollars, spent.requests) == (0.0, 2)
    assert spent.tokens.total == sum((answer.prompt_tokens or 0) + answer.tokens for answer in used)


def test_an_answer_comes_back_from_the_cache(model: EndpointChat) -> None:
    # Not that samples differ: this server samples only where the checkpoint's generation_config says
    # `do_sample`.
    first = model.chat([PROMPTS[0]] * 2, sampling(max_tokens=4))
    again = model.chat([PROMPTS[0]] * 2, sampling(max_tokens=4))
    assert texts(again) == texts(first)
    assert [answer.cached for answer in again if isinstance(answer, EndpointCompletion)] == [True, True]


def test_an_unknown_model_gives_the_servers_words(smollm2_server: Server, tmp_path: Path) -> None:
    with (
        Endpoints(tmp_path, Budget()) as endpoints,
        pytest.raises(InputError, match=r"has no model 'nobody'.*pinned to"),
    ):
        chat = endpoints.chat_model(f"openai:{smollm2_server.url}#nobody", EndpointConfig())
        chat.chat(PROMPTS[:1], sampling())


def test_a_schema_is_accepted_whatever_comes_of_it(model: EndpointChat) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answers = model.chat(PROMPTS[:1], sampling(max_tokens=8, temperature=0.0), schema=schema)
    # This server ignores response_format; one that keeps to it gives JSON, which whoever asked has to check.
    assert answers[0].text
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answers[0].text)
