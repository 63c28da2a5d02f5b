"""Transformations: each changes what it says and nothing else, they compose, and the truth follows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.engine.errors import InputError
from mendel.measure import load_trait
from mendel.measure.scenarios import Scenario
from mendel.organisms import CAUSES, organism
from mendel.organisms.make import Generators, transformed, transformed_truth
from mendel.organisms.planted import organism as planting
from mendel.organisms.planted.admission import EFFECT, STILL, shortfall
from mendel.organisms.planted.causes import OrganismPlan, draw_plan
from mendel.organisms.planted.organism import Planted, plant
from mendel.organisms.planted.shown import OrganismRates
from mendel.organisms.planted.truth import ORDER, PlantedTruth, truth_of
from mendel.organisms.planted.writing import write_study
from mendel.organisms.transformations import choose, transformations
from mendel.organisms.transformations.registry import ChoiceValue, NumberValue
from mendel.study import load_study

SEED = 5
S, U, B, P, D = (
    "simple_generalization", "underspecification", "bad_prompts", "persona_selection", "direct_imitation",
)  # fmt: skip
EXAMPLES = {
    "judge_recall=0.5": S, "mild_unseen": S, "rewriter=teacher": S, "rewriter=original": S, "rewriter=none": S,
    "shared_base": U, "shared_prompts": S, "covered_prompts": U, "rate=0.02": U, "clean_mild": S,
    "sister=cousin": S, "sister=none": S, "sister=original": S, "no_extras": S, "counter=scenarios": S,
    "counter=wordings": S, "counter=none": S, "noise=0.3": S, "both_show": S, "few_clusters=3": S, "dilute=3": S,
}  # fmt: skip
"""Every transformation with each of its words or one number, and a cause that it applies to."""
CHANGED = {
    "judge_recall": {"traits/T.yaml"},
    "mild_unseen": {"traits/T.yaml"},
    "rewriter": {"rollouts/rewritten.jsonl", "study.yaml"},
    "shared_base": {"bases/alternate", "study.yaml"},
    "shared_prompts": {"prompts/alternate.jsonl", "rollouts/original.jsonl", "rollouts/alternate.jsonl", "study.yaml"},
    "covered_prompts": {"prompts/alternate.jsonl", "rollouts/original.jsonl", "rollouts/alternate.jsonl"},
    "rate": {"study.yaml"},
    "clean_mild": {"rollouts/original.jsonl", "rollouts/rewritten.jsonl"},
    "sister": {"bases/sister", "study.yaml"},
    "no_extras": {
        "bases/sister", "bases/pretrained", "rollouts/rewritten.jsonl", "prompts/counter-T.jsonl",
        "rollouts/original.jsonl", "rollouts/alternate.jsonl", "study.yaml",
    },
    "counter": {"prompts/counter-T.jsonl", "rollouts/original.jsonl", "rollouts/alternate.jsonl", "study.yaml"},
    "noise": {"rollouts/original.jsonl", "rollouts/alternate.jsonl", "rollouts/rewritten.jsonl", "traits/T.yaml"},
    "both_show": {"rollouts/alternate.jsonl"},
    "few_clusters": {"traits/T.jsonl"},
    "dilute": {
        "prompts/original.jsonl", "prompts/alternate.jsonl", "rollouts/original.jsonl",
        "rollouts/alternate.jsonl", "rollouts/rewritten.jsonl",
    },
}  # fmt: skip
"""All files that a transformation may change; `T` is any of the traits."""


def quickly(plan: OrganismPlan, rng: Generators) -> Planted:
    """Plant an organism whose bases read a few rows only."""
    before, planting.STEPS = planting.STEPS, 3
    try:
        return plant(plan, rng)
    finally:
        planting.STEPS = before


@cache
def planted(cause: str) -> tuple[Planted, Generators]:
    """A quickly planted organism of a cause. Made once."""
    rng = Generators(tuple(cause.split("+")), SEED, 0)
    return quickly(replace(draw_plan(rng.causes, "weak", rng("plan")), stage_rows=40), rng), rng


def changed(cause: str, *names: str) -> tuple[Planted, PlantedTruth]:
    """The organism of a cause with transformations, and the truth about it."""
    first, rng = planted(cause)
    chosen = choose(names, rng.causes)

    def again(plan: OrganismPlan, _: Any, __: Any) -> Planted:
        return replace(first, plan=plan)

    done = transformed(first.plan, rng, chosen, planting=again)
    return done, transformed_truth(done, chosen)


class Folder:
    """A written study."""

    def __init__(self, done: Planted, path: Path) -> None:
        write_study(done, Generators(done.plan.causes, SEED, 0), path)
        self.path = path
        self.study = yaml.safe_load((path / "study.yaml").read_text())
        self.trait = done.lexicon.traits[done.plan.target].name
        self.traits = [trait.name for trait in done.lexicon.traits]

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]

    def answers(self, teacher: str) -> dict[str, str]:
        return {row["prompt_id"]: row["completion"] for row in self.rows(f"rollouts/{teacher}.jsonl")}

    def prompts(self, name: str) -> dict[str, str]:
        return {row["prompt_id"]: row["messages"][0]["content"] for row in self.rows(f"prompts/{name}.jsonl")}

    def contents(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*") if path.is_file()
        }  # fmt: skip

    def scores(self, prompts: Mapping[str, str], teacher: str = "original") -> dict[str, float]:
        """The scores that the trait's own judge gives to the rollouts, as mendel reads it."""
        judge = load_trait(self.path / "traits" / f"{self.trait}.yaml").judge
        answers = self.answers(teacher)
        scenario = Scenario("s", "c", ({"role": "user", "content": "?"},))
        return {prompt: float(judge.score(scenario, answers[prompt])) for prompt in prompts}


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Folder]:
    """Write the organism of a cause with transformations. Each is written once."""

    @cache
    def written(cause: str, *names: str) -> Folder:
        return Folder(changed(cause, *names)[0], tmp_path_factory.mktemp("organism"))

    return written


