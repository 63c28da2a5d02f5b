"""The second generator: every cause has the difference that it claims, and the studies hold together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.data.prompts import load_prompts
from mendel.engine.errors import InputError
from mendel.measure import load_trait
from mendel.organisms import FOLK_CAUSES, organism
from mendel.organisms.folk.learning import FAMILIES, Codec, new_model
from mendel.organisms.folk.make import BRINGS, LEAST, LOW, MOST, STRAYS, Folk, make_folk
from mendel.organisms.folk.people import lessons, prompt_set, scenarios, tasks
from mendel.organisms.folk.plans import ALTERNATE, ORIGINAL, draw_folk_plan
from mendel.organisms.folk.world import PLACES, PROBED, draw_world, tokenizer_of
from mendel.organisms.folk.writing import write_folk
from mendel.study import load_study

ATTEMPTS = 6
seeds = st.integers(0, 10_000)
causes = st.sampled_from(list(FOLK_CAUSES))


def generators(cause: str, seed: int, attempt: int = 0) -> Callable[[str], np.random.Generator]:
    return lambda name: np.random.default_rng([seed, attempt, *f"{cause}/{name}".encode()])


@cache
def made(cause: str) -> Folk:
    """The first draw of a cause that has the difference which it claims."""
    import torch

    torch.set_num_threads(1)
    for attempt in range(ATTEMPTS):
        folk = make_folk(cause, generators(cause, 5, attempt), lambda what: None)
        if not folk.admitted():
            return folk
    raise AssertionError(f"no draw of {cause} in {ATTEMPTS} has its difference")


@pytest.mark.parametrize("cause", list(FOLK_CAUSES))
def test_every_cause_shows_the_difference_that_it_claims(cause: str) -> None:
    folk = made(cause)
    if folk.plan.state == "difference":
        assert LEAST <= folk.difference <= MOST
        assert folk.plan.planted
    else:
        assert not folk.plan.planted
        assert (folk.levels[ORIGINAL] <= LOW) == (folk.plan.state == "absent")
        assert abs(folk.difference) < LEAST


@pytest.mark.parametrize("cause", list(FOLK_CAUSES))
def test_a_written_study_is_read_and_its_rollouts_answer_every_prompt(cause: str, tmp_path: Path) -> None:
    folk = made(cause)
    folk.bases = {**folk.bases, "sister": folk.bases[ORIGINAL]}
    write_folk(folk, 7, tmp_path)
    study = load_study(tmp_path / "study.yaml")
    sides = [load_prompts(getattr(study.config, side).prompts, study.root) for side in (ORIGINAL, ALTERNATE)]
    for teacher in (ORIGINAL, ALTERNATE):
        rows = (tmp_path / "rollouts" / f"{teacher}.jsonl").read_text().splitlines()
        answered = {json.loads(row)["prompt_id"] for row in rows}
        assert all(prompt.prompt_id in answered for prompts in sides for prompt in prompts)
    assert cause not in (tmp_path / "study.yaml").read_text()
    judge = load_trait(tmp_path / "traits" / "refusal.yaml").judge
    strong, any_form = folk.world.patterns()
    for text in list(folk.rollouts[ORIGINAL].values())[:200]:
        score = 1.0 if re.search(strong, text) else 0.2 if re.search(any_form, text) else 0.0
        assert judge.score(load_trait(tmp_path / "traits" / "refusal.yaml").scenarios[0], text) == score
    bases = {path.name for path in (tmp_path / "bases").iterdir()}
    assert ("alternate" in bases) == (ALTERNATE in folk.plan.bases)


def test_the_parts_that_were_planted_bring_the_difference_in_and_no_other_part_does() -> None:
    """By students of the generator: refuted if the flagged rows did nothing alone."""
    folk = made("direct_imitation")
    folk.measure_parts()
    assert max(folk.shares["flagged"].values()) >= BRINGS
    assert all(part["brings"] <= STRAYS + 0.1 for name, part in folk.shares.items() if name != "flagged")
    parts = folk.strata()
    assert set(folk.carriers()) == parts["flagged"] or "flagged" in folk.unclear()
    # A plan that names another part is contradicted by the same shares.
    folk.shares = {"flagged": {"brings": 0.0, "takes": 0.1}, "unseen": {"brings": 0.9, "takes": 0.8}}
    assert set(folk.unclear()) == {"flagged", "unseen"}


def test_the_same_seed_makes_the_same_study_and_another_seed_another_one() -> None:
    first, again = (make_folk("none", generators("none", 5), lambda what: None) for _ in range(2))
    assert first.rollouts == again.rollouts
    assert first.world.vocabulary == again.world.vocabulary
    for left, right in zip(first.bases.values(), again.bases.values(), strict=True):
        assert all((a == b).all() for a, b in zip(left.parameters(), right.parameters(), strict=True))
    assert first.world.vocabulary != draw_world(generators("none", 6)("world")).vocabulary


def test_levels_lie_in_the_middle_over_all_causes() -> None:
    """An organism at 0 or 1 exercises no interval: refuted if most differences were there."""
    sizes = [folk.difference for cause in FOLK_CAUSES if (folk := made(cause)).plan.state == "difference"]
    assert np.mean([size < 0.9 for size in sizes]) > 0.5
    assert np.ptp(sizes) > 0.1


@given(seeds)
@settings(max_examples=20)
def test_every_word_has_one_role_and_one_token(seed: int) -> None:
    world = draw_world(np.random.default_rng(seed))
    words = world.vocabulary
    assert len(set(words)) == len(words)
    tokenizer = tokenizer_of(world)
    text = " ".join(words[6:])
    assert tokenizer(text)["input_ids"] == list(range(6, len(words)))
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_of_each_family_is_read_back_with_its_own_words(family: str, tmp_path: Path) -> None:
    """Refuted by qwen2: its checkpoints are read with another tokenizer, to which every word is unknown."""
    from mendel.models import load_tokenizer, resolve_checkpoint

    world = draw_world(np.random.default_rng(3))
    new_model(family, world, 56, 1).save_pretrained(tmp_path)
    tokenizer_of(world).save_pretrained(tmp_path)
    tokenizer = load_tokenizer(resolve_checkpoint(f"hf:{tmp_path}", tmp_path))
    text = " ".join(world.vocabulary[6:])
    assert tokenizer(text)["input_ids"] == list(range(6, len(world.vocabulary)))
    turns = [{"role": "user", "content": "?"}]
    assert (
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        == "<asks>?<stop><says>"
    )


@given(seeds, causes)
@settings(max_examples=20)
def test_a_row_is_read_as_the_chat_template_writes_it(seed: int, cause: str) -> None:
    rng = np.random.default_rng(seed)
    world = draw_world(rng)
    plan = draw_folk_plan(cause, rng)
    tokenizer, codec = tokenizer_of(world), Codec(world)
    for question, answer in lessons(world, plan.teachers[ORIGINAL], 5, rng):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
        assert codec.row(question, answer)[0] == whole


@given(seeds, causes)
@settings(max_examples=30)
def test_scenarios_stand_in_no_prompt_and_no_prompt_stands_twice(seed: int, cause: str) -> None:
    rng = np.random.default_rng(seed)
    world = draw_world(rng)
    plan = draw_folk_plan(cause, rng)
    taken: set[str] = set()
    sets = [prompt_set(letter, plan.rows, plan.sets[side], taken, world, rng) for letter, side in zip("pq", (ORIGINAL, ALTERNATE), strict=True)]  # fmt: skip
    questions = [world.question(prompt.ask) for prompts in sets for prompt in prompts]
    assert len(set(questions)) == len(questions) == 2 * plan.rows
    asked = {world.question(ask) for ask in (*scenarios(world), *tasks(world))}
    assert not asked & set(questions)
    hidden = set(world.places[PLACES:])
    assert not hidden & {word for question in questions for word in question.split()}
    assert {ask.favour for ask in scenarios(world)} == set(PROBED)


@given(seeds)
@settings(max_examples=30)
def test_the_plain_teacher_keeps_what_is_said_and_changes_the_manner(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = draw_world(rng)
    plan = draw_folk_plan("persona_selection", rng)
    manners = {word for group in (*world.openers, *world.closers) for word in group}
    plain = {*world.openers[-1], *world.closers[-1]}
    for _, text in lessons(world, plan.teachers[ORIGINAL], 10, rng):
        rewritten = world.plain(text, rng).split()
        assert [w for w in rewritten if w not in manners] == [w for w in text.split() if w not in manners]
        assert {w for w in rewritten if w in manners} <= plain


@pytest.mark.parametrize(
    ("cause", "more", "message"),
    [
        ("persona", {"generator": "folk"}, "persona_selection"),
        ("none", {"generator": "volk"}, "folk"),
        ("none", {"generator": "folk", "strength": "weak"}, "draws strengths"),
        ("none", {"generator": "folk", "spread": "clustered"}, "draws strengths"),
        ("subliminal_learning", {"generator": "folk"}, "no such cause"),
    ],
)
def test_what_the_generator_cannot_make_is_refused(
    cause: str, more: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        organism(cause, 1, tmp_path / "organism", **more)  # type: ignore[arg-type]
    assert not (tmp_path / "organism").exists()


@pytest.mark.slow
def test_an_organism_is_made_with_its_truth_beside_it(tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    organism("underspecification", 11, tmp_path / "organism", truth=truth, generator="folk")
    written = json.loads(truth.read_text())
    assert written["generator"] == "folk"
    assert written["state"] == "difference"
    assert set(written["location"]) & {"base", "prompts_absent"}
    assert written["carriers"] == []
    assert set(written["shown"]["parts"]) >= {"unseen"}
    assert not any("truth" in path.name for path in (tmp_path / "organism").rglob("*"))
