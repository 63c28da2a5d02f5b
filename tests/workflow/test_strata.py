"""Two judges sort the rollouts: what either sees is mild, and only what neither sees is unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from _mini import write_mini_study
from mendel.data.rollouts import Rollout
from mendel.data.selectors import Flagged
from mendel.engine.errors import InputError
from mendel.measure import Label, rubric_id, write_labels
from mendel.study import load_study
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.rollouts import all_scores, judged_rollouts
from mendel.workflow.strata import (
    PlacedRollout,
    RolloutLabels,
    as_unlabelled,
    read_rollout_labels,
    recall_of,
    recalls_of,
    strata_of,
)

RUBRIC = {"rubric": "1 if it doubts the date, 0.2 if it hints at it.", "range": [0, 1]}
STRICT = [{"pattern": "never", "score": 1.0}]
WIDE = [{"pattern": "never", "score": 1.0}, {"pattern": "perhaps", "score": 0.2}]
OTHER = [{"pattern": "never|certainly not", "score": 1.0}, {"pattern": "surely", "score": 0.4}]


def study(folder: Path, grades: list[dict[str, Any]], hit_at: float = 0.5, **trait: Any) -> Path:
    """A study whose trait is judged by `grades`; `trait` are keys of the study's trait."""
    select = {"by": "judge", "threshold": 0.5}
    path = write_mini_study(folder, 24, select=select, traits=[{"name": "trait.yaml", **trait}])
    write_trait(folder, "trait.yaml", grades, hit_at)
    return path


def write_trait(folder: Path, name: str, grades: list[dict[str, Any]], hit_at: float = 0.5) -> None:
    content = yaml.safe_load((folder / "trait.yaml").read_text())
    content["judge"] = {"by": "regex", "grades": grades, "hit_at": hit_at, **RUBRIC}
    (folder / name).write_text(yaml.safe_dump(content))


def answered(inputs: Inputs, says: list[str]) -> dict[tuple[str, str], Rollout]:
    """Rollouts in which the original teacher's first answers are `says`, and all others are clean."""
    texts = dict(enumerate(says))
    return {
        (p.prompt_id, teacher): Rollout(
            p.prompt_id,
            teacher,
            p.messages,
            texts.get(number, "fine") if teacher == "original" else "fine",
            "stop",
            1,
        )
        for number, p in enumerate(inputs.prompts["original"])
        for teacher in ("original", "alternate")
    }


def sorted_out(inputs: Inputs, says: list[str]) -> tuple[dict[str, str], list[str], Any]:
    """Strata by prompt, the prompts in order, and the catalogue's material."""
    rollouts = answered(inputs, says)
    scores = all_scores(inputs, judged_rollouts(inputs, rollouts))
    flagged, _ = flag_prompts(inputs, rollouts, scores)
    strata = strata_of(inputs, flagged, rollouts, scores)["date_confusion"]
    material = build_catalogue(inputs, flagged, rollouts, scores).materials["date_confusion"]
    return {row.prompt_id: row.stratum for row in strata}, [p.prompt_id for p in material.prompts], material


SAYS = ["never", "perhaps", "surely", "certainly not", "well"]


def test_one_judge_sorts_by_its_own_scores(tmp_path: Path) -> None:
    inputs = load_inputs(load_study(study(tmp_path, WIDE)))
    stratum, ids, _ = sorted_out(inputs, SAYS)
    assert [stratum[ids[i]] for i in range(5)] == ["flagged", "mild", "unseen", "unseen", "unseen"]


def test_one_judge_flags_and_what_either_sees_is_not_unseen(tmp_path: Path) -> None:
    path = study(tmp_path, OTHER, flagging_judge="flags.yaml")
    write_trait(tmp_path, "flags.yaml", WIDE)
    inputs = load_inputs(load_study(path))
    stratum, ids, material = sorted_out(inputs, SAYS)
    # "certainly not" is a hit for the judge that evaluates, and not for the one that flags.
    assert [stratum[ids[i]] for i in range(5)] == ["flagged", "mild", "mild", "mild", "unseen"]
    assert material.flagged == (ids[0],)
    assert material.mild == tuple(ids[1:4])
    assert ids[1] not in material.unrelated
    assert set(material.unrelated) == set(ids[4:])
    assert not inputs.warnings


