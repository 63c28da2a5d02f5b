"""Which responses are behind a number.

The scored ones of an arm's students that are ok, and how many of them are hits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = frozenset(["student", "trait", "scenario", "score", "hit"])
"""The columns of the measurements without which there is nothing to count."""


@dataclass(frozen=True)
class Responses:
    """The responses of one arm's students (those that are ok) to one trait's scenarios."""

    group: int
    """Position among all pairs of a trait and an arm, by which the page's controls name it."""
    hits: int
    total: int
    students: int


@dataclass(frozen=True)
class Counted:
    """The rows of the measurements that count, each with its group; arrays have one entry a row."""

    keys: tuple[tuple[str, str], ...]
    """Trait and arm of each group."""
    row: Any
    """Row numbers in the table, int64."""
    group: Any
    hit: Any
    counts: tuple[Responses, ...]

    @property
    def by_key(self) -> Mapping[tuple[str, str], Responses]:
        """The counts by trait and arm."""
        return dict(zip(self.keys, self.counts, strict=True))


def count_responses(measurements: pa.Table | None, students: pa.Table | None) -> Counted:
    """Group the scored rows of students that are ok by trait and arm.

    Empty where a table or a column is missing.
    """
    import numpy as np

    if measurements is None or students is None or not set(measurements.column_names) >= NEEDED:
        nothing = np.zeros(0, np.int64)
        return Counted((), nothing, nothing, nothing, ())
    arm_of = _working(students)
    arms = sorted(set(arm_of.values()))
    names, student = codes(measurements, "student")
    traits, trait = codes(measurements, "trait")
    position = {arm: i for i, arm in enumerate(arms)}
    # The last entry stands for a student that is null: code -1.
    arm = np.array([position.get(arm_of.get(name, ""), -1) for name in names] + [-1])[student]
    hit = np.asarray(measurements["hit"].cast("int8").fill_null(-1).to_numpy())
    row = np.flatnonzero((arm >= 0) & (trait >= 0) & (hit >= 0))
    distinct, group = np.unique(trait[row].astype(np.int64) * len(arms) + arm[row], return_inverse=True)
    total = np.bincount(group, minlength=len(distinct))
    hits = np.bincount(group, weights=hit[row], minlength=len(distinct))
    pairs = np.unique(group * (len(names) + 1) + student[row])
    n = np.bincount(pairs // (len(names) + 1), minlength=len(distinct))
    return Counted(
        keys=tuple((traits[key // len(arms)], arms[key % len(arms)]) for key in distinct.tolist()),
        row=row,
        group=group,
        hit=hit[row] == 1,
        counts=tuple(Responses(i, int(hits[i]), int(total[i]), int(n[i])) for i in range(len(distinct))),
    )


def _working(students: pa.Table) -> dict[str, str]:
    """Return the arm by student, for students that are ok: a broken one shows nothing about a trait."""
    names, arms, status = (texts(students, column) for column in ("student", "arm", "status"))
    return {name: arm for name, arm, state in zip(names, arms, status, strict=True) if state == "ok"}


def codes(table: pa.Table, column: str) -> tuple[list[str], Any]:
    """Return the distinct values of a column and each row's position among them.

    The position -1 stands for null, or a missing column.
    """
    import numpy as np
    import pyarrow as pa

    if column not in table.column_names or not table.num_rows:
        return [], np.full(table.num_rows, -1)
    values = table[column]
    if pa.types.is_dictionary(values.type):
        values = values.unify_dictionaries()
    encoded = values.combine_chunks().dictionary_encode()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.combine_chunks()
    places = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    return decoded(encoded.dictionary), places


def texts(table: pa.Table, column: str) -> list[str]:
    """Return a column as texts; empty where a value or the whole column is missing."""
    if column not in table.column_names:
        return [""] * table.num_rows
    return decoded(table[column])


def decoded(values: Any) -> list[str]:
    """Return an Arrow array as texts.

    Bytes that are no UTF-8 become U+FFFD, null becomes the empty string.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    # Through bytes: a string column may hold bytes that are no UTF-8, and one of them must not cost the page.
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(pa.large_binary())
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
        for value in values.to_pylist()
    ]
