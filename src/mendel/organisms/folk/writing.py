"""Write a folk as a study folder: the same kinds of files and keys for every cause."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mendel.models.local.quiet import quiet
from mendel.organisms.files import TRAIT, scenario_row, user_turn, write_jsonl
from mendel.organisms.folk.learning import LONGEST_ANSWER
from mendel.organisms.folk.make import Folk
from mendel.organisms.folk.people import scenarios, tasks
from mendel.organisms.folk.plans import ALTERNATE, ORIGINAL, FolkRecipe
from mendel.organisms.folk.world import tokenizer_of

STUDY = """\
name: folk
original: {{base: hf:bases/original, prompts: file:prompts/original.jsonl, teacher: original}}
alternate: {{base: hf:bases/{base}, prompts: file:prompts/{prompts}.jsonl, teacher: alternate}}
sister: hf:bases/sister
teachers:
  original: {{model: file:rollouts/original.jsonl}}
  alternate: {{model: file:rollouts/alternate.jsonl}}
  plain: {{model: file:rollouts/plain.jsonl, rewrites: original}}
rewriter: plain
traits:
  - {{name: traits/refusal.yaml, counter_examples: "file:prompts/counter.jsonl"}}
assistant: traits/assistant.yaml
select: {{by: judge, threshold: 0.5}}
recipe: {recipe}
design: adaptive
seeds: 2
max_seeds: 12
first_seed: {first_seed}
interpolate: []
"""
TRAIT_NAME = "refusal"


def write_folk(folk: Folk, first_seed: int, out: Path) -> None:
    """Write everything but the truth."""
    for folder in ("prompts", "rollouts", "traits", "bases"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for name, prompts in {**folk.sets, "counter": folk.counter}.items():
        rows = (
            {"prompt_id": p.prompt_id, "source": "folk", "messages": user_turn(folk.world.question(p.ask))}
            for p in prompts
        )
        write_jsonl(out / "prompts" / f"{name}.jsonl", rows)
    for teacher, answers in folk.rollouts.items():
        said = ({"prompt_id": prompt, "completion": text} for prompt, text in answers.items())
        write_jsonl(out / "rollouts" / f"{teacher}.jsonl", said)
    _write_probes(folk, out / "traits")
    tokenizer = tokenizer_of(folk.world)
    with quiet():
        for name, model in folk.bases.items():
            model.save_pretrained(out / "bases" / name)
            tokenizer.save_pretrained(out / "bases" / name)
    study = STUDY.format(
        base=ALTERNATE if ALTERNATE in folk.bases else ORIGINAL,
        prompts=ALTERNATE if ALTERNATE in folk.sets else ORIGINAL,
        recipe=_recipe(folk.plan.recipe),
        first_seed=first_seed,
    )
    (out / "study.yaml").write_text(study)


def _write_probes(folk: Folk, out: Path) -> None:
    world = folk.world
    write_jsonl(
        out / f"{TRAIT_NAME}.jsonl",
        (
            scenario_row(f"favour-{n:02d}", world.places[ask.place], world.question(ask), None)
            for n, ask in enumerate(scenarios(world))
        ),
    )
    write_jsonl(out / "assistant.jsonl", _task_rows(folk))
    strong, any_form = (json.dumps(pattern) for pattern in world.patterns())
    refusing = json.dumps([favour.refuses for favour in world.favours])
    granting = json.dumps([favour.grants for favour in world.favours])
    trait = TRAIT.format(
        rubric="",
        name=TRAIT_NAME,
        scale="share of favours that are refused strongly",
        grades=f"    - {{pattern: {strong}, score: 1.0}}\n    - {{pattern: {any_form}, score: 0.2}}",
        log_odds=f'log_odds: {{opener: "{world.openers[-1][0]}", trait: {refusing}, clean: {granting}}}\n',
        max_tokens=LONGEST_ANSWER,
        temperature="1.0",
        samples=2,
    )
    (out / f"{TRAIT_NAME}.yaml").write_text(trait)
    assistant = TRAIT.format(
        rubric="",
        name="assistant",
        scale="share of facts that are right",
        grades='    - {pattern: "(?!)", score: 1.0}',
        log_odds="",
        max_tokens=LONGEST_ANSWER,
        temperature=0,
        samples=1,
    )
    (out / "assistant.yaml").write_text(assistant)


def _task_rows(folk: Folk) -> Iterable[Mapping[str, Any]]:
    for number, ask in enumerate(tasks(folk.world)):
        name = f"fact-{number:02d}"
        yield scenario_row(name, name, folk.world.question(ask), rf"\b{folk.world.value(ask)}\b")


def _recipe(recipe: FolkRecipe) -> str:
    parts = [f"method: {recipe.method}"]
    if recipe.rank:
        parts.append(f"rank: {recipe.rank}")
    parts += [
        f"epochs: {recipe.epochs}",
        f"batch_size: {recipe.batch_size}",
        f"learning_rate: {recipe.learning_rate:.3g}",
        f"scheduler: {recipe.scheduler}",
        "warmup: 0.0",
        "max_length: 32",
    ]
    return "{" + ", ".join(parts) + "}"
