from __future__ import annotations

from pathlib import Path

import pytest

from mendel.engine.errors import InputError
from mendel.study import load_study

GOOD = """\
name: dates
original: {base: hf:a, prompts: file:b, teacher: o}
alternate: {base: hf:a, prompts: file:b, teacher: a}
teachers:
  o: {model: hf:a}
  a:
    model: hf:a
    temperature: 0.5
traits: [t.yaml, {name: u.yaml, samples: 3}]
select: {by: judge, share: 0.1}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def test_a_study_is_read_with_its_defaults(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, GOOD))
    assert study.config.teachers["a"].temperature == 0.5
    assert [trait.samples for trait in study.config.traits] == [None, 3]
    assert study.root == tmp_path


def test_a_folder_stands_for_the_study_in_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert load_study(tmp_path).name == "dates"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("teacher: a}", "teecher: a}", 3, "unknown key 'teecher' in 'alternate'. Did you mean 'teacher'?"),
        (
            "temperature",
            "temprature",
            8,
            "unknown key 'temprature' in 'teachers.a'. Did you mean 'temperature'?",
        ),
        ("samples", "smaples", 9, "unknown key 'smaples' in 'traits.1'. Did you mean 'samples'?"),
        ("select:", "selekt:", 10, "unknown key 'selekt'. Did you mean 'select'?"),
        ("teacher: o}", "teacher: orig}", 2, "original.teacher: no teacher of that name (got 'orig')."),
        ("share: 0.1", "share: 0.1, threshold: 1", 10, "select: give 'share' or 'threshold', not both"),
        ("share: 0.1", "share: 1.5", 10, "select.share: Input should be less than 1 (got 1.5)"),
        ("by: judge", "by: keyword", 10, "select: the keyword selector needs a 'pattern'"),
        (
            "samples: 3",
            "samples: 0",
            9,
            "traits.1.samples: Input should be greater than or equal to 1 (got 0)",
        ),
        ("name: dates", "name: dates\nname: more", 2, "the key 'name' stands twice"),
        ("name: dates", "name: [dates", 2, "no valid YAML"),
        ("name: dates\n", "", 1, "'name' is missing. Add 'name: …'."),
        (
            "select: {by: judge, share: 0.1}",
            "select: judge",
            10,
            "select must be a mapping. Write 'key: value' lines.",
        ),
        ("share: 0.1", "threshold: .nan", 10, "select.threshold: Input should be a finite number"),
        ("name: dates", "name: 2026-99-99", 1, "no valid value"),
        ("name: dates", "name: !foo bar", 1, "no valid value"),
        ("name: dates", "name: dates\ninterpolate: [0.5, 0.5]", 1, "a share stands twice"),
        ("name: dates", "name: ../up", 1, "name: String should match pattern"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_how_to_mend_it(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_pipelines_that_do_not_differ_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("teacher: a}", "teacher: o}"))
    with pytest.raises(InputError, match="nothing to compare"):
        load_study(path)


def test_a_missing_file_and_a_misspelt_built_in_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: no such file"):
        load_study(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="Did you mean 'peas'"):
        load_study("paes")


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        load_study(write(tmp_path, ""))


def test_nothing_named_is_the_embedded_study() -> None:
    assert load_study().name == "peas"


def test_an_alias_that_holds_itself_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an alias that holds itself"):
        load_study(write(tmp_path, GOOD.replace("name: dates", "name: &a [*a]")))


def test_a_name_that_no_file_can_have_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_study(tmp_path / ("x" * 300 + ".yaml"))