def situations(done: Planted, levels: tuple[int, ...] = (0, 1, 2, 3), side: str = "original") -> list[str]:
    """Ids of the target's situations in a prompt set."""
    return [
        named.prompt_id
        for named in getattr(done.texts, side)
        if named.prompt.trait == done.plan.target and named.prompt.level in levels
    ]


def test_a_change_of_the_plan_leaves_all_other_draws_as_they_are() -> None:
    first, rng = planted(U)
    flipped = {
        place
        for name in ("original", "alternate")
        for place in planting.flipped_places(
            replace(first.plan, noise=0.3), first.speaker, rng("noise", name)
        )
    }
    assert flipped
    for text in ("noise=0.3", "rate=0.02"):
        (one,) = choose([text], rng.causes)
        again = quickly(one.transformation.on_plan(first.plan, one.value), rng)
        assert (again.texts, again.probes, again.tasks) == (first.texts, first.probes, first.tasks)
        assert again.rollouts == first.rollouts
        assert again.speaker == first.speaker
        for name, base in again.bases.items():
            same = all(
                bool((a == b).all())
                for a, b in zip(base.parameters(), first.bases[name].parameters(), strict=True)
            )
            assert same == (text == "rate=0.02"), (text, name)


def test_every_transformation_is_tried_here_with_each_of_its_words() -> None:
    assert set(CHANGED) == set(transformations) == {text.partition("=")[0] for text in EXAMPLES}
    for name in transformations:
        value = transformations.get(name).value
        tried = {text.partition("=")[2] for text in EXAMPLES if text.partition("=")[0] == name}
        if isinstance(value, ChoiceValue):
            assert tried == set(value.words)


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_transformation_changes_its_own_files_and_no_others(
    text: str, write: Callable[..., Folder]
) -> None:
    cause = EXAMPLES[text]
    plain, other = write(cause), write(cause, text)
    before, after = plain.contents(), other.contents()
    different = {name for name in before | after if before.get(name) != after.get(name)}
    assert different
    # Labels say what the original teacher's rollouts and its prompts hold.
    labelled = {"rollouts/original.jsonl", "prompts/original.jsonl"} & different
    for name in different:
        if name.startswith("labels/") and labelled:
            continue
        general = re.sub("|".join(plain.traits), "T", name)
        assert any(general.startswith(part) for part in CHANGED[text.partition("=")[0]]), name
    config = load_study(other.path).config
    assert (config.design, config.seeds, config.max_seeds) == ("adaptive", 2, 12)


