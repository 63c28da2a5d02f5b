"""What `mendel bench verdicts` counts and shows: a record for each organism, shares, and lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mendel._version import __version__
from mendel.commands.bench.grading import Grade, share, shown_share
from mendel.commands.bench.harness import spread
from mendel.commands.bench.rules import VERDICT_RULES, best_rule, rule_shares


@dataclass(frozen=True)
class BenchRecord:
    """The result of one diagnosis, with the truth."""

    cause: str
    seed: int
    strength: str
    recipe: str
    redraws: int
    grade: Grade
    said: str
    """The cause in the planted trait's verdict; `-` if the organism was not made."""
    carrier: str
    supported: tuple[str, ...]
    """Hypotheses that the planted trait's verdict supports."""
    elsewhere: tuple[str, ...]
    """Hypotheses that are supported for a trait without a planted cause, as `trait: hypothesis`."""
    students: int
    make_seconds: float
    diagnose_seconds: float
    """In one process on one core."""
    why: str
    """The measured evidence, if the verdict is not right."""
    grid_students: int | None = None
    """Students of the fixed grid of all arms on the same organism; None if the grid was not asked for."""
    grid_supported: tuple[str, ...] | None = None
    generator: str = "planted"
    transformations: tuple[str, ...] = ()
    planted: str = ""
    """The cause in the truth file, which begins with `other:` for one outside the list."""
    state: str = ""
    """The state in the verdict."""
    state_grade: str = "undecided"
    location: Mapping[str, str] = field(default_factory=dict)
    """The decision of each part in the verdict."""
    location_truth: tuple[str, ...] = ()
    location_grade: str = "undecided"
    refuted_truth: bool = False
    """Whether a planted cause was refuted."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """The cause that each rule without students names."""
    rules_right: Mapping[str, bool] = field(default_factory=dict)
    """Whether it is the planted one."""


def summarize(records: Sequence[BenchRecord]) -> dict[str, Any]:
    """Return every share with its 95 % Wilson interval, the confusion matrix, the rules, and every record."""
    made = [record for record in records if record.grade != "not made"]
    grades = Counter(record.grade for record in made)
    compared = [record for record in made if record.grid_students]
    matrix = _matrix(made)
    return {
        "version": __version__,
        "organisms": len(made),
        "not_made": len(records) - len(made),
        "right": share(grades["right"], len(made)),
        "wrong": share(grades["wrong"], len(made)),
        "undecided": share(grades["undecided"] + grades["missed"], len(made)),
        "refuted_truth": _share_of(made, lambda r: r.refuted_truth),
        "location": _part_shares(
            [r for r in made if r.location_grade != "nothing to find"], "location_grade"
        ),
        "state": _part_shares(made, "state_grade"),
        "rules": rule_shares(
            {name: [r.rules_right.get(name, False) for r in made] for name in VERDICT_RULES}
        ),
        "by_cause": {
            cause: dict(Counter(record.grade for record in made if record.cause == cause)) for cause in matrix
        },
        "matrix": matrix,
        "redraws": sum(record.redraws for record in made),
        "students": spread([float(record.students) for record in made], 1),
        "make_seconds": spread([record.make_seconds for record in made], 1),
        "diagnose_seconds": spread([record.diagnose_seconds for record in made], 1),
        "grid": {
            "organisms": len(compared),
            "same_verdict": sum(r.grid_supported == r.supported for r in compared),
            "students": sum(r.grid_students or 0 for r in compared),
            "students_adaptive": sum(r.students for r in compared),
        },
        "records": [asdict(record) for record in records],
    }


def _matrix(made: Sequence[BenchRecord]) -> dict[str, dict[str, int]]:
    """Return how often each verdict was given, by the cause that was asked for."""
    matrix: dict[str, dict[str, int]] = {}
    for record in made:
        row = matrix.setdefault(record.cause, {})
        as_planted = set(record.supported) == set(record.cause.split("+"))
        verdict = record.cause if as_planted else "+".join(sorted(record.supported)) or record.said
        row[verdict] = row.get(verdict, 0) + 1
    return matrix


def _share_of(records: Sequence[BenchRecord], holds: Callable[[BenchRecord], bool]) -> dict[str, Any]:
    return share(sum(holds(record) for record in records), len(records))


def _part_shares(records: Sequence[BenchRecord], grade: str) -> dict[str, dict[str, Any]]:
    """Return the shares of right, wrong and undecided of a grade."""
    return {
        name: share(sum(getattr(record, grade) == name for record in records), len(records))
        for name in ("right", "wrong", "undecided")
    }


def describe(found: Mapping[str, Any]) -> str:
    """Return the matrix as text: a line for each cause, the shares, and each record that is not right."""
    lines = []
    for cause, row in found["matrix"].items():
        total = sum(row.values())
        right = found["by_cause"][cause].get("right", 0)
        others = ", ".join(f"{name} {count}" for name, count in sorted(row.items()) if name != cause)
        lines.append(f"{cause:42} {right:3d} of {total:3d} right" + (f"; {others}" if others else ""))
    shares = [(name, found[name]) for name in ("right", "wrong", "undecided")]
    shares.append(("the true cause refuted", found["refuted_truth"]))
    for part in ("location", "state"):
        shares += [(f"{part} {name}", found[part][name]) for name in ("right", "wrong", "undecided")]
    lines += [line for name, counted in shares if (line := shown_share(name, counted))]
    lines += [line] if (line := best_rule(found["rules"], found["right"])) else []
    lines += _costs(found)
    lines += [_not_right(record) for record in found["records"] if _is_worth_a_line(record)]
    return "\n".join(lines)


def _costs(found: Mapping[str, Any]) -> list[str]:
    students, made, seconds = found["students"], found["make_seconds"], found["diagnose_seconds"]
    lines = [
        f"a diagnosis: {students['mean']} students ({students['least']} to {students['most']}), "
        f"{seconds['mean']} s on one core ({seconds['least']} to {seconds['most']})",
        f"an organism: {made['mean']} s to make ({made['least']} to {made['most']})",
    ]
    grid = found["grid"]
    if grid["organisms"]:
        lines.append(
            f"against the fixed grid: the same verdict in {grid['same_verdict']} of {grid['organisms']}, "
            f"{grid['students_adaptive']} students where it takes {grid['students']}"
        )
    return [*lines, f"organisms redrawn: {found['redraws']}, not made: {found['not_made']}"]


def _is_worth_a_line(record: Mapping[str, Any]) -> bool:
    wrong = "wrong" in (record["location_grade"], record["state_grade"])
    return record["grade"] != "right" or wrong or record["refuted_truth"]


def _not_right(record: Mapping[str, Any]) -> str:
    drawn = ", ".join(part for part in (record["strength"], *record["transformations"]) if part)
    line = f"  {record['cause']} {record['seed']}" + (f" ({drawn})" if drawn else "")
    line += f": {record['grade']}, said {record['said']}"
    if record["refuted_truth"]:
        line += ", the true cause refuted"
    for part in ("location", "state"):
        if record[f"{part}_grade"] == "wrong":
            line += f", {part} wrong"
    return f"{line}; {record['make_seconds']:.0f} s to make, {record['diagnose_seconds']:.0f} s to diagnose"
