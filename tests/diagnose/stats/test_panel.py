import numpy as np
import pyarrow as pa
import pytest

from _planted import row, student, study
from mendel.diagnose.stats.panel import panel


def made(statuses=("ok", "ok")):
    students = pa.Table.from_pylist(
        [student(f"a{i}", "cube/OOO", i, status) for i, status in enumerate(statuses)]
    )
    rows = [
        row(f"a{i}", "t", j, j // 2, k, bool((i + j + k) % 2))
        for i in range(len(statuses))
        for j in range(6)
        for k in range(2)
    ]
    return students, rows


def test_only_ok_students_count():
    students, rows = made(("ok", "broken", "failed"))
    found = panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1))
    assert found is not None
    assert found.students == ("a0",)


def test_samples_are_averaged_within_a_scenario_before_scenarios_are():
    students, rows = made(("ok",))
    rows = [row("a0", "t", 0, 0, k, True) for k in range(10)] + [row("a0", "t", 1, 1, 0, False)]
    found = panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1))
    assert found is not None
    assert found.sums.sum() / found.sizes.sum() == 0.5


def test_an_unscored_response_is_missing_and_not_zero():
    students, _ = made(("ok",))
    scored = [row("a0", "t", 0, 0, 0, True), row("a0", "t", 0, 0, 1, None), row("a0", "t", 1, 1, 0, True)]
    found = panel(students, pa.Table.from_pylist(scored), "t", "hit", (0, 1))
    assert found is not None
    assert found.sums.tolist() == [[1.0, 1.0]]


def test_a_missing_scenario_is_filled_by_the_additive_fit_and_said():
    students, rows = made()
    values = {"a0": [True, False, True], "a1": [True, False]}
    rows = [row(name, "t", j, j, 0, hit) for name, hits in values.items() for j, hit in enumerate(hits)]
    found = panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1))
    assert found is not None
    assert found.sums[1, 2] == pytest.approx(0.5 + 1.0 - 0.6)
    assert "1 of 6" in found.warnings[0]


def test_a_usable_student_without_responses_is_said_and_does_not_count():
    students, rows = made()
    found = panel(
        students, pa.Table.from_pylist([r for r in rows if r["student"] == "a0"]), "t", "hit", (0, 1)
    )
    assert found is not None
    assert found.students == ("a0",)
    assert "1 usable students have no scored response" in found.warnings[0]


def test_nothing_measured_is_none():
    students, rows = made(("broken",))
    assert panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1)) is None


def test_a_scenario_in_two_clusters_is_refused():
    students, _ = made()
    rows = [row("a0", "t", 0, 0, 0, True), row("a1", "t", 0, 1, 0, True)]
    with pytest.raises(ValueError, match="clusters"):
        panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1))


def test_a_missing_cluster_is_the_scenario():
    students, _ = made(("ok",))
    rows = [row("a0", "t", j, 0, 0, True) | {"cluster": None} for j in range(3)]
    rows[0]["cluster"] = "s000"
    found = panel(students, pa.Table.from_pylist(rows), "t", "hit", (0, 1))
    assert found is not None
    assert found.sizes.tolist() == [1, 1, 1]


def test_row_order_changes_nothing():
    students, rows = study({"a": 0.5, "b": 0.3}, np.random.default_rng(0))
    one = panel(students, rows, "t", "log_odds", None)
    order = np.random.default_rng(1)
    other = panel(
        students.take(order.permutation(students.num_rows)),
        rows.take(order.permutation(rows.num_rows)),
        "t",
        "log_odds",
        None,
    )
    assert one is not None
    assert other is not None
    assert one.students == other.students
    assert np.array_equal(one.sums, other.sums)
