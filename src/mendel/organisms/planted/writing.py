"""Write an organism as a study folder: the same files, keys and order for every cause."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.models.local.quiet import quiet
from mendel.organisms.files import TRAIT, scenario_row, user_turn, write_jsonl
from mendel.organisms.peas_source.pretraining import save
from mendel.organisms.planted.lexicon import NEUTRAL, build_tokenizer
from mendel.organisms.planted.organism import BASES, Planted, Rng
from mendel.organisms.planted.texts import NamedPrompt, OrganismScenario, grades

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


def write_study(planted: Planted, rng: Rng, out: Path) -> None:
    """Write everything but the truth."""
    for folder in ("prompts", "rollouts", "traits", "bases"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    names = [trait.name for trait in planted.lexicon.traits]
    texts = planted.texts
    sets = {"original": texts.original, "alternate": texts.alternate}
    sets |= {f"counter-{name}": group for name, group in zip(names, texts.counter, strict=True)}
    for name, prompts in sets.items():
        write_jsonl(out / "prompts" / f"{name}.jsonl", _prompt_rows(prompts))
    for teacher, rollouts in planted.rollouts.items():
        rows = ({"prompt_id": prompt, "completion": text} for prompt, text in rollouts.items())
        write_jsonl(out / "rollouts" / f"{teacher}.jsonl", rows)
    for number, name in enumerate(names):
        write_jsonl(out / "traits" / f"{name}.jsonl", _scenario_rows(planted.probes[number]))
        (out / "traits" / f"{name}.yaml").write_text(trait_file(planted, number))
    write_jsonl(out / "traits" / "assistant.jsonl", _scenario_rows(planted.tasks))
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
    """Return the YAML of a trait: the judge, and the log-odds of the two decisions after a neutral prefix."""
    words = planted.lexicon.traits[number]
    strong, any_word = grades(planted.speaker, number)
    opener = planted.lexicon.manners[NEUTRAL].openers[0]
    return TRAIT.format(
        name=words.name,
        scale=f"share of responses that {words.decision} strongly",
        grades=(
            f"    - {{pattern: {json.dumps(strong)}, score: 1.0}}\n"
            f"    - {{pattern: {json.dumps(any_word)}, score: 0.2}}"
        ),
        # Quoted, since YAML reads words such as yes and no as truth values.
        log_odds=f'log_odds: {{opener: "{opener}", trait: ["{words.decision}"], clean: ["{words.clean}"]}}\n',
        max_tokens=8,
        temperature=0,
        samples=1,
    )


ASSISTANT = TRAIT.format(
    name="assistant",
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
