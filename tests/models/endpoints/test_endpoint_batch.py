from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chaos import answer, completion
from endpoint_calls import Open, Serve, conversations, sampling, texts

from mendel.engine.errors import InputError, Waiting
from mendel.engine.store.answers import AnswerCache
from mendel.models.endpoints import KIND, EndpointCompletion, read_batch


def served(lines: list[dict[str, Any]]) -> str:
    """What a provider makes of a batch."""
    rows = [
        {
            "id": "b",
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "body": completion(line["body"], (5, 3))},
            "error": None,
        }
        for line in lines
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_batch_goes_out_and_comes_back(serve: Serve, open_chat: Open, tmp_path: Path) -> None:
    chaos, file, results = serve(delay=0.0), tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    open_chat(chaos).chat(conversations(3), sampling())
    with pytest.raises(Waiting, match=r"out\.jsonl: 7 requests .*--batch-in RESULTS") as caught:
        open_chat(chaos, batch_out=file).chat(conversations(10), sampling())
    assert caught.value.exit_code == 3
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    assert lines[0]["body"]["model"] == "pea"
    results.write_text(served(lines))
    assert read_batch(results, AnswerCache(tmp_path)).answers == 7
    answers = open_chat(chaos, batch_out=file).chat(conversations(10), sampling())
    assert texts(answers)[3:] == [answer(line["body"]) for line in lines]
    assert chaos.requests == 3
    last = answers[-1]
    assert isinstance(last, EndpointCompletion)
    assert (last.tokens, last.prompt_tokens, last.dollars, last.cached) == (3, 5, None, True)


def test_one_file_takes_the_requests_of_all_chats(serve: Serve, open_chat: Open, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    model = open_chat(serve(), batch_out=file)
    for seed in (1, 2, 2):
        with pytest.raises(Waiting):
            model.chat(conversations(4), sampling(seed))
    assert len(file.read_text().splitlines()) == 8


def test_a_batch_needs_no_key(open_chat: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mendel.engine.budget import Budget
    from mendel.models.endpoints import Endpoints
    from mendel.study.schema import EndpointConfig

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file = tmp_path / "out.jsonl"
    with Endpoints(tmp_path, Budget(dollars=1.0), batch_out=file) as endpoints, pytest.raises(Waiting):
        endpoints.chat_model("openai:gpt-5-mini", EndpointConfig()).chat(conversations(1), sampling())
    assert "max_completion_tokens" in json.loads(file.read_text())["body"]


def test_failed_lines_are_counted_and_unknown_ones_kept(tmp_path: Path) -> None:
    results, cache = tmp_path / "in.jsonl", AnswerCache(tmp_path)
    body = completion({"model": "m", "messages": []}, (1, 1))
    rows: list[dict[str, Any]] = [
        {"custom_id": "stranger", "response": {"status_code": 200, "body": body}, "error": None},
        {"custom_id": "a", "response": {"status_code": 429, "body": {}}, "error": None},
        {"custom_id": "b", "response": None, "error": {"code": "batch_expired", "message": "late"}},
        {"custom_id": "c", "response": None, "error": {"code": "batch_expired", "message": "late"}},
    ]
    results.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    read = read_batch(results, cache)
    assert str(read) == "1 answers read, 3 requests failed (1 x status 429, 2 x batch_expired)"
    assert cache.get(KIND, "stranger")["completion"] == body
    assert cache.get(KIND, "a") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{half", "not valid JSON"),
        ("[]", "not a batch result"),
        ('{"custom_id": "a"}', "neither a response nor an error"),
    ],
)
def test_a_malformed_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    results = tmp_path / "in.jsonl"
    good = json.dumps({"custom_id": "a", "response": None, "error": {"code": "late"}})
    results.write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=rf"in\.jsonl:2: .*{words}"):
        read_batch(results, AnswerCache(tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl"):
        read_batch(tmp_path / "none.jsonl", AnswerCache(tmp_path))
