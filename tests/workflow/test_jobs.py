from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import mendel.train
from _mini import PEAS
from _vllm import vllm
from mendel.data.prompts import Prompt
from mendel.data.rollouts import Rollout
from mendel.engine.errors import RunError
from mendel.engine.store import Store
from mendel.measure import Trait, find_trait
from mendel.models import Checkpoint, ModelSource, resolve_checkpoint, resolve_model
from mendel.study import RecipeConfig
from mendel.train import StudentSpec, TrainingRow
from mendel.workflow import jobs as _jobs
from mendel.workflow.jobs import (
    ModelJob,
    Probes,
    RolloutJob,
    StudentJob,
    make_student,
    make_students,
    measure_model,
    roll_out,
)
from mendel.workflow.measurements import Measurements

__all__ = ["vllm"]


@pytest.fixture(scope="module")
def base() -> Checkpoint:
    return resolve_checkpoint("hf:bases/original", PEAS)


@pytest.fixture(scope="module")
def probes() -> Probes:
    return Probes(
        (find_trait("traits/date_confusion.yaml", PEAS),), find_trait("traits/assistant.yaml", PEAS)
    )


@dataclass(frozen=True)
class PluginChunk:
    """A chunk of a plug-in's teacher, which returns rollouts or raises."""

    says: tuple[Rollout, ...] | Exception
    digest: str = "0" * 64
    teacher: str = "parrot"
    prompts: tuple[Prompt, ...] = (Prompt("p", ({"role": "user", "content": "Hi"},)),)

    def run(self) -> list[Rollout]:
        if isinstance(self.says, Exception):
            raise self.says
        return list(self.says)


