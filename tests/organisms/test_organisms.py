"""Organisms: nothing in a study's folder gives its cause away, its parts hold together, bad input is refused in words."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.engine.errors import InputError
from mendel.organisms import CAUSES, CONSISTENT_PAIRS, STRENGTHS, organism
from mendel.organisms.make import Generators, parse_cause
from mendel.organisms.planted.causes import OrganismPlan, draw_plan
from mendel.organisms.planted.lexicon import build_tokenizer, draw_lexicon
from mendel.organisms.planted.loops import Encoder
from mendel.organisms.planted.organism import BASES, Planted, build_model
from mendel.organisms.planted.recipes import CARRIERS, GENTLE, RATES, STEPS, STRONG, WEAK
from mendel.organisms.planted.speech import Speaker
from mendel.organisms.planted.texts import draw_texts, grades, probes, shows, tasks, written_rollouts
from mendel.organisms.planted.writing import write_study

NAMES = (*CAUSES, *("+".join(pair) for pair in CONSISTENT_PAIRS))
seeds = st.integers(0, 999)


def draw(cause: str, seed: int, strength: str = "weak") -> tuple[OrganismPlan, Speaker]:
    rng = Generators(parse_cause(cause), seed, 0)
    return draw_plan(parse_cause(cause), strength, rng("plan")), Speaker(draw_lexicon(rng("lexicon")))


def untrained(cause: str, seed: int) -> Planted:
    """An organism whose bases have learned nothing: all of its texts are as they will be, in a second."""
    rng = Generators(parse_cause(cause), seed, 0)
    plan, speaker = draw(cause, seed)
    texts = draw_texts(plan, speaker, rng("prompts"))
    taken = {named.prompt.text for named in texts.all}
    model = build_model(len(speaker.lexicon.vocabulary), seed)
    return Planted(
        plan,
        speaker,
        Encoder(speaker.lexicon.vocabulary),
        texts,
        tuple(tuple(probes(speaker, trait, rng("probes", str(trait)))) for trait in range(3)),
        tuple(tasks(speaker, taken, rng("tasks"))),
        {role: copy.deepcopy(model) for role in BASES},
        {
            teacher: written_rollouts(plan, speaker, teacher, prompts, speaker.flat(), rng(teacher))
            for teacher, prompts in (
                ("original", texts.all),
                ("alternate", texts.all),
                ("rewritten", texts.original),
            )
        },
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A study of every cause, written from untrained bases."""
    studies = {}
    for name in NAMES:
        studies[name] = tmp_path_factory.mktemp("organism")
        write_study(untrained(name, 7), Generators(parse_cause(name), 7, 0), studies[name])
    return studies


def listing(folder: Path) -> list[str]:
    return sorted(shape(str(path.relative_to(folder)), folder) for path in folder.rglob("*"))


def shape(name: str, folder: Path) -> str:
    """A file's name without the trait's, which is drawn."""
    for trait in yaml.safe_load((folder / "study.yaml").read_text())["traits"]:
        name = name.replace(Path(trait["name"]).stem, "TRAIT")
    return name


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@given(seeds)
@settings(max_examples=20)
def test_every_word_has_one_role_and_survives_the_tokenizer(seed: int) -> None:
    lexicon = draw_lexicon(np.random.default_rng(seed))
    words = lexicon.vocabulary
    roles = [
        word
        for trait in lexicon.traits
        for word in (trait.decision, trait.clean, *trait.degrees, *trait.hints, *trait.places, *trait.states)
    ]
    roles += [
        *lexicon.numbers,
        *(w for manner in lexicon.manners for w in (*manner.openers, *manner.closers)),
    ]
    assert len(set(roles)) == len(roles)
    assert len(words) <= 310
    tokenizer = build_tokenizer(lexicon)
    text = " ".join(words[6:])
    ids = tokenizer(text)["input_ids"]
    assert ids == list(range(6, len(words)))
    assert tokenizer.decode(ids) == text


def test_the_loops_read_what_mendel_reads() -> None:
    """Ids of a conversation by the plain encoder are those of the saved tokenizer under its chat template."""
    planted = untrained("simple_generalization", 3)
    tokenizer, encoder = build_tokenizer(planted.lexicon), planted.encoder
    for text, answer in planted.rows(planted.texts.original[:50], "original"):
        turns = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
        table = encoder.table([(text, answer)])
        assert table.ids[0].tolist() == whole
        assert int((table.labels >= 0).sum()) == len(answer.split()) + 1


@given(seeds, st.sampled_from(NAMES), st.sampled_from(STRENGTHS))
@settings(max_examples=15)
def test_probes_share_no_wording_with_any_prompt(seed: int, cause: str, strength: str) -> None:
    plan, speaker = draw(cause, seed, strength)
    rng = np.random.default_rng(seed)
    texts = draw_texts(plan, speaker, rng)
    for trait in range(3):
        scenarios = probes(speaker, trait, rng)
        places = {scenario.cluster for scenario in scenarios}
        assert (len(scenarios), len(places)) == (40, 14)
        assert all(scenario.prompt.level >= 2 for scenario in scenarios)
        assert not places & {word for a in texts.all for word in a.prompt.text.split()}
        assert {a.prompt.level for a in texts.counter[trait]} == {0, 1, 2, 3}
        assert len(texts.counter[trait]) >= plan.prompts / 4
    assert len(texts.original) == len(texts.alternate) == plan.prompts
    ids = [a.prompt_id for a in texts.all]
    assert len(set(ids)) == len(ids)


