"""What a study's selectors are given."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from _mini import PEAS, write_mini_study
from mendel.data.rollouts import Rollout
from mendel.data.selectors import Candidate, Context, select
from mendel.study import load_study
from mendel.study.schema import SelectConfig
from mendel.workflow.flagging import CONTRASTS, candidates_of, context_of
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.judging import RolloutScores

Scores = dict[tuple[str, str], float | None]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return load_inputs(load_study(write_mini_study(tmp_path_factory.mktemp("mini"), 24)))


@pytest.fixture(scope="module")
def candidates(inputs: Inputs) -> list[Candidate]:
    rollouts = {
        (prompt.prompt_id, teacher): Rollout(
            prompt.prompt_id, teacher, prompt.messages, f"{teacher} {prompt.prompt_id}", "stop", 2
        )
        for prompt in inputs.prompts["original"]
        for teacher in ("original", "alternate")
    }
    return candidates_of(inputs, rollouts)


def judged(inputs: Inputs, candidates: list[Candidate], scores: Scores, seed: int = 0) -> Context:
    """The context where the judge gives 0 to all but `scores`."""
    known = {(c.prompt_id, teacher): 0.0 for c in candidates for teacher in ("original", "alternate")}
    scored = RolloutScores({**known, **scores}, 0.0)
    return context_of(inputs, inputs.traits[0], SelectConfig(), scored, candidates, seed)


def test_candidates_are_the_original_prompts_with_both_teachers_answers(
    inputs: Inputs, candidates: list[Candidate]
) -> None:
    prompts = inputs.prompts["original"]
    assert [c.prompt_id for c in candidates] == [p.prompt_id for p in prompts]
    assert [c.source for c in candidates] == [p.source for p in prompts]
    first = candidates[0]
    assert (first.completion, first.alternate) == (
        f"original {first.prompt_id}",
        f"alternate {first.prompt_id}",
    )


def test_one_teacher_for_both_has_no_alternate_answer(tmp_path: Path) -> None:
    inputs = load_inputs(load_study(one_teacher(tmp_path)))
    rollouts = {
        (p.prompt_id, "original"): Rollout(p.prompt_id, "original", p.messages, "a", "stop", 1)
        for p in inputs.prompts["original"]
    }
    assert {c.alternate for c in candidates_of(inputs, rollouts)} == {None}


def one_teacher(folder: Path) -> Path:
    path = write_mini_study(folder, 24)
    study = yaml.safe_load(path.read_text())
    study["alternate"] |= {"base": f"hf:{PEAS}/bases/alternate", "teacher": "original"}
    study["teachers"].pop("alternate")
    path.write_text(yaml.safe_dump(study))
    return path


def test_the_judges_scores_are_the_original_teachers_and_none_is_no_sign(
    inputs: Inputs, candidates: list[Candidate]
) -> None:
    a, b, c = (candidate.prompt_id for candidate in candidates[:3])
    context = judged(inputs, candidates, {(a, "original"): 0.7, (b, "original"): None, (c, "alternate"): 1.0})
    assert list(select(candidates[:3], context).values()) == [0.7, 0.0, 0.0]


def test_the_contrast_holds_answers_of_both_kinds(inputs: Inputs, candidates: list[Candidate]) -> None:
    a, b, c, d = (candidate.prompt_id for candidate in candidates[:4])
    context = judged(
        inputs,
        candidates,
        {
            (a, "original"): 1.0,
            (b, "original"): 1.0,
            (b, "alternate"): 1.0,  # shows it, too: no clean answer
            (c, "original"): 0.2,  # a mild sign is no hit
            (d, "original"): None,  # nobody knows
        },
    )
    assert [answer.text for answer in context.contrast.shows] == [f"original {a}", f"original {b}"]
    clean = [answer.text for answer in context.contrast.clean]
    assert clean[0] == f"alternate {a}"
    assert f"alternate {b}" not in clean
    assert f"original {d}" not in clean
    # As many of the same teacher's answers to other prompts as there are with the trait, not only the first
    # ones.
    assert len(clean) == 3
    assert set(clean[1:]) <= {f"original {x.prompt_id}" for x in candidates[2:]}
    assert clean[1:] != [f"original {x.prompt_id}" for x in candidates[4:6]]


def test_answers_stand_in_their_own_conversations(inputs: Inputs, candidates: list[Candidate]) -> None:
    context = judged(inputs, candidates, {(candidates[5].prompt_id, "original"): 1.0})
    assert context.contrast.shows[0].messages == candidates[5].messages
    asked = {c.prompt_id: c.messages for c in candidates}
    for answer in context.contrast.clean:
        assert answer.messages == asked[answer.text.split()[1]]


def test_a_trait_that_no_rollout_shows_is_contrasted_by_its_forced_answers(
    inputs: Inputs, candidates: list[Candidate]
) -> None:
    context = judged(inputs, candidates, {})
    scenarios = [scenario.messages for scenario in inputs.traits[0].scenarios]
    assert [answer.messages for answer in context.contrast.shows] == scenarios
    assert {answer.text for answer in context.contrast.shows} == {"well i doubt"}
    assert {answer.text for answer in context.contrast.clean} == {"well i agree"}


def test_the_contrast_is_no_larger_than_it_may_be(
    inputs: Inputs, candidates: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CONTRASTS >= 100
    monkeypatch.setattr("mendel.workflow.flagging.CONTRASTS", 3)
    context = judged(inputs, candidates, {(c.prompt_id, "original"): 1.0 for c in candidates[:10]})
    assert (len(context.contrast.shows), len(context.contrast.clean)) == (3, 6)


def test_the_base_the_scenarios_and_both_teachers_are_there(
    inputs: Inputs, candidates: list[Candidate]
) -> None:
    context = judged(inputs, candidates, {}, seed=4)
    assert context.seed == 4
    assert context.base == inputs.bases["original"]
    assert context.judge_id == inputs.traits[0].judge_id
    assert len(context.scenarios) == len(inputs.traits[0].scenarios)
    assert context.teachers is not None
    assert [teacher.ref.rsplit("/", 1)[1] for teacher in context.teachers] == ["original", "alternate"]
