from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mendel
from _mini import copied
from mendel.commands.virulence import _design
from mendel.data.assignment import everyone
from mendel.diagnose import Arm, Design
from mendel.engine.executors import InlineExecutor
from mendel.results.verdicts import TraitVerdict
from mendel.workflow.extra_students import _not_carried, run_rollouts
from mendel.workflow.reopen import reopen
from mendel.workflow.students import student_specs

SHARES = (0.1, 0.5)
CARRIED = {"present": True, "carrier": "teacher", "effects": {"teacher": {"estimate": 0.5, "low": 0.4}}}


@pytest.mark.slow
def test_students_on_random_shares_give_a_curve_between_the_runs_own_ends(finished: Path) -> None:
    found = mendel.virulence(
        finished / "run", shares=SHARES, subsets=2, store=finished / "store", executor=InlineExecutor()
    )
    assert (found.students_trained, found.students_reused) == (6, 0)
    trait = found.traits["date_confusion"]
    assert [dose.share for dose in trait.curve] == [0.0, 11 / 108, 0.5, 1.0]
    run = mendel.open_run(finished / "run")
    verdict = run.verdicts["traits"]["date_confusion"]
    ends = [trait.curve[0].level.estimate, trait.curve[-1].level.estimate]
    assert ends == pytest.approx(
        [verdict["levels"][run.verdicts["cube"][c]]["estimate"] for c in ("OOA", "OOO")]
    )
    # Two seeds of an end do not show that the ends differ.
    assert trait.half_way.estimate is None
    twice, once = trait.curve[1].subsets, trait.curve[2].subsets
    assert twice is not None
    assert once is not None
    assert (twice.students, len(twice.levels), once.students, len(once.levels)) == (4, 2, 2, 2)
    assert once.training is None
    text = found.describe()
    assert "not shown to differ" in text
    assert max(map(len, text.splitlines())) <= 100
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["students_trained"] == 6

    more = mendel.virulence(
        finished / "run", shares=SHARES, subsets=3, store=finished / "store", executor=InlineExecutor()
    )
    assert (more.students_trained, more.students_reused) == (3, 6)


