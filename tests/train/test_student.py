from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import pytest

from mendel.engine.digest import digest
from mendel.train import TrainedStudent, TrainingRow, namer
from mendel.train.student import TRAINER_VERSION


def test_everything_that_a_student_depends_on_is_in_its_name(spec: Any) -> None:
    one = spec()
    row = dataclasses.replace(one.rows[0], completion="it is not")
    others = [
        spec(seed=1),
        spec(rows=one.rows[1:]),
        spec(rows=one.rows[::-1]),
        spec(rows=(row, *one.rows[1:])),
        spec(learning_rate=1e-3),
        spec("lora"),
        spec(base=dataclasses.replace(one.base, digest="other")),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == len(others) + 1


@pytest.mark.parametrize("text", ["it is", 'a "quoted"\n line', "naïve — 日本 \ud800", ""])
def test_a_name_is_the_digest_of_what_stands_in_it(spec: Any, text: str) -> None:
    one = spec(seed=7)
    one = dataclasses.replace(one, rows=(dataclasses.replace(one.rows[0], completion=text), *one.rows[1:]))
    content = {
        "base": one.base.digest,
        "rows": [[[[m["role"], m["content"]] for m in row.messages], row.completion] for row in one.rows],
        "recipe": one.recipe.model_dump(mode="json"),
        "seed": one.seed,
        "trainer": TRAINER_VERSION,
    }
    assert one.digest == digest("student", content)
    name = namer(one.base, [row.text for row in one.rows], one.recipe)
    assert [name(seed) for seed in (7, 8, 7)] == [
        one.digest,
        dataclasses.replace(one, seed=8).digest,
        one.digest,
    ]


def test_labels_and_places_are_not_in_its_name(spec: Any) -> None:
    one = spec()
    renamed = tuple(TrainingRow("x", "y", row.messages, row.completion) for row in one.rows)
    moved = dataclasses.replace(one.base, path="/elsewhere", ref="hf:elsewhere")
    assert spec(rows=renamed, base=moved).digest == one.digest
    assert pickle.loads(pickle.dumps(one)).digest == one.digest


def test_what_came_of_a_student_survives_the_disk() -> None:
    student = TrainedStudent(
        student="a", status="broken", reason="why", n_examples=3, tokens=30, trained_tokens=9, steps=2,
        train_seconds=0.1, train_loss=None, first_loss=1.0, loss_before=1.0, loss_after=None, n_cut=1,
        bound_adapters=None, weight_change=0.1, template_digest="t", checks={"loss_finite": "why"},
    )  # fmt: skip
    assert TrainedStudent.from_json(json.loads(json.dumps(student.to_json()))) == student