@pytest.mark.parametrize("text", EXAMPLES)
def test_no_file_names_a_cause_or_a_transformation(text: str, write: Callable[..., Folder]) -> None:
    names = {*(cause for cause in CAUSES if cause != "none"), *transformations} - {
        "rate",
        "counter",
        "sister",
        "noise",
    }
    names -= {"rewriter"}
    for name, content in write(EXAMPLES[text], text).contents().items():
        if not name.endswith(".safetensors"):
            assert not any(word in content.decode() for word in names), name


def test_the_page_lists_every_transformation_and_its_commands_are_taken() -> None:
    page = (Path(__file__).parents[2] / "docs" / "organisms.md").read_text()
    for name in transformations:
        found = transformations.get(name)
        words = found.value.words if isinstance(found.value, ChoiceValue) else ()
        rows = [line for line in page.splitlines() if re.match(rf"\| `{name}[=`]", line)]
        assert len(rows) == 1, name
        assert all(word in rows[0] for word in words), name
    commands = re.findall(r"`([a-z_]+) --with ([^ `]+)`", page)
    assert len(commands) >= 7
    for cause, names in commands:
        assert choose(names.split(","), (cause,))


def test_a_judge_with_recall_x_misses_mild_forms_of_some_wordings_and_nothing_strong(
    write: Callable[..., Folder],
) -> None:
    done, truth = changed(S, "judge_recall=0.5")
    folder = write(S, "judge_recall=0.5")
    mild, strong = situations(done, (0, 1)), situations(done, (2, 3))
    scores = folder.scores(dict.fromkeys([*mild, *strong], ""))
    assert {scores[prompt] for prompt in strong} == {1.0}
    assert {scores[prompt] for prompt in mild} == {0.0, 0.2}
    assert sum(scores[p] == 0.2 for p in mild) / len(mild) == pytest.approx(0.5, abs=0.1)
    unrelated = [n.prompt_id for n in done.texts.original if n.prompt.kinds]
    assert folder.scores(dict.fromkeys(unrelated, "")) == write(S).scores(dict.fromkeys(unrelated, ""))
    assert (truth.cause, truth.location) == (S, ("flagged", "mild", "unseen"))


@given(st.floats(0.05, 0.95))
@settings(max_examples=15, deadline=None)
def test_recall_is_met_to_within_half_a_wording(recall: float) -> None:
    done, _ = changed(S, f"judge_recall={recall}")
    mild = [n for n in done.texts.original if n.prompt_id in set(situations(done, (0, 1)))]
    seen = sum(done.score(named) == 0.2 for named in mild) / len(mild)
    assert abs(seen - recall) < 0.2


def test_mild_unseen_leaves_no_mild_form_with_a_score(write: Callable[..., Folder]) -> None:
    done, truth = changed(S, "mild_unseen")
    scores = write(S, "mild_unseen").scores(dict.fromkeys(situations(done), ""))
    assert {scores[prompt] for prompt in situations(done, (0, 1))} == {0.0}
    assert {scores[prompt] for prompt in situations(done, (2, 3))} == {1.0}
    assert truth.location == ("flagged", "unseen")


