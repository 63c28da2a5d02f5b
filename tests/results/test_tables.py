from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from _mini import PEAS
from mendel.engine.store import Store
from mendel.measure import Health, Trait, find_trait
from mendel.measure.schema import measurement_schema
from mendel.results.tables import schema
from mendel.workflow.measurements import Measurements
from mendel.workflow.tables import MeasuredModel, measurements_table, name_students

SEED = 0
ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture(scope="module")
def probes() -> tuple[Trait, ...]:
    return tuple(find_trait(f"traits/{name}.yaml", PEAS) for name in ("date_confusion", "assistant"))


def measured(student: str, probe: Trait, count: int) -> pa.Table:
    """As a worker writes it: under the student's whole name, with columns that a run's folder leaves out."""
    rows = [
        {"student": student, "trait": probe.name, "scenario": f"s{n}", "response": f"{student[0]}{n}"}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=measurement_schema())


def models(*names: str) -> list[MeasuredModel]:
    return [MeasuredModel(f"base/{i}", name, "hf:b", Health(1.0, 1.0, 9)) for i, name in enumerate(names)]


def test_measurements_stand_in_the_tables_under_the_names_that_students_have_there(
    tmp_path: Path, probes: tuple[Trait, ...]
) -> None:
    store, (trait, assistant) = Store(tmp_path).prepare(), probes
    Measurements(store, ONE, SEED).write_scores(trait, measured(ONE, trait, 3))
    Measurements(store, ONE, SEED).write_scores(assistant, measured(ONE, assistant, 2))
    Measurements(store, OTHER, SEED).write_scores(trait, measured(OTHER, trait, 1))
    # A model that stands for two arms has a name for each.
    table = measurements_table(store, name_students(models(ONE, OTHER, ONE), []), probes)
    assert table.schema == schema("measurements")
    short, again = ONE[:12], f"{ONE[:12]}@base/2"
    assert table["student"].to_pylist() == [*[short] * 5, OTHER[:12], *[again] * 5]
    assert table["trait"].to_pylist()[:6] == [*[trait.name] * 3, *[assistant.name] * 2, trait.name]
    assert table["response"].to_pylist()[:6] == ["10", "11", "12", "10", "11", "20"]
    assert measurements_table(store, [], probes).num_rows == 0


def test_a_measurement_is_read_once_and_a_later_one_is_found(
    tmp_path: Path, probes: tuple[Trait, ...]
) -> None:
    store, (trait, assistant) = Store(tmp_path).prepare(), probes
    named = name_students(models(ONE, OTHER), [])
    Measurements(store, ONE, SEED).write_scores(trait, measured(ONE, trait, 3))
    first = measurements_table(store, named, probes)
    shutil.rmtree(tmp_path / "measurements")
    assert measurements_table(store, named, probes) == first
    Measurements(store, ONE, SEED).write_scores(assistant, measured(ONE, assistant, 2))
    Measurements(store, OTHER, SEED).write_scores(trait, measured(OTHER, trait, 1))
    assert measurements_table(store, named, probes).num_rows == 6
