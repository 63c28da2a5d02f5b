"""Rules that train no student: right where the evidence gives the cause away, wrong where it deceives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mendel.commands.bench.rules import (
    LOCATE_RULES,
    VERDICT_RULES,
    Evidence,
    JudgedPrompt,
    Suspects,
    bases_only,
    best_rule,
    read_evidence,
    read_suspects,
    recipe_only,
    rollouts_only,
    rule_shares,
    six_lines,
    study_trait,
)

PLAIN = Evidence(
    method="full",
    learning_rate=3e-4,
    flagged=0.0,
    mild=0.0,
    alternate_shows=0.0,
    bases={"original": 0.05, "alternate": 0.05, "sister": 0.05, "pretrained": 0.05},
    prefilled={"original": 0.05, "alternate": 0.05},
)


def bases(original: float, **others: float) -> dict[str, float]:
    return {**PLAIN.bases, "original": original, **others}


TELLING = {
    "none": PLAIN,
    "direct_imitation": replace(PLAIN, flagged=0.1),
    "simple_generalization": replace(PLAIN, flagged=0.07, mild=0.07),
    "bad_prompts": replace(PLAIN, flagged=0.1, alternate_shows=0.9),
    "underspecification": replace(PLAIN, bases=bases(0.85)),
    "persona_selection": replace(PLAIN, prefilled={"original": 0.9, "alternate": 0.05}),
    "subliminal_learning": replace(PLAIN, method="norms", learning_rate=0.1),
    "pretraining_lock_in": replace(PLAIN, learning_rate=2e-5, bases=bases(1.0, pretrained=1.0)),
    "post_training_lock_in": replace(PLAIN, learning_rate=2e-5, bases=bases(1.0)),
}


@pytest.mark.parametrize("cause", list(TELLING))
def test_the_six_lines_name_a_cause_that_the_evidence_gives_away(cause: str) -> None:
    assert six_lines(TELLING[cause]) == cause


@pytest.mark.parametrize(
    ("truth", "evidence"),
    [
        # Stray strong rollouts beside a manner that does it.
        ("persona_selection", replace(TELLING["persona_selection"], flagged=0.06)),
        # Both teachers grant what the bases differ in: the data settle it.
        ("none", replace(PLAIN, bases=bases(0.6))),
        # One base, and alternate prompts that cover the situation.
        ("underspecification", replace(PLAIN, bases=bases(0.6, alternate=0.6))),
        # Strong and mild rollouts that teach nothing.
        ("none", replace(PLAIN, flagged=0.05, mild=0.05)),
    ],
)
def test_the_six_lines_fall_for_what_only_students_can_tell(truth: str, evidence: Evidence) -> None:
    assert six_lines(evidence) != truth


def test_each_narrow_rule_sees_its_part_of_the_evidence_alone() -> None:
    for evidence in TELLING.values():
        assert recipe_only(evidence) == recipe_only(replace(PLAIN, method=evidence.method, learning_rate=evidence.learning_rate))  # fmt: skip
        assert rollouts_only(evidence) == rollouts_only(replace(evidence, bases=PLAIN.bases, prefilled={}))
        assert bases_only(evidence) == bases_only(replace(evidence, flagged=0.5, mild=0.5, method="lora"))
    assert bases_only(TELLING["direct_imitation"]) == "none"
    assert rollouts_only(TELLING["underspecification"]) == "none"
    assert len({VERDICT_RULES["random pick"](replace(PLAIN, key=str(n))) for n in range(60)}) > 5


def judged(number: int, original: str, alternate: str) -> JudgedPrompt:
    def score(text: str) -> float:
        return 1.0 if "nay ever" in text else 0.2 if "nay" in text else 0.0

    return JudgedPrompt(f"p{number}", original, alternate, score(original), score(alternate))


SEEN = Suspects(
    (
        judged(0, "nay ever", "yea"),
        judged(1, "nay", "yea"),
        judged(2, "yea", "yea"),
        judged(3, "a blue cup", "a blue cup"),
        judged(4, "nay ever", "nay ever"),
    ),
    hit_at=0.5,
    least=0.0,
    clean=("yea",),
)


@pytest.mark.parametrize(
    ("rule", "prompts"),
    [
        ("clean word", ["p0", "p1"]),
        ("more than the alternate", ["p0", "p1"]),
        ("any sign", ["p0", "p1", "p4"]),
        ("flagged", ["p0", "p4"]),
    ],
)
def test_a_rule_for_the_carriers_picks_by_what_it_says(rule: str, prompts: list[str]) -> None:
    assert LOCATE_RULES[rule](SEEN) == prompts


def test_a_rule_cannot_find_carriers_that_no_word_tells() -> None:
    """Facts carry the trait by their manner: every rule but chance names other prompts."""
    carriers = {"p3"}
    for name, rule in LOCATE_RULES.items():
        if name != "random prompts":
            assert not carriers & set(rule(SEEN))
    assert len(LOCATE_RULES["random prompts"](SEEN)) == 3


def test_the_best_rule_stands_beside_the_share_with_what_retraining_adds() -> None:
    rules = rule_shares({"good": [True, True, False, True], "bad": [False] * 4})
    assert rules["good"]["right"] == 3
    assert rules["good"]["low"] < 0.75 < rules["good"]["high"]
    line = best_rule(rules, {"estimate": 1.0, "of": 4})
    assert "trains no student: good, 3 of 4: 75.0%" in line
    assert line.endswith("retraining adds +25 points")
    assert best_rule(rules, {"estimate": 0.5, "of": 4}).endswith("retraining adds -25 points")
    assert best_rule(rule_shares({"good": []}), {"estimate": None, "of": 0}) == ""


def test_evidence_is_read_from_what_stands_in_a_run_before_any_student(finished: Path) -> None:
    from mendel.results.run import open_run
    from mendel.study import load_study

    study, run = load_study(finished / "study.yaml"), open_run(finished / "run")
    name = next(iter(run.traits))
    trait = study_trait(study, name)
    seen = read_suspects(study, run, trait)
    evidence = read_evidence(study, run, trait, "1")
    original = {row["prompt_id"]: row["completion"] for row in run.rollouts.to_pylist() if row["teacher"] == study.config.original.teacher}  # fmt: skip
    assert seen.prompts
    assert all(p.original == original[p.prompt_id] for p in seen.prompts)
    hits = [p for p in seen.prompts if trait.judge.score(trait.scenarios[0], p.original) >= seen.hit_at]
    assert evidence.flagged == len(hits) / len(seen.prompts)
    untrained = {row["student"] for row in run.students.to_pylist() if row["arm"] == "base/original"}
    answers = [row["hit"] for row in run.measurements.to_pylist() if row["student"] in untrained and row["trait"] == name and row["hit"] is not None]  # fmt: skip
    assert evidence.bases["original"] == pytest.approx(sum(answers) / len(answers))
    assert evidence.method == study.config.recipe.method