@pytest.mark.parametrize(("whose", "teacher"), [("teacher", "alternate"), ("original", "original")])
def test_a_rewriter_that_is_a_teacher_has_the_answers_of_that_teacher(
    whose: str, teacher: str, write: Callable[..., Folder]
) -> None:
    folder = write(S, f"rewriter={whose}")
    answers = folder.answers(teacher)
    assert folder.answers("rewritten") == {p: answers[p] for p in folder.prompts("original")}
    assert folder.study["rewriter"] == "rewritten"


def test_what_is_left_out_is_in_no_key_and_no_file(write: Callable[..., Folder]) -> None:
    keys = {"sister", "pretrained", "rewriter"}
    assert keys <= set(write(S).study)
    for name, gone in (("rewriter=none", {"rewriter"}), ("sister=none", {"sister"}), ("no_extras", keys)):
        study = write(S, name).study
        assert keys - set(study) == gone
        assert ("rewritten" in study["teachers"]) == ("rewriter" in study)
        assert set(study) | keys == set(write(S).study)
    for name in ("no_extras", "counter=none"):
        folder = write(S, name)
        assert all(set(trait) == {"name", "labels"} for trait in folder.study["traits"])
        assert not list((folder.path / "prompts").glob("counter*"))
    bases = {path.name for path in (write(S, "no_extras").path / "bases").iterdir()}
    assert bases == {"original", "alternate"}


def test_shared_ends_are_one_file(write: Callable[..., Folder]) -> None:
    both = write(S, "shared_base", "shared_prompts")
    assert both.study["alternate"] == {**both.study["original"], "teacher": "alternate"}
    assert not (both.path / "prompts" / "alternate.jsonl").exists()
    assert {p[0] for p in both.answers("alternate")} == {"o", "c"}


def test_a_base_in_both_pipelines_leaves_a_cause_in_the_base_without_a_difference() -> None:
    for cause in CAUSES:
        truth = changed(cause, "shared_base")[1] if cause in (S, U) else truth_of((cause,)).without("base")
        in_base = truth_of((cause,)).location == ("base",)
        assert truth.state == ("absent" if cause == "none" else "shared" if in_base else "difference")
        assert (truth.cause == "none") == (truth.state != "difference")
        assert bool(truth.location) == (truth.state == "difference")


def test_prompts_in_both_pipelines_leave_bad_prompts_without_a_difference() -> None:
    assert changed(B, "shared_prompts")[1] == PlantedTruth(("none",), "shared", ())
    assert changed(S, "shared_prompts")[1] == truth_of((S,))


def test_covered_prompts_are_answered_cleanly_by_both_teachers(write: Callable[..., Folder]) -> None:
    done, _ = changed(U, "covered_prompts")
    covered = situations(done, side="alternate")
    assert not situations(done)
    assert 0.1 < len(covered) / len(done.texts.alternate) < 0.21
    for teacher in ("original", "alternate"):
        assert not any(write(U, "covered_prompts").scores(dict.fromkeys(covered, ""), teacher).values())
    for order in (("shared_base", "covered_prompts"), ("covered_prompts", "shared_base")):
        assert changed(U, *order)[1] == PlantedTruth((U,), "difference", ("prompts_absent",))
    assert changed(U, "covered_prompts")[1].location == ("prompts_absent", "base", "combination")


def test_a_rate_is_the_plain_one_times_x(write: Callable[..., Folder]) -> None:
    rates = [folder.study["recipe"].pop("learning_rate") for folder in (write(U), write(U, "rate=0.02"))]
    assert rates[1] == pytest.approx(0.02 * rates[0], rel=0.02)
    assert write(U).study == write(U, "rate=0.02").study


