"""From the tables of a run to one trait's panel: a number for every student and scenario, grouped by arm and
cluster.

Only students with status `ok` count; what is left out is said in `Panel.warnings`, never read as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Value = Literal["hit", "score", "log_odds"]


@dataclass(frozen=True)
class Panel:
    """One trait's values; students and clusters are in a canonical order, so that row order never matters."""

    students: tuple[str, ...]
    """Ordered by arm, then by name."""
    arm_of: tuple[str, ...]
    """The arm of each student."""
    sums: Floats
    """(students, clusters): the sum over a cluster's scenarios of the mean over samples."""
    sizes: Floats
    """(clusters,): scenarios in each cluster."""
    untrained: frozenset[str] = frozenset()
    """Arms of models that nobody trained here (bases, teachers): no noise of training is in them."""
    bounds: tuple[float, float] | None = None
    """The least and the greatest value that a response can have; None: the value has no bounds (log-odds)."""
    warnings: tuple[str, ...] = field(default=())
    broken: Mapping[str, int] = field(default_factory=dict)
    """Students by arm that broke. Breaking may go with the trait, so they count as unknown, not as absent."""
    samples: int = 1
    """Scored responses of a student to a scenario, on average."""

    def __post_init__(self) -> None:
        if self.sums.shape != (len(self.students), len(self.sizes)):
            raise ValueError(f"sums is {self.sums.shape}, not ({len(self.students)}, {len(self.sizes)})")
        if len(self.arm_of) != len(self.students):
            raise ValueError("every student needs an arm")

    @property
    def count(self) -> Mapping[str, int]:
        """Students by arm."""
        counts: dict[str, int] = {}
        for arm in self.arm_of:
            counts[arm] = counts.get(arm, 0) + 1
        return counts


def panel(
    students: pa.Table,
    measurements: pa.Table,
    trait: str,
    value: Value,
    bounds: tuple[float, float] | None,
) -> Panel | None:
    """Return the panel of one trait, or None where no usable student has a value.

    `students` and `measurements` are tables with the contract's columns; `value` is the column that is
    averaged (null and NaN are unscored responses and left out). A student that lacks a scenario which others
    have gets the additive fit (its own mean + the scenario's mean - the grand mean) there, so that the design
    stays balanced. Raises ValueError where a scenario is in two clusters.
    """
    usable = students.filter(pc.equal(students["status"], "ok"))
    arms = dict(zip(usable["student"].to_pylist(), usable["arm"].to_pylist(), strict=True))
    untrained = frozenset(usable.filter(pc.equal(usable["n_examples"], 0))["arm"].to_pylist())
    # Nothing but what is counted: a filter copies all columns, and the responses' texts are most of a table.
    # In one piece, since a run that is under way has its measurements in hundreds.
    counted = measurements.select(["student", "trait", "scenario", "cluster", value]).combine_chunks()
    rows = counted.filter(
        pc.and_(
            pc.equal(counted["trait"], trait),
            pc.is_in(counted["student"], value_set=pa.array(list(arms), pa.string())),
        )
    )
    table = _cell_means(rows, value)
    if table.num_rows == 0:
        return None
    names = sorted(set(table["student"].to_pylist()), key=lambda name: (arms[name], name))
    cluster_of = _clusters(table)
    scenarios = sorted(cluster_of, key=lambda name: (cluster_of[name], name))
    cells, filled = _matrix(table, names, scenarios)
    warnings = _warnings(arms, names, trait, filled, cells.size)
    labels = [cluster_of[name] for name in scenarios]
    starts = [i for i, label in enumerate(labels) if i == 0 or labels[i - 1] != label]
    return Panel(
        students=tuple(names),
        arm_of=tuple(arms[name] for name in names),
        sums=np.add.reduceat(cells, starts, axis=1),
        sizes=np.diff([*starts, len(labels)]).astype(np.float64),
        untrained=untrained,
        bounds=bounds,
        warnings=tuple(warnings),
        broken=_broken(students),
        samples=max(1, round(rows.num_rows / table.num_rows)),
    )


def _broken(students: pa.Table) -> dict[str, int]:
    broken = students.filter(pc.equal(students["status"], "broken"))["arm"].to_pylist()
    return {arm: broken.count(arm) for arm in set(broken)}


def _cell_means(rows: pa.Table, value: Value) -> pa.Table:
    """Return the mean over samples, by student and scenario; unscored responses are left out."""
    column = pc.cast(rows[value], pa.float64())
    scored = pa.table(
        {
            "student": rows["student"],
            "scenario": rows["scenario"],
            "cluster": pc.coalesce(rows["cluster"], rows["scenario"]),
            "value": column,
        }
    ).filter(pc.is_finite(column))
    # Sorted first: floating sums then do not depend on the order of the rows.
    scored = scored.sort_by([("student", "ascending"), ("scenario", "ascending"), ("value", "ascending")])
    return scored.group_by(["student", "scenario", "cluster"], use_threads=False).aggregate(
        [("value", "mean")]
    )


def _clusters(table: pa.Table) -> dict[str, str]:
    pairs = table.group_by(["scenario", "cluster"], use_threads=False).aggregate([])
    cluster_of: dict[str, str] = {}
    for scenario, cluster in zip(pairs["scenario"].to_pylist(), pairs["cluster"].to_pylist(), strict=True):
        if cluster_of.setdefault(scenario, cluster) != cluster:
            raise ValueError(
                f"scenario {scenario!r} stands in the clusters {cluster_of[scenario]!r} and {cluster!r}"
            )
    return cluster_of


def _matrix(table: pa.Table, names: list[str], scenarios: list[str]) -> tuple[Floats, int]:
    """Return the values (students, scenarios) without holes, and how many holes were filled."""
    row = pc.index_in(table["student"], value_set=pa.array(names, pa.string())).to_numpy()
    column = pc.index_in(table["scenario"], value_set=pa.array(scenarios, pa.string())).to_numpy()
    cells = np.full((len(names), len(scenarios)), np.nan)
    cells[row, column] = table["value_mean"].to_numpy()
    holes = np.isnan(cells)
    if holes.any():
        of_student = np.nanmean(cells, axis=1, keepdims=True)
        of_scenario = np.nanmean(cells, axis=0, keepdims=True)
        cells = np.where(holes, of_student + of_scenario - np.nanmean(cells), cells)
    return cells, int(holes.sum())


def _warnings(arms: Mapping[str, str], names: list[str], trait: str, filled: int, size: int) -> list[str]:
    sentences = []
    unmeasured = sorted(set(arms) - set(names))
    if unmeasured:
        where = ", ".join(sorted({arms[name] for name in unmeasured}))
        sentences.append(
            f"{trait}: {len(unmeasured)} usable students have no scored response and do not count "
            f"(arms: {where})"
        )
    if filled:
        sentences.append(
            f"{trait}: {filled} of {size} student-by-scenario cells had no scored response and were "
            "filled by "
            "the additive fit of student and scenario"
        )
    return sentences
