from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

from mendel.train import TrainedStudent, TrainingRow


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