def test_what_a_plug_ins_teacher_does_wrong_is_an_error_that_names_it(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    rollout = Rollout("p", "parrot", PluginChunk(()).prompts[0].messages, "hi", "stop", None)
    wrong: list[tuple[Any, str]] = [
        (ZeroDivisionError("no"), "'parrot': failed: ZeroDivisionError: no. Correct test_jobs"),
        ((rollout, rollout), "'parrot': did not return one rollout for each of 1 prompts"),
        ((replace(rollout, teacher="sage"),), "did not return one rollout for each of 1 prompts"),
        (("hi",), "'parrot': failed: TypeError"),
    ]
    for says, message in wrong:
        with pytest.raises(RunError, match=message):
            roll_out(RolloutJob(PluginChunk(says), store.root))
        assert not store.has("rollouts", PluginChunk(()).digest)
    assert roll_out(RolloutJob(PluginChunk((rollout,)), store.root))


def test_a_prefill_changes_the_answers_to_traits_and_leaves_the_assistant_alone(
    base: Checkpoint, probes: Probes, tmp_path: Path
) -> None:
    store = Store(tmp_path).prepare()
    source = resolve_model("hf:bases/original", PEAS)
    plain = ModelJob(source, None, probes, tmp_path)
    forced = ModelJob(source, None, probes, tmp_path, prefill="well i doubt")
    assert plain.model == ModelJob(source, None, probes, tmp_path, prefill="").model != forced.model
    assert measure_model(plain) == measure_model(forced)
    tables = [Measurements(store, job.model, 0).scores(probes.traits[0]) for job in (plain, forced)]
    assert all(table is not None for table in tables)
    free, begun = ([str(text) for text in table["response"].to_pylist()] for table in tables if table)
    assert all(text.startswith("well i doubt") for text in begun)
    assert not all(text.startswith("well i doubt") for text in free)


def test_a_student_is_read_back_once_and_measured_once(
    base: Checkpoint, probes: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = mendel.train.load_student

    def load_student(spec: StudentSpec, folder: Path) -> object:
        read.append(folder)
        return load(spec, folder)

    monkeypatch.setattr(mendel.train, "load_student", load_student)
    talk = ({"role": "user", "content": probes.traits[0].scenarios[0].messages[0]["content"]},)
    rows = tuple(TrainingRow(f"p{n}", "A", talk, "well i agree") for n in range(8))  # type: ignore[arg-type]
    recipe = RecipeConfig(method="norms", batch_size=8, learning_rate=1e-3, max_length=64)
    Store(tmp_path).prepare()
    job = StudentJob(StudentSpec(base, rows, recipe, 0), probes, 0.0, tmp_path)
    first = make_student(job)
    assert (first.status, first.reason, first.new) == ("ok", "", True)
    assert len(read) == 1
    again = make_student(job)
    assert (again.status, again.new, again.health) == ("ok", False, first.health)
    assert len(read) == 1


def test_a_student_is_asked_everything_at_once_and_stored_only_if_it_works(
    base: Checkpoint, probes: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mendel.measure

    asked: list[list[str]] = []
    respond_all = mendel.measure.respond_all

    def watch(chat: object, traits: list[Trait], *more: object) -> object:
        asked.append([trait.name for trait in traits])
        return respond_all(chat, traits, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(mendel.measure, "respond_all", watch)
    talk = ({"role": "user", "content": "is it"},)
    rows = tuple(TrainingRow(f"p{n}", "A", talk, "well i agree") for n in range(8))  # type: ignore[arg-type]
    recipe = RecipeConfig(method="norms", batch_size=8, learning_rate=1e-3, max_length=64)
    store = Store(tmp_path).prepare()
    spec, all_of_them = StudentSpec(base, rows, recipe, 0), ["assistant", "date_confusion"]
    broken = make_student(StudentJob(spec, probes, 100.0, tmp_path))
    assert (broken.status, asked) == ("broken", [all_of_them])
    again = make_student(StudentJob(spec, probes, 100.0, tmp_path))
    assert (again.status, asked) == ("broken", [all_of_them])
    assert Measurements(store, spec.digest, 0).responses(probes.assistant) is not None
    assert Measurements(store, spec.digest, 0).responses(probes.traits[0]) is None
    works = make_student(StudentJob(spec, probes, 0.0, tmp_path))
    assert (works.status, asked) == ("ok", [all_of_them, ["date_confusion"]])
    assert Measurements(store, spec.digest, 0).responses(probes.traits[0]) is not None


@pytest.mark.parametrize("gpu", [True, False])
def test_a_fleet_of_adapters_gives_what_its_students_give_alone(
    base: Checkpoint, probes: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    """One by one, and in one batch as on a GPU; a broken one among them is measured on nothing."""
    monkeypatch.setattr(_jobs, "has_gpu", lambda: gpu)
    scenario = probes.traits[0].scenarios[0]
    rows = tuple(TrainingRow(f"p{n}", "A", scenario.messages, "well i agree") for n in range(24))
    recipe = RecipeConfig(method="lora", rank=4, epochs=2, batch_size=8, learning_rate=3e-3, max_length=64)
    jobs = [
        StudentJob(
            StudentSpec(base, rows[seed:] if seed else (), recipe, seed), probes, 0.0, tmp_path / "fleet"
        )
        for seed in range(3)
    ]
    alone = [
        make_student(StudentJob(job.spec, probes, 0.0, Store(tmp_path / "alone").prepare().root))
        for job in jobs
    ]
    Store(tmp_path / "fleet").prepare()
    together = make_students(jobs)
    assert [student.status for student in together] == ["failed", "ok", "ok"]
    assert [student.new for student in together] == [True] * 3
    assert [s.health for s in together] == [s.health for s in alone]
    for job, one in zip(jobs, alone, strict=True):
        mine, theirs = (
            Measurements(Store(tmp_path / place), job.spec.digest, 0).scores(probes.traits[0])
            for place in ("fleet", "alone")
        )
        assert (mine is None) == (theirs is None) == (one.status != "ok")
        if mine is not None and theirs is not None:
            assert mine["response"].to_pylist() == theirs["response"].to_pylist()
            assert mine["log_odds"].to_pylist() == pytest.approx(theirs["log_odds"].to_pylist(), abs=1e-3)
    assert [student.new for student in make_students(jobs)] == [False] * 3


def test_vllm_answers_for_a_base_and_its_students_where_the_study_says_so(
    probes: Probes, tmp_path: Path, vllm: Any
) -> None:
    """All adapters in one batch; log-odds as without it; and it is not started for what the store has."""
    base = resolve_checkpoint("vllm:bases/original", PEAS)
    scenario = probes.traits[0].scenarios[0]
    few = Probes((replace(probes.traits[0], scenarios=probes.traits[0].scenarios[:3]),), probes.assistant)
    rows = tuple(TrainingRow(f"p{n}", "A", scenario.messages, "well i agree") for n in range(16))
    recipe = RecipeConfig(method="lora", rank=4, epochs=2, batch_size=8, learning_rate=3e-3, max_length=64)
    store = Store(tmp_path).prepare()
    source = ModelSource(base.ref, base.digest, base, rank=4)
    health = measure_model(ModelJob(source, None, few, tmp_path))
    assert health.right > 0.5
    jobs = [StudentJob(StudentSpec(base, rows[seed:], recipe, seed), few, 0.0, tmp_path) for seed in range(2)]
    assert [student.status for student in make_students(jobs)] == ["ok", "ok"]
    names = {job.spec.digest for job in jobs}
    (engine,) = vllm.made
    assert set(engine.batches[0]) == {None}
    assert any(set(batch) == names for batch in engine.batches)
    for job in jobs:
        table = Measurements(store, job.spec.digest, 0).scores(few.traits[0])
        assert table is not None
        local = make_student(
            replace(job, spec=replace(job.spec, base=resolve_checkpoint("hf:bases/original", PEAS)))
        )
        theirs = Measurements(store, local.trained.student, 0).scores(few.traits[0])
        assert theirs is not None
        assert table["log_odds"].to_pylist() == pytest.approx(theirs["log_odds"].to_pylist(), abs=1e-3)
    asked = len(engine.batches)
    assert [student.new for student in make_students(jobs)] == [False] * 2
    # A broken one stays broken without being asked again.
    strict = [replace(job, base_right=100.0) for job in jobs]
    assert [student.status for student in make_students(strict)] == ["broken"] * 2
    assert (len(vllm.made), len(engine.batches)) == (1, asked)
