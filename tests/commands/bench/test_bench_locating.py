from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mendel.commands.bench import locate as _bench_locate
from mendel.commands.bench import selectors as _bench_selectors
from mendel.commands.bench.locate import LocateRecord

FOUND = LocateRecord(
    "clustered",
    1,
    made=True,
    recipe="full",
    carriers=60,
    found=60,
    both=57,
    students=32,
    confirmed="yes",
    mark="m",
)


def test_precision_and_recall_are_shares_of_what_was_found_and_of_what_was_planted() -> None:
    record = replace(FOUND, carriers=100, found=50, both=40)
    assert (record.recall, record.precision) == (0.4, 0.8)
    assert replace(record, found=0, both=0).precision is None


def test_a_summary_counts_what_meets_both_marks_and_leaves_out_what_was_not_made() -> None:
    lost = LocateRecord("scattered", 2, made=False, reads="no organism of 10 draws")
    missed = replace(FOUND, both=30, confirmed="no")
    found = _bench_locate.summarize([FOUND, missed, lost])
    assert (found["organisms"], found["not_made"], found["met"], found["confirmed"]) == (2, 1, 1, 1)
    assert found["recall"] == {"mean": 0.725, "least": 0.5, "most": 0.95}
    text = _bench_locate.describe(found)
    assert "scattered       2 not made: no organism of 10 draws" in text
    assert "recall >= .9 and precision >= .8 in 1 of 2" in text
    assert _bench_locate.describe(_bench_locate.summarize([lost])).count("\n") == 0


def test_rules_are_held_to_the_same_marks_as_the_search() -> None:
    carriers = {str(n) for n in range(100)}
    assert _bench_locate.meets_marks([str(n) for n in range(5, 115)], carriers)
    assert not _bench_locate.meets_marks([str(n) for n in range(15, 100)], carriers)
    assert not _bench_locate.meets_marks([str(n) for n in range(200)], carriers)
    assert not _bench_locate.meets_marks([], carriers)
    found = _bench_locate.summarize([replace(FOUND, rules_met={"clean word": True})])
    assert found["rules"]["clean word"]["right"] == 1
    assert "trains no student: clean word, 1 of 1" in _bench_locate.describe(found)


def tried(left: float | None) -> dict[str, Any]:
    level = None if left is None else {"rate": left, "probability": 0.1 + 0.8 * left}
    cuts = [
        {"share": share, "flagged": 9, "precision": 0.5, "recall": 0.25, "dropped": level, "swapped": level}
        for share in _bench_selectors.SHARES
    ]
    names = _bench_selectors.SELECTORS
    control = dict.fromkeys(("none", *names), level)
    return {
        "made": True,
        "none": {"rate": 0.0, "probability": 0.1},
        "whole": {"rate": 1.0, "probability": 0.9},
        "selectors": [{"selector": name, "cuts": cuts} for name in names],
        "control": {"rows": 20, "removed": 10, "left": control},
    }


def test_what_is_left_is_a_share_of_the_effect_averaged_over_the_organisms_that_have_it() -> None:
    text = _bench_selectors.describe({"records": [tried(0.5), tried(1.0), tried(None), {"made": False}]})
    line = next(line for line in text.splitlines() if line.startswith("oracle"))
    assert "0.75 / 0.75" in line
    assert line.endswith("0.50, 0.25")
    assert "oracle 0.75" in text.splitlines()[-1]
    assert (
        _bench_selectors.describe({"records": [{"made": False}]})
        == "no organism was made whose two ends are usable"
    )


@pytest.mark.parametrize("name", _bench_selectors.SELECTORS)
def test_every_selector_of_the_bench_is_registered(name: str) -> None:
    from mendel.data.selectors import selectors

    assert name == _bench_selectors.ORACLE or name in list(selectors)