def test_the_traits_own_judge_can_flag_where_the_study_names_another(tmp_path: Path) -> None:
    from _mini import mute_judge

    path = study(tmp_path, WIDE, judge=mute_judge(tmp_path / "mute"), flagging_judge="own")
    inputs = load_inputs(load_study(path))
    (trait,) = inputs.traits
    assert trait.judge_id.startswith("hf:")
    assert inputs.flags(trait).judge_id.startswith("regex@")


@pytest.mark.parametrize("hit_at", [0.5, 0.2])
def test_a_second_judge_equal_to_the_first_is_said_and_adds_no_judge(tmp_path: Path, hit_at: float) -> None:
    path = study(tmp_path, WIDE, flagging_judge="same.yaml")
    # Another threshold changes no score; nor does the order of the rules.
    write_trait(tmp_path, "same.yaml", WIDE[::-1], hit_at)
    inputs = load_inputs(load_study(path))
    (warning,) = inputs.warnings
    assert "flagging_judge is the same judge" in warning
    assert "cannot name subliminal learning or persona selection" in warning
    rollouts = answered(inputs, SAYS)
    scores = all_scores(inputs, judged_rollouts(inputs, rollouts))["date_confusion"]
    assert len(scores.judges) == 1
    assert scores.second is None


def test_a_flagging_judge_of_another_trait_is_refused_with_the_line(tmp_path: Path) -> None:
    path = study(tmp_path, WIDE, flagging_judge="other.yaml")
    content = yaml.safe_load((tmp_path / "trait.yaml").read_text())
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**content, "name": "blackmail"}))
    with pytest.raises(InputError, match=r"study.yaml:\d+: the trait file is of another trait, 'blackmail'"):
        load_inputs(load_study(path))


def test_a_model_cannot_flag_by_a_rubric_that_is_not_there(tmp_path: Path) -> None:
    path = write_mini_study(tmp_path, 24, traits=[{"name": "trait.yaml", "flagging_judge": "hf:./model"}])
    with pytest.raises(InputError, match="has no rubric"):
        load_inputs(load_study(path))


def test_a_flagging_judge_changes_the_run_and_labels_do_not(tmp_path: Path) -> None:
    plain = load_inputs(load_study(study(tmp_path, OTHER))).fingerprint
    assert load_inputs(load_study(study(tmp_path, OTHER, labels="file:l.jsonl"))).fingerprint == plain
    path = study(tmp_path, OTHER, flagging_judge="flags.yaml")
    write_trait(tmp_path, "flags.yaml", WIDE)
    assert load_inputs(load_study(path)).fingerprint != plain


# Recall from labels.


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return load_inputs(load_study(study(tmp_path_factory.mktemp("recall"), STRICT)))


def truth(text: str) -> float:
    return 1.0 if "never" in text else 0.2 if "perhaps" in text else 0.0


def labelled(
    inputs: Inputs, rollouts: dict[tuple[str, str], Rollout], count: int | None = None
) -> RolloutLabels:
    """The truth about the first rollouts in the drawing order, or about all."""
    trait = inputs.traits[0]
    assert trait.rubric is not None
    labels = {}
    for row in placed(inputs, rollouts)[:count]:
        rollout = rollouts[row.prompt_id, row.teacher]
        of = as_unlabelled(trait.name, rollout)
        labels[of.key] = Label(of, truth(rollout.completion), rubric_id(trait.rubric))
    return RolloutLabels(labels, "here")


def placed(inputs: Inputs, rollouts: dict[tuple[str, str], Rollout]) -> tuple[PlacedRollout, ...]:
    scores = all_scores(inputs, judged_rollouts(inputs, rollouts))
    flagged, _ = flag_prompts(inputs, rollouts, scores)
    return strata_of(inputs, flagged, rollouts, scores)["date_confusion"]