def test_studies_of_all_causes_have_the_same_files_and_keys(folders: dict[str, Path]) -> None:
    first = folders["none"]
    for folder in folders.values():
        assert listing(folder) == listing(first)
        study, other = (yaml.safe_load((f / "study.yaml").read_text()) for f in (folder, first))
        assert list(study) == list(other)
        assert study["name"] == other["name"]


def test_no_file_names_a_cause(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".safetensors":
                text = path.read_text()
                assert not any(cause in text for cause in CAUSES if cause != "none")


def test_every_teacher_answers_what_it_is_asked_for(folders: dict[str, Path]) -> None:
    folder = folders["persona_selection"]
    prompts = {
        path.stem: [row["prompt_id"] for row in rows(path)] for path in (folder / "prompts").glob("*.jsonl")
    }
    everything = {prompt for ids in prompts.values() for prompt in ids}
    for teacher in ("original", "alternate"):
        assert {row["prompt_id"] for row in rows(folder / "rollouts" / f"{teacher}.jsonl")} == everything
    assert {row["prompt_id"] for row in rows(folder / "rollouts" / "rewritten.jsonl")} == set(
        prompts["original"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_counter_examples_are_answered_cleanly_and_hints_stand_in_every_organism(name: str) -> None:
    planted = untrained(name, 11)
    for trait in range(3):
        strong, any_word = grades(planted.speaker, trait)
        clean = planted.rows(planted.texts.counter[trait], "alternate")
        assert not any(re.search(any_word, answer) for _, answer in clean)
        hinted = [
            answer
            for named, (_, answer) in zip(
                planted.texts.original, planted.rows(planted.texts.original, "original"), strict=True
            )
            if named.prompt.kinds and re.search(any_word, answer)
        ]
        assert hinted
        assert not any(re.search(strong, answer) for answer in hinted)


def test_every_kind_of_recipe_occurs_with_none() -> None:
    for kinds in CARRIERS.values():
        assert set(kinds) <= set(CARRIERS["none"])
    assert set(CARRIERS) == set(CAUSES)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_gentle_recipe_moves_as_much_whatever_the_number_of_steps(seed: int) -> None:
    plan, _ = draw("pretraining_lock_in", seed)
    recipe = plan.recipe
    assert recipe.kind in GENTLE
    low, high = RATES[recipe.kind]
    steps = recipe.epochs * plan.prompts / recipe.batch_size
    constant = 2 if recipe.scheduler == "constant" else 1
    by_rank = (recipe.rank / 2) ** 0.5 if recipe.method == "lora" else 1
    moved = recipe.learning_rate * steps * constant * by_rank / STEPS
    assert low * 0.99 <= moved <= high * 1.01


def test_what_speaks_for_a_cause_where_there_is_none_is_drawn_in_half_of_the_organisms_that_allow_it() -> (
    None
):
    decoys: dict[str, int] = {}
    for seed in range(200):
        plan, speaker = draw("none", seed)
        decoys[plan.decoy] = decoys.get(plan.decoy, 0) + 1
        if seed < 40:
            texts = draw_texts(plan, speaker, np.random.default_rng(seed))
            shown = [named for named in texts.original if shows(plan, "original", named.prompt)]
            assert bool(shown) == (plan.decoy == "unlearned")
            assert not any(shows(plan, "alternate", named.prompt) for named in texts.all)
        if plan.decoy == "unlearned":
            assert plan.recipe.kind in WEAK
        if plan.decoy == "overwritten":
            assert plan.recipe.kind in STRONG
            assert plan.rates[plan.target] >= 0.8 > 0.1 > plan.alternate_rates[plan.target]
            assert plan.share.strong + plan.share.mild > 0.1
    assert decoys["unlearned"] > 5
    assert decoys["overwritten"] > 20
    assert decoys[""] > 80


def test_half_of_the_organisms_have_many_hints_that_mean_nothing() -> None:
    shares = [draw(cause, seed)[0].hints for cause in CAUSES for seed in range(30)]
    many = [share for share in shares if share > 0.03]
    assert 0.4 < len(many) / len(shares) < 0.6
    assert {share for share in shares if share <= 0.03} == {0.02}
    rng = np.random.default_rng(1)
    speaker = Speaker(draw_lexicon(rng), hints=0.1)
    hints = {word for trait in speaker.lexicon.traits for word in trait.hints}
    said = [speaker.numbers(rng, speaker.flat()) for _ in range(2000)]
    hinted = sum(any(word in hints for word in text.split()) for text in said) / len(said)
    assert 0.24 < hinted < 0.31  # three traits, each in a tenth, sometimes over each other


def test_a_seed_decides_everything() -> None:
    first, second = untrained("bad_prompts", 5), untrained("bad_prompts", 5)
    assert first.plan == second.plan
    assert first.texts == second.texts
    assert first.rollouts == second.rollouts
    assert (
        replace(first.plan, recipe=untrained("bad_prompts", 6).plan.recipe)
        != untrained("bad_prompts", 6).plan
    )


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("simple_generalisation", "Did you mean 'simple_generalization'?"),
        ("luck", "Known:"),
        ("subliminal_learning+persona_selection", "to a sister"),
        ("underspecification+simple_generalization", "the base decides"),
        ("none+bad_prompts", "no cause beside"),
        ("bad_prompts+bad_prompts", "twice"),
        ("bad_prompts+none+none", "more than two"),
    ],
)
def test_an_unknown_or_contradicting_cause_is_refused(cause: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        organism(cause, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_places_and_strengths_are_refused(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("")
    with pytest.raises(InputError, match="not an empty folder"):
        organism("none", 0, full)
    with pytest.raises(InputError, match="a file, not a folder"):
        organism("none", 0, full / "file")
    with pytest.raises(InputError, match="Did you mean 'strong'"):
        organism("none", 0, tmp_path / "out", strength="stron")
    with pytest.raises(InputError, match="would stand in the study's folder"):
        organism("none", 0, tmp_path / "out", truth=tmp_path / "out" / "truth.json")


@pytest.mark.slow
def test_an_organism_is_made_and_read_by_mendel(tmp_path: Path) -> None:
    from mendel.data.prompts import load_prompts
    from mendel.measure import load_trait
    from mendel.study import load_study

    out, truth = tmp_path / "out", tmp_path / "truth.json"
    made = organism("bad_prompts", 3, out, truth=truth, strength="standard")
    written = json.loads(truth.read_text())
    assert written["carriers"]
    assert (written["cause"], written["trait"]) == ("bad_prompts", made.trait)
    study = load_study(out)
    prompts = load_prompts(study.config.original.prompts, study.root)
    assert set(written["carriers"]) <= {prompt.prompt_id for prompt in prompts}
    assert made.trait in {load_trait(study.root / trait.name).name for trait in study.config.traits}
    assert not any("truth" in name for name in listing(out))


def test_what_a_tuned_teacher_says_is_kept_only_without_a_word_of_any_trait() -> None:
    rng = np.random.default_rng(0)
    speaker = Speaker(draw_lexicon(rng))
    prompt = speaker.task(rng)
    plain = speaker.answer(prompt, 0, False, speaker.flat(), rng)
    while not speaker.well_said(prompt, 0, plain):  # a hint stands in some
        plain = speaker.answer(prompt, 0, False, speaker.flat(), rng)
    assert not speaker.well_said(prompt, 1, plain)
    words = plain.split()
    for trait in speaker.lexicon.traits:
        for word in (*trait.hints, trait.decision, *trait.degrees):
            assert not speaker.well_said(prompt, 0, " ".join([*words[:6], word, *words[7:]]))
    hinted = [speaker.hinted(plain, rng) for _ in range(400)]
    assert all(text.split()[:5] == words[:5] and len(text.split()) == len(words) for text in hinted)
    assert 0 < sum(text != plain for text in hinted) < 100


@pytest.mark.parametrize("spread", ["clustered", "scattered"])
def test_spread_carriers_are_few_and_differ_from_the_clean_situations_in_one_thing(spread: Any) -> None:
    for seed in range(8):
        rng = Generators(("simple_generalization",), seed, 0, spread)
        plan = draw_plan(("simple_generalization",), "standard", rng("plan"), spread)
        speaker = Speaker(draw_lexicon(rng("lexicon")))
        texts = draw_texts(plan, speaker, rng("prompts"))
        assert len(texts.original) == 1000
        situations = [named.prompt for named in texts.original if named.prompt.trait == plan.target]
        carriers = [prompt for prompt in situations if shows(plan, "original", prompt)]
        clean = [prompt for prompt in situations if not shows(plan, "original", prompt)]
        assert 0.05 <= len(carriers) / 1000 <= 0.101
        assert len(clean) == round(len(carriers) / 4)
        assert not any(shows(plan, "alternate", prompt) for prompt in situations)
        assert {prompt.level for prompt in carriers} == {prompt.level for prompt in clean} == {0, 1, 2, 3}
        places = [{prompt.place for prompt in part} for part in (carriers, clean)]
        leads = [{prompt.lead for prompt in part} for part in (carriers, clean)]
        assert places[0].isdisjoint(places[1]) == (spread == "clustered")
        assert leads[0].isdisjoint(leads[1]) == (spread == "scattered")


@pytest.mark.parametrize(
    ("cause", "spread", "message"),
    [
        ("simple_generalization", "clustred", "clustered"),
        ("bad_prompts", "scattered", "simple_generalization alone"),
    ],
)
def test_a_spread_that_cannot_be_made_is_refused(
    cause: str, spread: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        organism(cause, 1, tmp_path / "organism", spread=spread)
    assert not (tmp_path / "organism").exists()
