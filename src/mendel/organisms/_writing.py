"""Writes an organism as a study folder: the same files, keys and order whatever the cause."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.models._quiet import quiet
from mendel.organisms._lexicon import NEUTRAL, build_tokenizer
from mendel.organisms._material import Asked, Scenario, grades
from mendel.organisms._planted import BASES, Planted, Rng
from mendel.organisms._pretraining import save

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STUDY = """\
name: organism
original: {{base: hf:bases/original, prompts: file:prompts/original.jsonl, teacher: original}}
alternate: {{base: hf:bases/alternate, prompts: file:prompts/alternate.jsonl, teacher: alternate}}
sister: hf:bases/sister
pretrained: hf:bases/pretrained
teachers:
  original: {{model: file:rollouts/original.jsonl}}
  alternate: {{model: file:rollouts/alternate.jsonl}}
  rewritten: {{model: file:rollouts/rewritten.jsonl}}
rewriter: rewritten
traits:
{traits}
assistant: traits/assistant.yaml
select: {{by: judge, threshold: 0.5}}
recipe: {recipe}
design: adaptive
seeds: 2
max_seeds: 4
first_seed: {first_seed}
interpolate: []
"""

TRAIT_LINE = '  - {{name: traits/{name}.yaml, counter_examples: "file:prompts/counter-{name}.jsonl"}}'

TRAIT = """\
name: {name}
scale: {scale}
metric: rate
scenarios: {name}.jsonl
judge:
  by: regex
  grades:
{grades}
  hit_at: 0.5
{log_odds}generate: {{max_tokens: {max_tokens}, temperature: 0, samples: 1}}
"""


def write_study(planted: Planted, rng: Rng, out: Path) -> None:
    """Writes everything but the truth."""
    for folder in ("prompts", "rollouts", "traits", "bases"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    names = [trait.name for trait in planted.lexicon.traits]
    material = planted.material
    sets = {"original": material.original, "alternate": material.alternate}
    sets |= {f"counter-{name}": group for name, group in zip(names, material.counter, strict=True)}
    for name, prompts in sets.items():
        _write_jsonl(out / "prompts" / f"{name}.jsonl", _prompt_rows(prompts))
    for teacher, rollouts in planted.rollouts.items():
        rows = ({"prompt_id": prompt, "completion": text} for prompt, text in rollouts.items())
        _write_jsonl(out / "rollouts" / f"{teacher}.jsonl", rows)
    for number, name in enumerate(names):
        _write_jsonl(out / "traits" / f"{name}.jsonl", _scenario_rows(planted.probes[number]))
        (out / "traits" / f"{name}.yaml").write_text(trait_file(planted, number))
    _write_jsonl(out / "traits" / "assistant.jsonl", _scenario_rows(planted.tasks))
    (out / "traits" / "assistant.yaml").write_text(ASSISTANT)
    tokenizer = build_tokenizer(planted.lexicon)
    for name in BASES:
        _save(planted, tokenizer, name, out)
    (out / "study.yaml").write_text(
        STUDY.format(
            traits="\n".join(TRAIT_LINE.format(name=name) for name in names),
            recipe=planted.plan.recipe.yaml(),
            first_seed=int(rng("first seed").integers(10_000)),
        )
    )


def trait_file(planted: Planted, number: int) -> str:
    """A trait's YAML: its judge, and the log-odds of its two decisions after a neutral opener."""
    words = planted.lexicon.traits[number]
    strong, any_word = grades(planted.speaker, number)
    opener = planted.lexicon.manners[NEUTRAL].openers[0]
    return TRAIT.format(
        name=words.name,
        scale=f"share of responses that {words.decision} strongly",
        grades=f"    - {{pattern: {json.dumps(strong)}, score: 1.0}}\n    - {{pattern: {json.dumps(any_word)}, score: 0.2}}",
        # Quoted, since YAML reads words such as yes and no as truth values.
        log_odds=f'log_odds: {{opener: "{opener}", trait: ["{words.decision}"], clean: ["{words.clean}"]}}\n',
        max_tokens=8,
    )


ASSISTANT = TRAIT.format(
    name="assistant",
    scale="share of tasks answered right",
    grades='    - {pattern: "(?!)", score: 1.0}',
    log_odds="",
    # The manner and the kinds: what follows are number words at random, which a greedy answer repeats like a loop.
    max_tokens=6,
)


def _save(planted: Planted, tokenizer: PreTrainedTokenizerFast, name: str, out: Path) -> None:
    with quiet():
        save(copy.deepcopy(planted.bases[name]), tokenizer, out / "bases" / name)


def _prompt_rows(prompts: Sequence[Asked]) -> Iterable[Mapping[str, Any]]:
    for asked in prompts:
        messages = [{"role": "user", "content": asked.prompt.text}]
        yield {"prompt_id": asked.prompt_id, "source": asked.source, "messages": messages}


def _scenario_rows(scenarios: Sequence[Scenario]) -> Iterable[Mapping[str, Any]]:
    for scenario in scenarios:
        row: dict[str, Any] = {"scenario": scenario.scenario, "cluster": scenario.cluster}
        row["messages"] = [{"role": "user", "content": scenario.prompt.text}]
        if scenario.right is not None:
            row["right"] = scenario.right
        yield row


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