@pytest.mark.slow
def test_the_command_says_the_same_as_the_function_and_trains_nothing_again(finished: Path) -> None:
    options = [
        "--share",
        "0.1",
        "--share",
        "0.5",
        "--subsets",
        "2",
        "--store",
        str(finished / "store"),
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mendel.cli", "virulence", str(finished / "run"), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    found = mendel.virulence(finished / "run", shares=SHARES, subsets=2, store=finished / "store")
    assert said["traits"] == found.to_json()["traits"]
    assert found.students_trained == 0


@pytest.mark.slow
def test_the_rollouts_of_a_run_are_those_that_its_students_were_trained_on(finished: Path) -> None:
    run, inputs = reopen(finished / "run")
    ids = [prompt.prompt_id for prompt in inputs.prompts["original"]]
    arm = Arm("end", "end", "original", "original", (everyone(ids, "original"),), (0,))
    ((_, _, spec),) = student_specs(inputs, Design((arm,), {}), run_rollouts(run, inputs))
    named = {row["digest"] for row in run.students.to_pylist() if row["arm"] == run.verdicts["cube"]["OOO"]}
    assert spec.digest in named


@pytest.mark.slow
def test_more_subsets_or_another_share_redraw_nothing_and_seeds_are_new(finished: Path) -> None:
    _, inputs = reopen(finished / "run")
    few, _ = _design(inputs, [0.1, 0.5], 2)
    many, _ = _design(inputs, [0.1, 0.25, 0.5], 5)
    by_name = {arm.name: arm for arm in many}
    for arm in few:
        assert by_name[arm.name].assignments[: len(arm.assignments)] == arm.assignments
        assert by_name[arm.name].seeds[: len(arm.seeds)] == arm.seeds
        assert min(arm.seeds) >= inputs.study.config.seeds
        assert {sum(t == "original" for t in a.values()) for a in arm.assignments} == {round(arm.share * 108)}
    assert len(set(by_name["virulence/0.25"].assignments)) == 5


@pytest.mark.slow
def test_shares_that_come_to_no_prompt_or_to_the_same_number_are_left_out_and_said(finished: Path) -> None:
    _, inputs = reopen(finished / "run")
    design, warnings = _design(inputs, [0.001, 0.1, 0.103, 0.5], 1)
    assert [arm.share for arm in design] == [0.1, 0.5]
    assert "only the shares 0.1, 0.5" in warnings[0]
    with pytest.raises(mendel.InputError, match="at least one of 108 prompts"):
        _design(inputs, [0.001], 1)


@pytest.mark.slow
def test_a_trait_that_is_not_there_trains_nothing_and_says_so(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path / "copy")
    file = folder / "run" / "verdicts.json"
    verdicts = json.loads(file.read_text())
    verdicts["traits"]["date_confusion"] |= {"present": False, "state": "absent"}
    file.write_text(json.dumps(verdicts))
    found = mendel.virulence(folder / "run", store=tmp_path / "store")
    assert found.students_trained == 0
    assert not (tmp_path / "store").exists()
    assert "not shown to have more of it" in found.skipped["date_confusion"]
    assert "Nothing was trained" in found.describe()


def test_only_what_the_teacher_may_bring_is_measured() -> None:
    def verdict(state: str, carrier: str, teacher: float | None, total: float = 0.8) -> TraitVerdict:
        effects = {"teacher": {"estimate": teacher}, "total": {"estimate": total}}
        return TraitVerdict.read({"state": state, "carrier": carrier, "effects": effects})

    assert _not_carried(verdict("difference", "teacher", 0.5)) == ""
    assert _not_carried(verdict("difference", "mixed", 0.3)) == ""
    assert _not_carried(verdict("undecided", "undecided", 0.5)) == ""
    assert "carrier: prompts" in _not_carried(verdict("difference", "prompts", 0.1))
    assert "not shown to bring it" in _not_carried(verdict("difference", "undecided", None))
    assert "not shown to bring it" in _not_carried(verdict("difference", "mixed", 0.1))
    for state, total in (("absent", 0.0), ("shared", 0.5), ("undecided", 0.05)):
        assert "original pipeline" in _not_carried(verdict(state, "undecided", 0.5, total))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no verdict on the trait 'date_confusion'"),
        ({"traits": []}, "no verdict on the trait 'date_confusion'"),
        ({"traits": {"date_confusion": CARRIED}}, "the arms of the cube are missing"),
        ({"traits": {"date_confusion": CARRIED}, "cube": None}, "the arms of the cube are missing"),
    ],
)
def test_verdicts_that_lack_what_is_needed_are_an_error_of_the_input(
    finished: Path, tmp_path: Path, content: object, message: str
) -> None:
    folder = copied(finished, tmp_path / "copy")
    (folder / "run" / "verdicts.json").write_text(json.dumps(content))
    with pytest.raises(mendel.InputError, match=message):
        mendel.locate(folder / "run", "date_confusion", store=tmp_path / "store", executor=InlineExecutor())


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused_before_anything_is_read(share: float, tmp_path: Path) -> None:
    with pytest.raises(mendel.InputError, match="between 0 and 1"):
        mendel.virulence(tmp_path, shares=[share])


@pytest.mark.slow
def test_what_is_no_finished_run_or_of_another_study_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(mendel.InputError, match=r"no verdicts\.json"):
        mendel.virulence(tmp_path)
    with pytest.raises(mendel.InputError, match=r"the run has no trait 'date_confusoin'.*Did you mean"):
        mendel.virulence(finished / "run", ["date_confusoin"])
    folder = copied(finished, tmp_path / "copy")
    study, manifest = folder / "study.yaml", folder / "run" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(str(finished / "study.yaml"), str(tmp_path / "gone.yaml")))
    with pytest.raises(mendel.InputError, match=r"gone\.yaml: the run's study is gone.*--study PATH"):
        mendel.virulence(folder / "run")
    # The study was moved, with all that it names: nothing changed.
    assert reopen(folder / "run", study)[1].study.path == study
    study.write_text(study.read_text().replace("epochs: 3", "epochs: 4"))
    with pytest.raises(mendel.InputError, match="has changed since"):
        mendel.virulence(folder / "run", study=study)
    content = json.loads(text)
    manifest.write_text(json.dumps({**content, "complete": False}))
    with pytest.raises(mendel.InputError, match="the run is not finished"):
        mendel.virulence(folder / "run", study=finished / "study.yaml")
    manifest.write_text(json.dumps({key: value for key, value in content.items() if key != "study"}))
    with pytest.raises(mendel.InputError, match="does not say where"):
        mendel.virulence(folder / "run")
    manifest.unlink()
    with pytest.raises(mendel.InputError, match="cannot be read"):
        mendel.virulence(folder / "run")