def test_clean_mild_answers_are_the_alternate_teachers(write: Callable[..., Folder]) -> None:
    done, truth = changed(S, "clean_mild")
    asked = write(S, "clean_mild").answers("original")
    other, plain = write(S).answers("alternate"), write(S).answers("original")
    mild = {*situations(done, (0, 1)), *situations(done, (0, 1), "alternate")}
    for named in (*done.texts.original, *done.texts.alternate):
        prompt = named.prompt_id
        assert asked[prompt] == (other if prompt in mild else plain)[prompt]
    assert set(done.carriers()) == set(situations(done, (2, 3)))
    assert truth == truth_of((D,))


def test_a_cousin_is_the_base_of_the_other_corpus_also_where_one_base_is_shared(
    write: Callable[..., Folder],
) -> None:
    weights = write(S).contents()["bases/alternate/model.safetensors"]
    assert write(S, "sister=cousin").study["sister"] == "hf:bases/alternate"
    for order in (("shared_base", "sister=cousin"), ("sister=cousin", "shared_base")):
        folder = write(S, *order)
        assert folder.study["sister"] == "hf:bases/sister"
        assert folder.contents()["bases/sister/model.safetensors"] == weights
    assert write(S, "sister=original").study["sister"] == "hf:bases/original"


def test_counter_examples_are_scenarios_or_share_their_wordings_and_are_clean(
    write: Callable[..., Folder],
) -> None:
    for which in ("scenarios", "wordings"):
        folder = write(S, f"counter={which}")
        for trait in folder.traits:
            asked = {row["messages"][0]["content"] for row in folder.rows(f"traits/{trait}.jsonl")}
            places = {row["cluster"] for row in folder.rows(f"traits/{trait}.jsonl")}
            texts = folder.prompts(f"counter-{trait}")
            assert all((text in asked) == (which == "scenarios") for text in texts.values())
            assert all(places & set(text.split()) for text in texts.values())
            assert len(texts) == len(write(S).prompts(f"counter-{trait}"))
        texts = folder.prompts(f"counter-{folder.trait}")
        assert not any(folder.scores(texts, "alternate").values())
        assert any(folder.scores(texts, "original").values())


def test_noise_flips_that_share_of_the_decisions_and_asks_by_sampling(write: Callable[..., Folder]) -> None:
    done, truth = changed(S, "noise=0.3")
    folder = write(S, "noise=0.3")
    asked = [*situations(done), *situations(done, side="alternate")]
    for teacher in ("original", "alternate"):
        now, then = folder.answers(teacher), write(S).answers(teacher)
        flipped = {prompt for prompt in then if now[prompt] != then[prompt]}
        assert flipped <= set(asked)
        assert 0.2 < len(flipped) / len(asked) < 0.4
    for named in done.texts.original:
        assert done.shows("rewritten", named) == done.shows("original", named)
    for trait in folder.traits:
        generate = yaml.safe_load((folder.path / "traits" / f"{trait}.yaml").read_text())["generate"]
        assert (generate["temperature"], generate["samples"]) == (1, 2)
    assert set(done.carriers()) == {n.prompt_id for n in done.texts.original if done.shows("original", n)}
    assert truth == truth_of((S,))


def test_noise_flips_priors_by_wording_where_the_cause_is_in_the_base() -> None:
    plan, rng = planted(U)[0].plan, planted(U)[1]
    speaker = planted(U)[0].speaker
    places = set(speaker.lexicon.traits[plan.target].places)
    for chance, least, most in ((0.0, 0, 0), (0.3, 2, 16)):
        flipped = planting.flipped_places(replace(plan, noise=chance), speaker, rng("noise", "original"))
        assert flipped <= places
        assert least <= len(flipped) <= most
    assert not planting.flipped_places(replace(planted(S)[0].plan, noise=0.3), speaker, rng("noise", "x"))


@pytest.mark.parametrize("cause", [S, D, P])
def test_where_both_show_each_teacher_decides_alike_in_its_own_words(cause: str) -> None:
    done, truth = changed(cause, "both_show")
    manners = done.lexicon.manners
    for named in done.texts.all:
        assert done.shows("alternate", named) == done.shows("original", named)
        opener = done.rollouts["alternate"][named.prompt_id].split()[0]
        assert opener in manners[0 if cause == P else 1].openers
    assert truth == PlantedTruth(("none",), "shared", ())