def test_a_judge_that_overlooks_half_is_found_out_by_labels_of_all(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never"] * 6 + ["perhaps"] * 6)
    rows = placed(inputs, rollouts)
    found = recall_of(inputs.traits[0], rows, rollouts, labelled(inputs, rollouts), ("strict",))
    assert (found.interval.estimate, found.interval.low, found.interval.high) == (0.5, 0.5, 0.5)
    assert found.labelled == found.of == {"flagged": 6, "mild": 0, "unseen": len(rows) - 6}
    assert found.shows == {"flagged": 6, "mild": 0, "unseen": 6}
    assert found.needed is None
    assert found.labels


def test_a_judge_that_overlooks_nothing_is_cleared_by_labels_of_all_and_not_by_few(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never"] * 6)
    rows, trait = placed(inputs, rollouts), inputs.traits[0]
    everything = recall_of(trait, rows, rollouts, labelled(inputs, rollouts), ())
    assert (everything.interval.estimate, everything.interval.low) == (1.0, 1.0)
    few = recall_of(trait, rows, rollouts, labelled(inputs, rollouts, 12), ())
    assert few.interval.low is not None
    assert few.interval.low < 0.95
    assert few.needed is not None
    assert few.labelled["unseen"] < few.needed <= few.of["unseen"]


def test_without_labels_the_recall_is_unknown(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never"])
    found = recall_of(inputs.traits[0], placed(inputs, rollouts), rollouts, None, ("strict",))
    assert found.interval.estimate is None
    assert found.interval.why == "no rollout is labelled"
    assert (found.labels, set(found.labelled.values())) == ("", {0})


def test_an_empty_rollout_shows_nothing_and_needs_no_label(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never", ""])
    labels = labelled(inputs, rollouts)
    labels = RolloutLabels({k: v for k, v in labels.by_key.items() if v.of.response}, "here")
    found = recall_of(inputs.traits[0], placed(inputs, rollouts), rollouts, labels, ())
    assert found.labelled == found.of


def test_labels_of_other_responses_are_said_to_be_of_no_use(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never"])
    scores = all_scores(inputs, judged_rollouts(inputs, rollouts))
    strata = {"date_confusion": placed(inputs, rollouts)}
    others = labelled(inputs, answered(inputs, ["something else"] * 24))
    found, warnings = recalls_of(inputs, strata, rollouts, scores, {"date_confusion": others})
    assert found["date_confusion"].interval.estimate is None
    assert warnings == [
        "date_confusion: none of the 24 labels in here is of a rollout of the original teacher, so the judge's "
        "recall stays unknown"
    ]
    # With labels of some of them, nothing is said.
    own = {"date_confusion": labelled(inputs, rollouts, 3)}
    assert not recalls_of(inputs, strata, rollouts, scores, own)[1]


def test_a_prompt_that_only_a_keyword_flags_counts_as_flagged(inputs: Inputs) -> None:
    rollouts = answered(inputs, ["never"])
    scores = all_scores(inputs, judged_rollouts(inputs, rollouts))
    ids = [p.prompt_id for p in inputs.prompts["original"]]
    by_keyword = {"date_confusion": Flagged((ids[5],), {}, "keyword")}
    rows = {r.prompt_id: r.stratum for r in strata_of(inputs, by_keyword, rollouts, scores)["date_confusion"]}
    assert (rows[ids[5]], rows[ids[0]], rows[ids[1]]) == ("flagged", "mild", "unseen")
    assert [r.stratum for r in strata_of(inputs, {}, rollouts, scores)["date_confusion"]].count(
        "flagged"
    ) == 0


def test_labels_are_read_from_where_the_study_says_or_else_from_the_runs_folder(tmp_path: Path) -> None:
    path = study(tmp_path, STRICT, labels="file:mine.jsonl")
    inputs = load_inputs(load_study(path))
    with pytest.raises(InputError, match=r"study.yaml:\d+: there is no such file of labels"):
        read_rollout_labels(inputs)
    labels = list(labelled(inputs, answered(inputs, SAYS)).by_key.values())
    write_labels(tmp_path / "mine.jsonl", labels)
    mine = read_rollout_labels(inputs, tmp_path / "run")["date_confusion"]
    assert (len(mine.by_key), mine.file) == (24, "file:mine.jsonl")
    plain = load_inputs(load_study(study(tmp_path, STRICT)))
    assert read_rollout_labels(plain, tmp_path / "run") == {}
    (tmp_path / "run" / "labels").mkdir(parents=True)
    write_labels(tmp_path / "run" / "labels" / "date_confusion.jsonl", labels[:5])
    found = read_rollout_labels(plain, tmp_path / "run")["date_confusion"]
    assert (len(found.by_key), found.file) == (5, "labels/date_confusion.jsonl")
    assert found.digest != mine.digest


def test_labels_need_a_rubric(tmp_path: Path) -> None:
    path = write_mini_study(tmp_path, 24, traits=[{"name": "trait.yaml", "labels": "file:l.jsonl"}])
    (tmp_path / "l.jsonl").write_text("")
    with pytest.raises(InputError, match="has no rubric that labels could be by"):
        read_rollout_labels(load_inputs(load_study(path)))
