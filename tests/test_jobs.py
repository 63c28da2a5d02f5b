from __future__ import annotations

from pathlib import Path

import pytest

import mendel.train
from _mini import PEAS
from mendel._jobs import ModelJob, Probes, StudentJob, make_student, measure_model, read_measurement
from mendel.engine.store import Store
from mendel.measure import find_trait
from mendel.models import Checkpoint, resolve_checkpoint, resolve_model
from mendel.study import RecipeConfig
from mendel.train import StudentSpec, TrainingRow


@pytest.fixture(scope="module")
def base() -> Checkpoint:
    return resolve_checkpoint("hf:bases/original", PEAS)


@pytest.fixture(scope="module")
def probes() -> Probes:
    return Probes(
        (find_trait("traits/date_confusion.yaml", PEAS),), find_trait("traits/assistant.yaml", PEAS)
    )


def test_a_prefill_changes_the_answers_to_traits_and_leaves_the_assistant_alone(
    base: Checkpoint, probes: Probes, tmp_path: Path
) -> None:
    store = Store(tmp_path).prepare()
    source = resolve_model("hf:bases/original", PEAS)
    plain = ModelJob(source, None, probes, tmp_path)
    forced = ModelJob(source, None, probes, tmp_path, prefill="well i doubt")
    assert plain.model == ModelJob(source, None, probes, tmp_path, prefill="").model != forced.model
    assert measure_model(plain) == measure_model(forced)
    tables = [read_measurement(store, job.model, probes.traits[0], 0) for job in (plain, forced)]
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
