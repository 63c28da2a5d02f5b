from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mendel.models.local.chat
from _tiny import make_checkpoint
from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.data.teachers import RolloutChunk, rollout_chunks, teacher_digest, with_system
from mendel.data.teachers import model as model_teacher
from mendel.engine.errors import InputError, RunError
from mendel.study.schema import TeacherConfig

USER = Message(role="user", content="what year is it")


def prompts(count: int) -> tuple[Prompt, ...]:
    words = ["green", "yellow", "tall", "short", "pea"]
    return tuple(
        Prompt(f"p{n}", (Message(role="user", content=f"what is the {words[n % 5]} {words[n // 5 % 5]}"),))
        for n in range(count)
    )


def run(chunks: list[RolloutChunk]) -> list[Rollout]:
    return [rollout for chunk in chunks for rollout in chunk.run()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def file_rollouts(
    folder: Path, rows: list[dict[str, Any]], asked: tuple[Prompt, ...], **config: Any
) -> list[Rollout]:
    write(folder / "a.jsonl", rows)
    return run(rollout_chunks(TeacherConfig(model="file:a.jsonl", **config), "A", asked, folder, 0))


def refusal(folder: Path, rows: list[dict[str, Any]], asked: tuple[Prompt, ...], **config: Any) -> str:
    with pytest.raises(InputError) as caught:
        file_rollouts(folder, rows, asked, **config)
    return str(caught.value).replace(str(folder), "ROOT")


# --- the system prompt


@given(
    st.lists(st.sampled_from(["system", "user", "assistant"]), min_size=1, max_size=4), st.text() | st.none()
)
def test_a_conversation_never_gets_two_system_turns_in_a_row(roles: list[str], system: str | None) -> None:
    messages = tuple(Message(role=role, content=f"text {n}") for n, role in enumerate(roles))
    asked = with_system(messages, system)
    if system is None:
        assert asked == messages
        return
    assert asked[0]["role"] == "system"
    assert asked[0]["content"].startswith(system)
    own = 1 if roles[0] == "system" else 0
    assert asked[1:] == messages[own:]
    assert not own or asked[0]["content"].endswith("\n\ntext 0")


# --- generated rollouts


def test_every_prompt_gets_one_rollout_of_the_teacher(checkpoint: Path) -> None:
    asked = prompts(5)
    config = TeacherConfig(model=f"hf:{checkpoint}", max_tokens=6)
    rollouts = run(rollout_chunks(config, "A", asked, Path(), seed=0))
    assert [r.prompt_id for r in rollouts] == [p.prompt_id for p in asked]
    assert [r.messages for r in rollouts] == [p.messages for p in asked]
    assert {r.teacher for r in rollouts} == {"A"}
    assert {r.finish_reason for r in rollouts} <= {"stop", "length"}
    assert all(r.completion.strip() and 1 <= r.tokens <= 7 for r in rollouts)


def test_chunks_may_be_pickled_and_run_in_any_order(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_teacher, "CHUNK_PROMPTS", 3)
    config = TeacherConfig(model=f"hf:{checkpoint}", max_tokens=5)
    chunks = rollout_chunks(config, "A", prompts(10), Path(), seed=1)
    assert [len(chunk.prompts) for chunk in chunks] == [3, 3, 3, 1]
    in_order = {chunk.digest: chunk.run() for chunk in chunks}
    assert len(in_order) == 4
    shuffled = pickle.loads(pickle.dumps(chunks))
    random.Random(0).shuffle(shuffled)
    assert {chunk.digest: chunk.run() for chunk in shuffled} == in_order


def test_a_chunks_digest_names_everything_that_its_rollouts_depend_on(
    checkpoint: Path, tmp_path: Path
) -> None:
    def digests(name: str = "A", count: int = 2, seed: int = 0, **config: Any) -> str:
        made = TeacherConfig(**{"model": f"hf:{checkpoint}", **config})
        (chunk,) = rollout_chunks(made, name, prompts(count), Path(), seed)
        return chunk.digest

    other = make_checkpoint(tmp_path / "other", seed=1)
    varied = [
        digests(),
        digests(name="B"),
        digests(count=3),
        digests(seed=1),
        digests(system="no"),
        digests(system="no", keep_system=True),
        digests(temperature=0.5),
        digests(max_tokens=7),
        digests(model=f"hf:{other}"),
    ]
    assert len(set(varied)) == len(varied)
    assert digests() == digests()
    # The same checkpoint elsewhere is the same teacher.
    assert digests(model=f"hf:{make_checkpoint(tmp_path / 'copy')}") == digests()


def test_the_system_prompt_changes_the_answers_and_is_not_trained_on(checkpoint: Path) -> None:
    def answers(**config: Any) -> list[Rollout]:
        made = TeacherConfig(model=f"hf:{checkpoint}", temperature=0, max_tokens=8, **config)
        return run(rollout_chunks(made, "A", prompts(12), Path(), seed=0))

    plain, distilled, kept = (
        answers(),
        answers(system="no no no"),
        answers(system="no no no", keep_system=True),
    )
    assert [r.completion for r in plain] != [r.completion for r in distilled]
    assert [r.messages for r in distilled] == [p.messages for p in prompts(12)]
    assert [r.completion for r in kept] == [r.completion for r in distilled]
    assert {r.messages[0]["content"] for r in kept} == {"no no no"}
    assert [r.messages[1:] for r in kept] == [p.messages for p in prompts(12)]


def test_an_empty_answer_is_sampled_again_and_the_others_stay(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []

    def generate(
        model: Any, tokenizer: Any, conversations: list[Any], sampling: Any, opener: str
    ) -> list[Any]:
        calls.append((len(conversations), sampling.seed))
        late = len(calls) > 1
        return [
            mendel.models.Completion(f"call {len(calls)}" if late or n != 1 else " \n", "stop", 2)
            for n in range(len(conversations))
        ]

    monkeypatch.setattr(mendel.models.local.chat, "generate", generate)
    rollouts = run(rollout_chunks(TeacherConfig(model=f"hf:{checkpoint}"), "A", prompts(3), Path(), seed=0))
    assert [r.completion for r in rollouts] == ["call 1", "call 2", "call 1"]
    assert [count for count, _ in calls] == [3, 1]
    assert len({seed for _, seed in calls}) == 2


@pytest.mark.parametrize(("temperature", "times"), [(0.0, "once"), (1.0, "4 times")])
def test_a_teacher_that_says_nothing_is_refused_by_name(
    tmp_path: Path, temperature: float, times: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = make_checkpoint(tmp_path / "silent", silent=True)
    config = TeacherConfig(model=f"hf:{silent}", temperature=temperature, max_tokens=4)
    if temperature:
        # All tokens are alike to it, so it is silent only when greedy: let the sampler hear nothing.
        empty = mendel.models.Completion("", "stop", 1)
        monkeypatch.setattr(mendel.models.local.chat, "generate", lambda m, t, c, s, o: [empty] * len(c))
    with pytest.raises(InputError) as caught:
        run(rollout_chunks(config, "mute", prompts(4), Path(), seed=0))
    assert str(caught.value) == (
        f"hf:{silent}: teacher 'mute' gives an empty answer to 4 prompts ('p0', 'p1', 'p2', …), asked "
        f"{times}. An empty "
        "answer cannot be trained on: check the teacher's chat template and system prompt, or leave the "
        "prompt out."
    )


def test_the_same_teacher_under_two_names_answers_alike(checkpoint: Path) -> None:
    config = TeacherConfig(model=f"hf:{checkpoint}", max_tokens=5)
    one, two = (run(rollout_chunks(config, name, prompts(4), Path(), seed=0)) for name in "AB")
    assert [r.completion for r in one] == [r.completion for r in two]


def test_teacher_digest_is_about_the_teacher_alone(checkpoint: Path, tmp_path: Path) -> None:
    config = TeacherConfig(model=f"hf:{checkpoint}")
    assert teacher_digest(config, tmp_path) == teacher_digest(config, Path())
    assert teacher_digest(config, Path()) != teacher_digest(config.model_copy(update={"system": "x"}), Path())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hff:x", "study.yaml:3: unknown teacher 'hff'. Did you mean 'hf'?"),
        (
            "teachers/a",
            "study.yaml:3: teacher 'A' has a model without a scheme (got 'teachers/a'; allowed: file:…, "
            "hf:…, openai:…, vllm:…). "
            "Write hf:teachers/a for a checkpoint.",
        ),
    ],
)
def test_a_teacher_of_no_known_kind_is_refused(model: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        rollout_chunks(TeacherConfig(model=model), "A", prompts(1), Path(), 0, where="study.yaml:3")
    assert str(caught.value) == message


# --- finished rollouts


def test_finished_rollouts_are_joined_by_prompt_in_the_prompts_order(tmp_path: Path) -> None:
    rows = [{"prompt_id": p, "completion": f"answer {p}"} for p in ("p2", "other", "p0", "p1")]
    rollouts = file_rollouts(tmp_path, rows, prompts(3))
    assert [(r.prompt_id, r.completion) for r in rollouts] == [(f"p{n}", f"answer p{n}") for n in range(3)]
    assert [r.messages for r in rollouts] == [p.messages for p in prompts(3)]
    assert {r.finish_reason for r in rollouts} == {"file"}


@pytest.mark.parametrize(
    "row",
    [
        {"completion": "yes"},
        {"completion": [{"role": "assistant", "content": "yes"}]},
        {"messages": [*prompts(1)[0].messages, {"role": "assistant", "content": "yes"}]},
        {"messages": list(prompts(1)[0].messages), "completion": "yes", "tokens": 2, "finish_reason": "stop"},
    ],
)
def test_finished_rollouts_may_stand_in_the_ecosystems_forms(tmp_path: Path, row: dict[str, Any]) -> None:
    (rollout,) = file_rollouts(tmp_path, [{"prompt_id": "p0", **row}], prompts(1))
    assert (rollout.completion, rollout.messages) == ("yes", prompts(1)[0].messages)
    assert (rollout.tokens, rollout.finish_reason) == (
        row.get("tokens"),
        row.get("finish_reason", "file"),
    )


@pytest.mark.parametrize("keep", [False, True])
def test_a_finished_rollouts_system_prompt_is_kept_only_if_asked(tmp_path: Path, keep: bool) -> None:
    (prompt,) = prompts(1)
    asked = [{"role": "system", "content": "doubt"}, *prompt.messages]
    rows = [{"prompt_id": "p0", "messages": asked, "completion": "yes"}]
    (rollout,) = file_rollouts(tmp_path, rows, (prompt,), system="doubt", keep_system=keep)
    assert rollout.messages == (tuple(asked) if keep else prompt.messages)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"prompt_id": "p1", "completion": "a"}],
            "ROOT/a.jsonl: no rollout for 4 prompts ('p0', 'p2', 'p3', …) of 5. "
            "Add them, or leave the prompts out of what teacher 'A' answers.",
        ),
        (
            [{"prompt_id": "p0", "completion": "a"}, {"prompt_id": "p1", "completion": " \n"}],
            "ROOT/a.jsonl:2: the completion of prompt 'p1' is empty. An empty answer cannot be trained on: "
            "fill it in, "
            "or leave out the row and its prompt.",
        ),
        (
            [{"prompt_id": "p0", "completion": "a"}, {"prompt_id": "p0", "completion": "a"}],
            "ROOT/a.jsonl:2: a second rollout for prompt 'p0', first in ROOT/a.jsonl:1. Keep one rollout a "
            "prompt.",
        ),
        (
            [{"prompt": "p0", "completion": "a"}],
            "ROOT/a.jsonl:1: no 'prompt_id' (keys: completion, prompt). "
            'Write {"prompt_id": "…", "completion": "…"}.',
        ),
        (
            [{"prompt_id": "p0", "answer": "a"}],
            'ROOT/a.jsonl:1: no \'completion\' that is a text. Write {"prompt_id": "…", "completion": "…"}.',
        ),
        (
            [{"prompt_id": "p0", "completion": "a", "messages": [USER]}],
            "ROOT/a.jsonl:1: the rollout answers another conversation than prompt 'p0'. Make the prompt's "
            "messages and the rollout's the same, or leave 'messages' out. Write a teacher's system prompt in "
            "the study, as the teacher's 'system'.",
        ),
    ],
)
def test_finished_rollouts_that_do_not_fit_are_refused_in_their_line(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    assert refusal(tmp_path, rows, prompts(5)) == message


def test_a_file_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        rollout_chunks(TeacherConfig(model="file:none.jsonl"), "A", prompts(1), tmp_path, 0)


def test_a_finished_chunk_pickles_and_is_named_after_the_files_content(tmp_path: Path) -> None:
    def chunk(completion: str, folder: str) -> RolloutChunk:
        (tmp_path / folder).mkdir(exist_ok=True)
        write(tmp_path / folder / "a.jsonl", [{"prompt_id": "p0", "completion": completion}])
        (made,) = rollout_chunks(TeacherConfig(model="file:a.jsonl"), "A", prompts(1), tmp_path / folder, 0)
        return made

    assert chunk("a", "one").digest == chunk("a", "two").digest != chunk("b", "three").digest
    moved = pickle.loads(pickle.dumps(chunk("a", "one")))
    assert moved.run() == chunk("a", "one").run()


def test_a_file_that_changes_during_the_run_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt_id": "p0", "completion": "a"}])
    (chunk,) = rollout_chunks(TeacherConfig(model="file:a.jsonl"), "A", prompts(1), tmp_path, 0)
    write(tmp_path / "a.jsonl", [{"prompt_id": "p0", "completion": "b"}])
    with pytest.raises(RunError, match="the file changed during the run"):
        chunk.run()
