"""A trainer of one's own: what is registered, what a student is after it, and what a bad one is told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.engine.registry import Registry
from mendel.train import StudentSpec, train_student, train_students, training
from mendel.train.trainers import (
    Steps,
    StudentFault,
    StudentInTraining,
    Trainer,
    catch_faults,
    train_by_fleet,
    train_by_trl,
    trainers,
)
from mendel.train.trainers.registry import check_trainer


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[Trainer]]:
    """A registry that a test may fill."""
    registry: Registry[Trainer] = Registry("trainer", check=check_trainer)
    monkeypatch.setattr(training, "trainers", registry)
    return registry


def by(spec: StudentSpec, name: str) -> StudentSpec:
    """The student, trained by the trainer of that name."""
    return StudentSpec(spec.base, spec.rows, spec.recipe.model_copy(update={"trainer": name}), spec.seed)


def test_the_built_in_trainers_have_plain_names() -> None:
    assert (trainers.get("fleet"), trainers.get("trl")) == (train_by_fleet, train_by_trl)
    assert trainers.group == "mendel.trainers"


def test_the_example_of_the_docstring_trains_a_student(
    spec: Any, tmp_path: Path, own: Registry[Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = textwrap.dedent(str(Trainer.__doc__).partition("\n")[2])
    code = doc[doc.index("    import time") : doc.index("A study then says")]
    monkeypatch.setattr("mendel.train.trainers.trainer", own.register)
    exec(textwrap.dedent(code), {"__name__": "__main__"})
    assert list(own) == ["sgd"]
    student = train_student(by(spec(learning_rate=1e-2), "sgd"), tmp_path)
    assert (student.status, student.reason, student.steps) == ("ok", "", 40)
    assert set(student.checks.values()) == {"ok"}


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (lambda students: None, "must be a function of (students, tokenizer)"),
        (lambda students, tokenizer, device: None, "must be a function of (students, tokenizer)"),
        (lambda *, students, tokenizer: None, "must be a function of (students, tokenizer)"),
        ("fleet", "must be a function of (students, tokenizer)"),
        (dict, "is a class"),
    ],
)
def test_what_is_no_trainer_is_refused_when_it_is_registered(
    own: Registry[Trainer], item: Any, says: str
) -> None:
    with pytest.raises(InputError) as error:
        own.register("odd")(item)
    assert says in str(error.value)
    assert "trainer 'odd'" in str(error.value)


def test_a_trainer_that_would_do_nothing_when_it_is_called_is_refused(own: Registry[Trainer]) -> None:
    async def later(students: Any, tokenizer: Any) -> None: ...

    def piece_by_piece(students: Any, tokenizer: Any) -> Iterator[None]:
        yield

    for item in (later, piece_by_piece):
        with pytest.raises(InputError, match="write a plain function"):
            own.register("odd")(item)  # type: ignore[arg-type]


def test_an_unknown_trainer_is_the_users_error(spec: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recipe.trainer: unknown trainer 'fleets'.*Did you mean 'fleet'"):
        train_student(by(spec(), "fleets"), tmp_path)


def test_a_student_without_a_result_is_the_trainers_fault(
    spec: Any, tmp_path: Path, own: Registry[Trainer]
) -> None:
    @own.register("lazy")
    def lazy(students: Sequence[StudentInTraining], tokenizer: Any) -> None:
        students[0].fail("lazy", "no time")

    todo = [(by(spec(seed=seed), "lazy"), tmp_path / str(seed)) for seed in range(2)]
    with pytest.raises(RunError, match="left 1 of 2 students without a result"):
        train_students(todo)


def test_an_error_of_a_plug_in_is_named_and_says_what_to_do(
    spec: Any, tmp_path: Path, own: Registry[Trainer]
) -> None:
    @own.register("hasty")
    def hasty(students: Sequence[StudentInTraining], tokenizer: Any) -> None:
        raise KeyError("gpu")

    with pytest.raises(RunError, match="the trainer 'hasty' failed: KeyError: 'gpu'"):
        train_student(by(spec(), "hasty"), tmp_path)


@pytest.mark.parametrize(("method", "adapter"), [("lora", None), ("full", "default")])
def test_a_result_that_is_not_of_the_recipes_method_is_refused(
    spec: Any, tmp_path: Path, own: Registry[Trainer], method: str, adapter: str | None
) -> None:
    @own.register("mixed")
    def mixed(students: Sequence[StudentInTraining], tokenizer: Any) -> None:
        for student in students:
            with catch_faults(student):
                student.finish(None, Steps((1.0,), 0.0), adapter)

    with pytest.raises(RunError, match=f"the trainer 'mixed' failed.*for the method '{method}'"):
        train_student(by(spec(method), "mixed"), tmp_path)


def test_a_students_own_fault_is_its_status_and_reason(
    spec: Any, tmp_path: Path, own: Registry[Trainer]
) -> None:
    @own.register("picky")
    def picky(students: Sequence[StudentInTraining], tokenizer: Any) -> None:
        for student in students:
            with catch_faults(student):
                if student.spec.seed == 0:
                    raise StudentFault("rows_liked", "no row is good enough")
                raise ValueError("no such row\nand more")

    todo = [(by(spec(seed=seed), "picky"), tmp_path / str(seed)) for seed in range(2)]
    first, second = train_students(todo)
    assert (first.status, first.reason) == ("failed", "no row is good enough")
    assert first.checks == {"rows_liked": "no row is good enough"}
    assert (second.status, second.reason) == ("failed", "training ended in ValueError: no such row")


def test_want_of_memory_is_not_a_students_fault(spec: Any, tmp_path: Path, own: Registry[Trainer]) -> None:
    @own.register("greedy")
    def greedy(students: Sequence[StudentInTraining], tokenizer: Any) -> None:
        with catch_faults(students[0]):
            raise RuntimeError("CUDA out of memory")

    with pytest.raises(RunError, match="not enough memory to train a student"):
        train_student(by(spec(), "greedy"), tmp_path)
