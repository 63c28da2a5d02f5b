"""The other files of a run's folder: manifest, basis, findings of other commands.

And the description of all of them.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from mendel.diagnose import Levels, TraitFacts
from mendel.engine.errors import InputError
from mendel.engine.interval import Interval
from mendel.results import (
    DoseResponse,
    LocatedPrompts,
    Remembered,
    TriedSelectorsRecord,
    describe,
    is_finished,
    read_basis,
    read_finding,
    read_folder,
    read_manifest,
    write_basis,
    write_finding,
    write_manifest,
)
from mendel.results.findings import FINDINGS, DosePoint, LocateCheck, LocateRound, SubsetSpread
from mendel.results.manifest import FILES
from mendel.results.tables import SCHEMAS, schema, table, write_table
from mendel.workflow.advice import AdviceBasis

FINGERPRINT = "a1" * 32


def test_a_run_is_finished_where_its_manifest_says_so_and_all_files_are_there(tmp_path: Path) -> None:
    write_manifest(tmp_path, FINGERPRINT, Path("study.yaml"), complete=True)
    assert not is_finished(tmp_path, FINGERPRINT)
    for name in FILES:
        (tmp_path / name).touch()
    assert is_finished(tmp_path, FINGERPRINT)
    assert not is_finished(tmp_path, "b2" * 32)
    write_manifest(tmp_path, FINGERPRINT, Path("study.yaml"), complete=False)
    assert not is_finished(tmp_path, FINGERPRINT)
    assert read_manifest(tmp_path).study == str(Path("study.yaml").absolute())


@pytest.mark.parametrize("junk", ["", "{", "[]", "3"])
def test_a_manifest_that_is_none_is_an_input_error(tmp_path: Path, junk: str) -> None:
    (tmp_path / "manifest.json").write_text(junk)
    assert not is_finished(tmp_path, FINGERPRINT)
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_the_basis_is_enough_to_diagnose_again(tmp_path: Path) -> None:
    facts = TraitFacts("t", "a scale", "mean", "model@1", score_range=(0.0, 10.0))
    trait = SimpleNamespace(name="t", judge=SimpleNamespace(hit_at=5.0), rubric=None, acts=r"\bact\b")
    lacking = Remembered(lambda arm: f"no {arm}")
    assert lacking("sister/t") == "no sister/t"
    advice = AdviceBasis({"drop/t": 31}, 400, {"drop/t": Interval(0.9, 0.8, 1.0)})
    cube, shares = {"OOO": "cube/OOO"}, {"mix/0.1": 0.1}
    write_basis(tmp_path, [trait], [facts], cube, shares, Levels(2, 7), lacking, advice)
    basis = read_basis(tmp_path)
    assert AdviceBasis.of_folder(basis) == advice
    own = basis.traits["t"]
    assert (own.name, own.scale, own.metric, own.judge) == ("t", "a scale", "mean", "model@1")
    assert (own.score_range, own.hit_at, own.rubric, own.acts) == ((0.0, 10.0), 5.0, None, r"\bact\b")
    assert Levels(**basis.levels) == Levels(2, 7)
    assert basis.shares == {"mix/0.1": 0.1}
    assert basis.cube == {"OOO": "cube/OOO"}
    assert basis.lacking == {"sister/t": "no sister/t"}


def test_a_basis_keeps_every_fact_of_a_trait() -> None:
    from mendel.results.basis import BasisTrait

    assert {field.name for field in fields(TraitFacts)} <= {field.name for field in fields(BasisTrait)}


def test_a_folder_without_a_basis_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Run the study again"):
        read_basis(tmp_path)


def test_a_finding_that_is_written_comes_back(tmp_path: Path) -> None:
    level = Interval(0.5, 0.25, 0.75)
    located = LocatedPrompts(
        trait="t",
        prompts=("p1", "p2"),
        of=400,
        checks={"necessary": LocateCheck("is it?", level, answer="yes")},
        rounds=(LocateRound("screen", 14, "three clusters", ((0.5, 0.75),)),),
    )
    doses = DoseResponse(half_way=level, curve=(DosePoint(0.1, level, 0.5, SubsetSpread((0.1, 0.2))),))
    for kind, finding in (("locate", located), ("virulence", doses)):
        write_finding(tmp_path, kind, "t", finding)
    assert read_finding(tmp_path, LocatedPrompts, "t") == located
    assert read_finding(tmp_path, DoseResponse, "t") == doses
    assert read_finding(tmp_path, TriedSelectorsRecord, "t") is None


def test_the_name_of_a_trait_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "locate").mkdir()
    (tmp_path / "secret.json").write_text('{"reads": "x"}')
    assert read_finding(tmp_path, LocatedPrompts, "../secret") is None


def test_tables_are_read_as_far_as_they_are_there(tmp_path: Path) -> None:
    students = table(
        "students", [{"student": "s", "arm": "cube/OOO", "status": "ok", "assistant_right": 0.5}]
    )
    write_table(tmp_path / "students.parquet", students)
    folder = read_folder(tmp_path, {"students": ("student", "arm", "status", "assistant_right", "gone")})
    assert folder.tables["students"] is not None
    assert folder.tables["students"].column_names == ["student", "arm", "status", "assistant_right"]
    assert folder.assistant == {"cube/OOO": 0.5}
    assert folder.name == tmp_path.name
    assert [line.partition(":")[0] for line in folder.missing] == [
        "verdicts.json", "study.yaml", "measurements.parquet", "rollouts.parquet", "assignments.parquet",
    ]  # fmt: skip


def test_every_key_and_column_is_described() -> None:
    described = describe()
    assert all(row.meaning and row.type for row in described)
    assert len({(row.file, row.key) for row in described}) == len(described)
    keys = {row.key for row in described if row.file == "verdicts.json"}
    assert {"study", "traits.TRAIT.effects", "traits.TRAIT.levels.ARM.n_students", "cube"} <= keys
    assert {row.file for row in described} >= {
        "manifest.json", "basis.json", "locate/TRAIT.json", "students.parquet", "audit.json",
    }  # fmt: skip
    for name, columns in SCHEMAS.items():
        rows = [row.key for row in described if row.file == f"{name}.parquet"]
        assert rows == [column.name for column in columns] == schema(name).names


def test_a_finding_is_described_by_what_its_command_writes() -> None:
    assert set(FINDINGS) == {"locate", "virulence", "selectors"}
    json.dumps([tuple(row) for row in describe()])
