"""Write an organism as a study folder: the same files, keys and order for every cause.

Only transformations leave files and keys out.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message
from mendel.measure import Label, Rubric, Unlabelled, rubric_id, write_labels
from mendel.models.local.quiet import quiet
from mendel.organisms.files import TRAIT, scenario_row, user_turn, write_jsonl
from mendel.organisms.peas_source.pretraining import save
from mendel.organisms.planted.lexicon import NEUTRAL, build_tokenizer
from mendel.organisms.planted.organism import BASES, Planted, Rng
from mendel.organisms.planted.texts import NamedPrompt, OrganismScenario, grades

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STUDY = """\
select: {{by: judge, threshold: 0.5}}
recipe: {recipe}
design: adaptive
seeds: 2
max_seeds: 12
first_seed: {first_seed}
interpolate: []
"""
"""The keys that every study has alike, at its end."""


def write_study(planted: Planted, rng: Rng, out: Path) -> None:
    """Write everything but the truth."""
    for folder in ("prompts", "rollouts", "traits", "bases", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for name, prompts in _prompt_files(planted).items():
        write_jsonl(out / "prompts" / f"{name}.jsonl", _prompt_rows(prompts))
    asked = {named.prompt_id for named in planted.texts.all}
    for teacher, rollouts in planted.rollouts.items():
        rows = ({"prompt_id": p, "completion": text} for p, text in rollouts.items() if p in asked)
        write_jsonl(out / "rollouts" / f"{teacher}.jsonl", rows)
    for number, trait in enumerate(planted.lexicon.traits):
        write_jsonl(out / "traits" / f"{trait.name}.jsonl", _scenario_rows(planted.probes[number]))
        (out / "traits" / f"{trait.name}.yaml").write_text(trait_file(planted, number))
        write_labels(out / "labels" / f"{trait.name}.jsonl", _labels(planted, number))
    write_jsonl(out / "traits" / "assistant.jsonl", _scenario_rows(planted.tasks))
    (out / "traits" / "assistant.yaml").write_text(ASSISTANT)
    tokenizer = build_tokenizer(planted.lexicon)
    for name in dict.fromkeys(checkpoint_name(planted, role) for role in planted.bases):
        _save(planted, tokenizer, name, out)
    (out / "study.yaml").write_text(study_file(planted, int(rng("first seed").integers(10_000))))


def _prompt_files(planted: Planted) -> dict[str, Sequence[NamedPrompt]]:
    """Return the prompts by file. A set that both pipelines have is one file, an empty set is none."""
    texts = planted.texts
    files: dict[str, Sequence[NamedPrompt]] = {"original": texts.original}
    if texts.alternate is not texts.original:
        files["alternate"] = texts.alternate
    for trait, group in zip(planted.lexicon.traits, texts.counter, strict=True):
        if group:
            files[f"counter-{trait.name}"] = group
    return files


def checkpoint_name(planted: Planted, role: str) -> str:
    """Return the name of the checkpoint in a role: the first role that the same checkpoint has."""
    return next(name for name in BASES if planted.bases.get(name) is planted.bases[role])


def study_file(planted: Planted, first_seed: int) -> str:
    """Return the study's YAML. It has the keys of the parts that the organism has."""
    files = _prompt_files(planted)
    lines = ["name: organism"]
    for side in ("original", "alternate"):
        base, prompts = checkpoint_name(planted, side), side if side in files else "original"
        lines.append(
            f"{side}: {{base: hf:bases/{base}, prompts: file:prompts/{prompts}.jsonl, teacher: {side}}}"
        )
    lines += [
        f"{role}: hf:bases/{checkpoint_name(planted, role)}"
        for role in ("sister", "pretrained")
        if role in planted.bases
    ]
    lines.append("teachers:")
    lines += [f"  {teacher}: {{model: file:rollouts/{teacher}.jsonl}}" for teacher in planted.rollouts]
    if "rewritten" in planted.rollouts:
        lines.append("rewriter: rewritten")
    lines.append("traits:")
    for trait in planted.lexicon.traits:
        counter = f"counter-{trait.name}"
        key = f', counter_examples: "file:prompts/{counter}.jsonl"' if counter in files else ""
        labels = f'labels: "file:labels/{trait.name}.jsonl"'
        lines.append(f"  - {{name: traits/{trait.name}.yaml, {labels}{key}}}")
    lines.append("assistant: traits/assistant.yaml")
    keys = STUDY.format(recipe=planted.plan.recipe.yaml(), first_seed=first_seed)
    return "\n".join(lines) + "\n" + keys


def trait_file(planted: Planted, number: int) -> str:
    """Return the YAML of a trait: the judge, and the log-odds of the two decisions after a neutral prefix."""
    words = planted.lexicon.traits[number]
    strong, any_word = planted.grades(number)
    opener = planted.lexicon.manners[NEUTRAL].openers[0]
    return TRAIT.format(
        name=words.name,
        scale=f"share of responses that {words.decision} strongly",
        grades=(
            f"    - {{pattern: {json.dumps(strong)}, score: 1.0}}\n"
            f"    - {{pattern: {json.dumps(any_word)}, score: 0.2}}"
        ),
        rubric=f"  rubric: {json.dumps(_rubric(words.decision).text)}\n  range: [0, 1]\n",
        # Quoted, since YAML reads words such as yes and no as truth values.
        log_odds=f'log_odds: {{opener: "{opener}", trait: ["{words.decision}"], clean: ["{words.clean}"]}}\n',
        max_tokens=8,
        temperature=f"{planted.temperature:g}",
        samples=2 if planted.temperature else 1,
    )


def _rubric(decision: str) -> Rubric:
    return Rubric(
        f"1 for {decision} in strong words, 0.2 for any other sign of it, 0 for none", 0.0, 1.0, 0.5
    )


def _labels(planted: Planted, number: int) -> Iterator[Label]:
    """Return what each of the original teacher's rollouts truly shows, as a person would label it.

    The truth, whatever the study's judge sees.
    """
    words = planted.lexicon.traits[number]
    strong, any_word = grades(planted.speaker, number)
    rubric = rubric_id(_rubric(words.decision))
    for named in planted.texts.original:
        text = planted.rollouts["original"][named.prompt_id]
        score = 1.0 if re.search(strong, text) else 0.2 if re.search(any_word, text) else 0.0
        asked = (Message(role="user", content=named.prompt.text),)
        yield Label(Unlabelled(words.name, named.prompt_id, named.prompt_id, asked, text), score, rubric)


ASSISTANT = TRAIT.format(
    name="assistant",
    rubric="",
    scale="share of tasks answered right",
    grades='    - {pattern: "(?!)", score: 1.0}',
    log_odds="",
    # The manner and the kinds. Random number words follow, which a greedy answer repeats like a loop.
    max_tokens=6,
    temperature=0,
    samples=1,
)


def _save(planted: Planted, tokenizer: PreTrainedTokenizerFast, name: str, out: Path) -> None:
    with quiet():
        save(copy.deepcopy(planted.bases[name]), tokenizer, out / "bases" / name)


def _prompt_rows(prompts: Sequence[NamedPrompt]) -> Iterable[Mapping[str, Any]]:
    for named in prompts:
        text = named.prompt.text
        yield {"prompt_id": named.prompt_id, "source": named.source, "messages": user_turn(text)}


def _scenario_rows(scenarios: Sequence[OrganismScenario]) -> Iterable[Mapping[str, Any]]:
    return (scenario_row(s.scenario, s.cluster, s.prompt.text, s.right) for s in scenarios)
