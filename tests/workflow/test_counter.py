"""Counter-examples: half of the scenarios where a study has none, and never what measures the trait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from _mini import PEAS, write_mini_study
from mendel.engine.errors import InputError
from mendel.measure.splitting import same_text
from mendel.study import load_study
from mendel.workflow.inputs import Inputs, load_inputs

OTHER_BASE = {"base": f"hf:{PEAS}/bases/alternate", "prompts": "file:prompts.jsonl", "teacher": "alternate"}


def inputs_of(folder: Path, **changes: Any) -> Inputs:
    return load_inputs(load_study(write_mini_study(folder, **{"alternate": OTHER_BASE, **changes})))


def with_counter(folder: Path, counter: str | None, **changes: Any) -> Path:
    return write_mini_study(
        folder,
        **{
            "alternate": OTHER_BASE,
            "traits": [{"name": "trait.yaml", "counter_examples": counter}],
            **changes,
        },
    )


def scenario_rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "scenarios.jsonl").read_text().splitlines()]


def test_half_of_the_clusters_become_counter_examples_and_the_other_half_measures(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path)
    (trait,), (examples,) = inputs.traits, inputs.counter.values()
    whole = {same_text(row["messages"]) for row in scenario_rows(tmp_path)}
    measured, trained = (
        {same_text(item.messages) for item in items} for items in (trait.scenarios, examples)
    )
    assert measured | trained == whole
    assert not measured & trained
    assert 0 <= len(measured) - len(trained) <= 1
    assert any("are counter-examples; it is measured on the other" in text for text in inputs.warnings)


def test_the_alternate_teacher_answers_them_and_nobody_else_does(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path)
    ids = {prompt.prompt_id for prompt in inputs.counter["date_confusion"]}
    asked = {name: {p.prompt_id for p in inputs.answered_by(name)} & ids for name in inputs.teachers}
    assert asked["alternate"] == ids
    assert not asked["original"]


def test_the_same_study_is_split_alike_each_time(
    tmp_path: Path,
) -> None:
    first, second = (inputs_of(tmp_path / name) for name in "ab")
    assert first.counter == second.counter
    assert first.traits[0].digest == second.traits[0].digest


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"alternate": {**OTHER_BASE, "base": f"hf:{PEAS}/bases/original"}}, "share base and prompts"),
        ({"design": "effects"}, "'effects' tests no cause"),
        ({"traits": [{"name": "trait.yaml", "counter_examples": "none"}]}, "says 'none'"),
        ({"traits": [{"name": "trait.yaml", "counter_examples": None}]}, "says 'none'"),
    ],
)
def test_where_nothing_is_split_the_trait_keeps_all_scenarios_and_it_is_said_why(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    inputs = inputs_of(tmp_path, **changes)
    assert len(inputs.traits[0].scenarios) == len(scenario_rows(tmp_path))
    assert says in inputs.lacking["date_confusion"]["counter"]
    assert not inputs.counter


def test_finished_rollouts_answer_no_scenario(tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    prompts = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    rows = [{**row, "completion": "yes"} for row in prompts]
    (tmp_path / "done.jsonl").write_text("\n".join(map(json.dumps, rows)))
    teachers = {
        "original": {"model": f"hf:{PEAS}/teachers/original", "max_tokens": 24},
        "alternate": {"model": "file:done.jsonl"},
    }
    inputs = inputs_of(tmp_path, teachers=teachers, rewriter=None)
    assert "answers no other prompts" in inputs.lacking["date_confusion"]["counter"]


def test_a_users_counter_examples_that_measure_the_trait_are_left_out_and_counted(tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    scenario = scenario_rows(tmp_path)[0]
    # The same text in other spaces and upper case is the same question.
    again = [{**m, "content": f" {m['content'].upper()}  "} for m in scenario["messages"]]
    own = [{"role": "user", "content": "which day is it , by your watch ?"}]
    rows = [{"prompt_id": f"c{i}", "messages": messages} for i, messages in enumerate((again, own))]
    (tmp_path / "counter.jsonl").write_text("\n".join(map(json.dumps, rows)))
    inputs = load_inputs(load_study(with_counter(tmp_path, "file:counter.jsonl")))
    assert [prompt.prompt_id for prompt in inputs.counter["date_confusion"]] == ["c1"]
    assert len(inputs.traits[0].scenarios) == len(scenario_rows(tmp_path))
    assert any("1 of 2 counter-examples are among the scenarios" in text for text in inputs.warnings)


def test_counter_examples_that_are_all_scenarios_are_refused(tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    row = {"prompt_id": "c0", "messages": scenario_rows(tmp_path)[0]["messages"]}
    (tmp_path / "counter.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match="every counter-example is one of the trait's scenarios"):
        load_inputs(load_study(with_counter(tmp_path, "file:counter.jsonl")))


def test_an_id_of_another_prompt_is_refused(tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    taken = json.loads((tmp_path / "prompts.jsonl").read_text().splitlines()[0])["prompt_id"]
    row = {"prompt_id": taken, "messages": [{"role": "user", "content": "what year ?"}]}
    (tmp_path / "counter.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match="has the id of another prompt"):
        load_inputs(load_study(with_counter(tmp_path, "file:counter.jsonl")))


def test_one_cluster_and_one_seed_are_said_before_any_training(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path, alternate=OTHER_BASE, seeds=1)
    rows = [{**row, "cluster": "all"} for row in scenario_rows(tmp_path)]
    (tmp_path / "scenarios.jsonl").write_text("\n".join(map(json.dumps, rows)))
    warnings = load_inputs(load_study(study)).warnings
    assert any("in one cluster, so no interval" in text for text in warnings)
    assert any("seeds: 1, so the noise of training is not known" in text for text in warnings)
    more = yaml.safe_load(study.read_text()) | {"seeds": 2}
    study.write_text(yaml.safe_dump(more))
    assert not any("seeds" in text for text in load_inputs(load_study(study)).warnings)