@pytest.mark.parametrize("clusters", [1, 3, 13])
def test_few_clusters_are_as_many_as_asked_for(clusters: int, write: Callable[..., Folder]) -> None:
    folder = write(S, f"few_clusters={clusters}")
    for trait in folder.traits:
        rows = folder.rows(f"traits/{trait}.jsonl")
        assert len({row["cluster"] for row in rows}) == clusters
        assert len({row["messages"][0]["content"] for row in rows}) == len(rows) == min(40, 12 * clusters)


@pytest.mark.parametrize(
    "names", [("dilute=3",), ("shared_prompts", "dilute=3"), ("dilute=3", "shared_prompts")]
)
def test_dilution_adds_unrelated_prompts_and_leaves_the_others(
    names: tuple[str, ...], write: Callable[..., Folder]
) -> None:
    done, _ = changed(S, *names)
    before, folder = planted(S)[0], write(S, *names)
    count = sum(bool(n.prompt.kinds) for n in before.texts.original)
    assert sum(bool(n.prompt.kinds) for n in done.texts.original) == 3 * count
    assert done.texts.original[: len(before.texts.original)] == before.texts.original
    assert len({n.prompt.text for n in done.texts.original if n.prompt.kinds}) == 3 * count
    assert (done.texts.alternate is done.texts.original) == (len(names) == 2)
    assert set(folder.answers("original")) == {n.prompt_id for n in done.texts.all}
    assert done.carriers() == before.carriers()


def test_transformations_compose_in_the_order_given() -> None:
    one = changed(S, "noise=0.2", "rewriter=teacher")[0]
    assert one.rollouts["rewritten"] == {
        n.prompt_id: one.rollouts["alternate"][n.prompt_id] for n in one.texts.original
    }
    two = changed(S, "rewriter=teacher", "noise=0.2")[0]
    assert two.rollouts["rewritten"] == one.rollouts["rewritten"]
    first = changed(S, "rewriter=original", "clean_mild")[0]
    last = changed(S, "clean_mild", "rewriter=original")[0]
    assert first.rollouts == last.rollouts


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_allowed_combination_has_a_truth_that_agrees_with_itself(data: st.DataObject) -> None:
    cause = data.draw(st.sampled_from([S, U, B, P, D]))
    names: list[str] = []
    for name in data.draw(st.permutations(sorted(transformations)))[:5]:
        value = transformations.get(name).value
        if isinstance(value, ChoiceValue):
            name += "=" + data.draw(st.sampled_from(value.words))
        elif isinstance(value, NumberValue):
            name += f"={value.read(str(int(value.high) if value.whole else value.low))}"
        try:
            choose([*names, name], (cause,))
        except InputError:
            continue
        names.append(name)
    done, truth = changed(cause, *names)
    assert (truth.state == "difference") == bool(truth.location) == (truth.causes != ("none",))
    assert [part for part in ORDER if part in truth.location] == list(truth.location)
    asked = {named.prompt_id for named in done.texts.all}
    assert all(asked <= set(done.rollouts[teacher]) for teacher in ("original", "alternate"))
    if "rewritten" in done.rollouts:
        assert {named.prompt_id for named in done.texts.original} <= set(done.rollouts["rewritten"])
    assert set(done.carriers()) <= {named.prompt_id for named in done.texts.original}


