"""What commands write into a run's folder is declared in results, key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mendel
from _planted import study
from mendel.commands.selectors import Tried
from mendel.data.selectors import Flagged
from mendel.diagnose import ShareStudent, TraitFacts, Virulence, compare, trait_virulence
from mendel.diagnose.locate import Confirmation
from mendel.diagnose.locate.confirming import Check
from mendel.diagnose.stats.intervals import Estimate
from mendel.results.findings import DoseResponse, LocatedPrompts, TriedSelectorsRecord, VirulenceRecord
from mendel.results.records import read_record, record_json

LEVEL, UNKNOWN = Estimate(0.5, 0.1, limits=(0.0, 1.0)), Estimate(None, why="one student")


def _located() -> dict[str, Any]:
    check = Check("is it necessary?", LEVEL, UNKNOWN, "undecided")
    rounds = ({"kind": "screen", "students": 14, "reads": "clusters", "curve": [[0.5, 0.25]]},)
    confirmation = Confirmation(
        dict.fromkeys(("necessary", "sufficient", "random_necessary", "random_sufficient"), check)
    )
    return mendel.Located("t", ("p1",), 400, "a word", "one", confirmation, rounds, 3, 4, ("w",)).to_json()


def _tried() -> dict[str, Any]:
    edits = {"drop": LEVEL, "swap": UNKNOWN}
    tried = Tried(Flagged(("p1",), {"p1": 1.0}, "judge >= 0.5"), 1, edits, edits, edits)
    levels = {"original": LEVEL, "alternate": LEVEL, **edits}
    return mendel.TriedSelectors("t", 1, 400, levels, {"judge": tried}, 3, 4, ("w",)).to_json()


def _virulence(trait: str) -> Virulence:
    """A trait that comes in with the share; each share has two subsets, the share 0.5 two students of each."""
    levels = {f"virulence/{share:g}": 0.05 + 0.9 * share for share in (0.0, 0.1, 0.5, 1.0)}
    students, measurements = study(levels, np.random.default_rng(0), seeds=4, trait=trait)
    trained = [
        ShareStudent(row["student"], float(row["arm"].partition("/")[2]), str(row["seed"] // 2))
        for row in students.to_pylist()
    ]
    return trait_virulence(trained, students, measurements, TraitFacts(trait, "a scale"))


def _all_virulence() -> dict[str, Any]:
    traits = {name: _virulence(name) for name in ("t", "u")}
    pair = compare(traits["t"], traits["u"])
    return mendel.VirulenceResult(Path("run"), 400, traits, {"v": "absent"}, (pair,), 3, 4, ("w",)).to_json()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (LocatedPrompts, _located()),
        (TriedSelectorsRecord, _tried()),
        (DoseResponse, {**_virulence("t").json(), "prompts": 400}),
        (VirulenceRecord, _all_virulence()),
    ],
)
def test_every_key_that_a_command_writes_is_declared_and_comes_back(
    kind: type[Any], content: dict[str, Any]
) -> None:
    written = json.loads(json.dumps(content))
    assert record_json(read_record(kind, written)) == written
