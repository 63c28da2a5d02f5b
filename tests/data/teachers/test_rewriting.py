"""A teacher that says another's rollouts again in its own words."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

import mendel.models.local.chat
from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.data.teachers import make_teacher, rewriting_chunks, rollout_chunks, teacher, teachers
from mendel.data.teachers import model as model_teacher
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.study.schema import TeacherConfig

Rollouts = dict[tuple[str, str], Rollout]


def prompts(count: int) -> tuple[Prompt, ...]:
    words = ["green", "yellow", "tall", "short", "pea"]
    return tuple(
        Prompt(f"p{n}", (Message(role="user", content=f"what is the {words[n % 5]} {words[n // 5 % 5]}"),))
        for n in range(count)
    )


def answered(asked: tuple[Prompt, ...], answer: str = "it is green", by: str = "A") -> Rollouts:
    return {(p.prompt_id, by): Rollout(p.prompt_id, by, p.messages, answer, "stop", 4) for p in asked}


def config(checkpoint: Path, **changes: Any) -> TeacherConfig:
    return TeacherConfig(**{"model": f"hf:{checkpoint}", "rewrites": "A", "max_tokens": 5, **changes})


def test_a_rewriter_answers_nothing_before_the_other_has(checkpoint: Path) -> None:
    assert rollout_chunks(config(checkpoint), "R", prompts(3), Path(), 0) == []


def test_every_prompt_gets_one_rewritten_rollout_to_train_on_as_the_other(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_teacher, "CHUNK_PROMPTS", 3)
    asked = prompts(7)
    chunks = rewriting_chunks(config(checkpoint), "R", asked, answered(asked), Path(), 0)
    assert [len(chunk.prompts) for chunk in chunks] == [3, 3, 1]
    rollouts = [rollout for chunk in pickle.loads(pickle.dumps(chunks)) for rollout in chunk.run()]
    assert [r.prompt_id for r in rollouts] == [p.prompt_id for p in asked]
    # A student is trained on the prompt, and sees neither instruction nor the other's answer.
    assert [r.messages for r in rollouts] == [p.messages for p in asked]
    assert {r.teacher for r in rollouts} == {"R"}
    assert rollouts == [rollout for chunk in chunks for rollout in chunk.run()]


def test_the_model_is_shown_the_conversation_and_the_answer_under_an_instruction(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def generate(model: Any, tokenizer: Any, conversations: Any, sampling: Any, opener: str) -> Any:
        seen.extend(conversations)
        return [mendel.models.Completion("said plainly", "stop", 3) for _ in conversations]

    monkeypatch.setattr(mendel.models.local.chat, "generate", generate)
    turns = [("system", "be brief"), ("user", "what is it"), ("assistant", "a pea"), ("user", "is it green")]
    asked = (Prompt("p0", tuple(Message(role=role, content=text) for role, text in turns)),)
    (chunk,) = rewriting_chunks(config(checkpoint), "R", asked, answered(asked, "oh yes sure"), Path(), 0)
    chunk.run()
    (own,) = rewriting_chunks(
        config(checkpoint, system="shorter"), "R", asked, answered(asked, "oh yes sure"), Path(), 0
    )
    own.run()
    assert [[turn["role"] for turn in talk] for talk in seen] == [["system", "user"]] * 2
    assert [talk[0]["content"] for talk in seen] == [model_teacher.INSTRUCTION, "shorter"]
    assert seen[0][1]["content"] == (
        "Conversation:\n\nSystem: be brief\n\nUser: what is it\n\nAssistant: a pea\n\nUser: is it green\n\n"
        "Answer to rewrite:\n\noh yes sure"
    )


def test_a_rewriting_chunks_digest_names_the_texts_that_are_rewritten(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(2)

    def digest_of(name: str = "R", answer: str = "it is green", seed: int = 0, **changes: Any) -> str:
        made = config(checkpoint, **changes)
        rollouts = answered(asked, answer, by=str(made.rewrites))
        (chunk,) = rewriting_chunks(made, name, asked, rollouts, Path(), seed)
        return chunk.digest

    plain = TeacherConfig(model=f"hf:{checkpoint}", max_tokens=5)
    varied = [
        digest_of(),
        digest_of(name="S"),
        digest_of(answer="it is tall"),
        digest_of(seed=1),
        digest_of(system="shorter"),
        digest_of(temperature=0.5),
        digest_of(max_tokens=6),
        rollout_chunks(plain, "R", asked, Path(), 0)[0].digest,
        rollout_chunks(plain.model_copy(update={"system": model_teacher.INSTRUCTION}), "R", asked, Path(), 0)[
            0
        ].digest,
    ]
    assert len(set(varied)) == len(varied)
    # Whose texts they are is a label.
    assert digest_of(rewrites="B") == digest_of()
    monkeypatch.setattr(model_teacher, "INSTRUCTION", "another")
    assert digest_of() not in varied


def test_another_answer_to_one_prompt_leaves_the_other_chunks_as_they_are(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_teacher, "CHUNK_PROMPTS", 2)
    asked = prompts(4)
    rollouts = answered(asked)
    before = [c.digest for c in rewriting_chunks(config(checkpoint), "R", asked, rollouts, Path(), 0)]
    rollouts["p3", "A"] = dataclasses.replace(rollouts["p3", "A"], completion="it is short")
    after = [c.digest for c in rewriting_chunks(config(checkpoint), "R", asked, rollouts, Path(), 0)]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_a_plain_teachers_digest_is_what_it_was_before_any_rewrote(checkpoint: Path) -> None:
    made = make_teacher(TeacherConfig(model=f"hf:{checkpoint}"), "A", Path())
    content = mendel.models.resolve_checkpoint(f"hf:{checkpoint}", Path()).digest
    assert made.digest == digest("teacher", [1, content, None, False, [1.0, 256]])
    assert make_teacher(config(checkpoint, max_tokens=256), "A", Path()).digest != made.digest


def test_prompts_that_the_other_did_not_answer_are_the_users_error(checkpoint: Path) -> None:
    asked = prompts(3)
    with pytest.raises(InputError, match=r"which does not answer 1 prompt \('p2'\)"):
        rewriting_chunks(config(checkpoint), "R", asked, answered(asked[:2]), Path(), 0, "study.yaml:7")


def test_a_teacher_that_rewrites_nothing_has_no_rewriting_to_do(checkpoint: Path) -> None:
    asked = prompts(3)
    assert rewriting_chunks(config(checkpoint, rewrites=None), "A", asked, answered(asked), Path(), 0) == []


def test_finished_rollouts_are_read_whatever_they_were_made_of(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"prompt_id": "p0", "completion": "yes"}\n')
    finished = TeacherConfig(model="file:r.jsonl", rewrites="A")
    (chunk,) = rollout_chunks(finished, "R", prompts(1), tmp_path, 0)
    assert [r.completion for r in chunk.run()] == ["yes"]
    assert (
        chunk.digest
        == rollout_chunks(TeacherConfig(model="file:r.jsonl"), "R", prompts(1), tmp_path, 0)[0].digest
    )
    assert rewriting_chunks(finished, "R", prompts(1), {}, tmp_path, 0) == []


def test_a_teacher_that_cannot_rewrite_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Parrot:
        digest = "0" * 64

        def chunks(self, prompts: Any, seed: int) -> list[Any]:
            return []

    teacher("parrot")(lambda *_: Parrot())
    try:
        with pytest.raises(InputError, match="teacher 'R' cannot rewrite rollouts"):
            rollout_chunks(TeacherConfig(model="parrot:x", rewrites="A"), "R", (), Path(), 0)
    finally:
        teachers.remove("parrot")


def test_an_instruction_is_not_trained_on() -> None:
    with pytest.raises(ValueError, match="no student is trained on it"):
        TeacherConfig(model="hf:x", rewrites="A", system="shorter", keep_system=True)