@pytest.mark.parametrize(
    ("cause", "names", "messages"),
    [
        (S, ["judge_recal=.5"], ["unknown transformation", "Did you mean 'judge_recall'?", "few_clusters"]),
        (S, [""], ["unknown transformation", "judge_recall"]),
        (S, ["judge_recall"], ["needs a value", "a number from 0.05 to 0.95", "judge_recall=VALUE"]),
        (S, ["judge_recall=2"], ["needs another value", "0.05 to 0.95"]),
        (S, ["noise=nan"], ["needs another value"]),
        (S, ["few_clusters=2.5"], ["a whole number from 1 to 13"]),
        (S, ["sister=brother"], ["allowed: cousin, none, original"]),
        (S, ["mild_unseen=1"], ["takes no value", "Write mild_unseen"]),
        (P, ["judge_recall=.5"], ["does not apply to persona_selection", "allowed: simple_generalization"]),
        (S, ["covered_prompts"], ["does not apply", "allowed: underspecification"]),
        ("none", ["noise=.2"], ["does not apply to none"]),
        ("subliminal_learning", ["dilute=3"], ["does not apply"]),
        ("simple_generalization+persona_selection", ["clean_mild"], ["does not apply to simple"]),
        (S, ["no_extras", "sister=none"], ["sister does not apply beside no_extras"]),
        (S, ["clean_mild", "judge_recall=.5"], ["judge_recall does not apply beside clean_mild"]),
        (S, ["rate=.1", "rate=.2"], ["the same transformation twice"]),
    ],
)  # fmt: skip
def test_what_cannot_be_transformed_is_refused_before_anything_is_written(
    cause: str, names: list[str], messages: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        organism(cause, 1, tmp_path / "organism", transformations=names)
    for message in messages:
        assert message in str(error.value)
    assert not (tmp_path / "organism").exists()


rates = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(rates, rates, st.sampled_from(["difference", "shared", "absent"]))
def test_admission_asks_for_the_rates_of_both_pipelines_only(
    original: tuple[float, float], alternate: tuple[float, float], state: Any
) -> None:
    shown = OrganismRates(original, alternate, (0.0, 0.0), 1.0, {})
    truth = PlantedTruth(("none",), state, ())
    admitted = not shortfall(shown, truth)
    differences = [a - b for a, b in zip(original, alternate, strict=True)]
    if state == "difference":
        assert admitted == (min(differences) >= EFFECT)
    elif admitted:
        assert max(map(abs, differences)) <= STILL
        assert (
            (min(*original, *alternate) >= 0.2)
            if state == "shared"
            else (max(*original, *alternate) <= STILL)
        )
    assert shortfall(replace(shown, tasks=0.5), truth)
    moved = replace(shown, others=(0.3, 0.0))
    assert shortfall(moved, truth)
    assert bool(shortfall(moved, truth, others_may_move=True)) == (not admitted)


@pytest.mark.slow
def test_a_real_organism_says_in_its_truth_what_was_changed_and_what_was_measured(tmp_path: Path) -> None:
    out, truth = tmp_path / "organism", tmp_path / "truth.json"
    made = organism(
        S, 41, out, truth=truth, strength="weak", transformations=["mild_unseen", "shared_base", "no_extras"]
    )
    said = json.loads(truth.read_text())
    assert said["transformations"] == ["mild_unseen", "shared_base", "no_extras"]
    assert (said["cause"], said["planted"], said["state"]) == (S, S, "difference")
    assert said["location"] == ["flagged", "unseen"]
    shown = said["shown"]
    assert min(shown["original"]) - max(shown["alternate"]) >= EFFECT
    assert shown["parts"]["mild"]["rows"] < 0.06 * 850  # hints only
    assert set(shown["parts"]) == {"flagged", "mild", "unseen", "prompts"}
    assert sum(shown["parts"][name]["rows"] for name in ("flagged", "mild", "unseen")) == len(
        (out / "prompts" / "original.jsonl").read_text().splitlines()
    )
    assert made.carriers == tuple(said["carriers"])
    files = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    for word in (S, "mild_unseen", "shared_base", "no_extras", "carriers", "location"):
        assert not any(word in path.read_text() for path in files), word
    assert not any("truth" in path.name for path in files)
