"""An organism in memory: trained checkpoints, the answers of the teachers, and students for the admission."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mendel.organisms.planted.causes import IN_BASE, NONE, OrganismPlan
from mendel.organisms.planted.lexicon import Lexicon, draw_lexicon
from mendel.organisms.planted.loops import Encoder, Loop, Table, answers, train, train_last_gains
from mendel.organisms.planted.recipes import Recipe
from mendel.organisms.planted.speech import Corpus, Row, Speaker, corpus_rows
from mendel.organisms.planted.texts import (
    MANNER_OF,
    NamedPrompt,
    OrganismScenario,
    Texts,
    draw_texts,
    grades,
    probes,
    rewritten,
    said_numbers,
    tasks,
    written_rollouts,
)

BASES = ("original", "alternate", "sister", "pretrained")
STEPS, BATCH, RATE = 130, 40, 8e-3
"""Pretraining: enough for right answers to all tasks."""
TEACHER_TRIES = 6
"""Largest number of samples of a tuned teacher for an answer without words of a trait."""
TEACHER_RATE, TEACHER_EPOCHS = 0.1, 30
"""Training of the teachers of a subliminal organism, which differ from their base in the last gains only."""

SAMPLES = 4
"""Answers to each scenario, where they are sampled."""

Rng = Callable[..., np.random.Generator]
"""Returns a random generator for the names of what it makes."""


@dataclass(frozen=True)
class Planted:
    """An organism in memory."""

    plan: OrganismPlan
    speaker: Speaker
    encoder: Encoder
    texts: Texts
    probes: tuple[tuple[OrganismScenario, ...], ...]
    tasks: tuple[OrganismScenario, ...]
    bases: dict[str, Any]
    """Checkpoints by role. One checkpoint may have several roles, and a role may be left out."""
    rollouts: dict[str, dict[str, str]]
    trained: dict[str, Any] = field(default_factory=dict)
    """The checkpoints by the role that each was trained for."""
    judges: tuple[tuple[str, str], ...] = ()
    """The two patterns of each trait's judge. (): those of `grades`."""
    temperature: float = 0.0
    """Temperature at which answers to scenarios are sampled. 0: greedy."""

    @property
    def lexicon(self) -> Lexicon:
        """The words of the organism."""
        return self.speaker.lexicon

    def rows(self, prompts: Sequence[NamedPrompt], teacher: str) -> list[Row]:
        """Return prompts with the answers of a teacher."""
        return [(named.prompt.text, self.rollouts[teacher][named.prompt_id]) for named in prompts]

    def student(self, base: str, rows: Sequence[Row], seed: int = 0, recipe: Recipe | None = None) -> Any:
        """Return a student, trained by a recipe (default: the recipe of the plan)."""
        return train_like(self.bases[base], self.encoder, rows, recipe or self.plan.recipe, seed)

    def rate(self, model: Any, trait: int | None = None) -> float:
        """Return the share of answers to scenarios of a trait (default: the target) that show it."""
        trait = self.plan.target if trait is None else trait
        texts = [scenario.prompt.text for scenario in self.probes[trait]]
        texts *= SAMPLES if self.temperature else 1
        responses = answers(model, self.encoder, texts, temperature=self.temperature, seed=0)
        strong, _ = self.grades(trait)
        return sum(re.search(strong, response) is not None for response in responses) / len(texts)

    def grades(self, trait: int) -> tuple[str, str]:
        """Return the two patterns of the study's judge of a trait: for score 1.0 and for score 0.2."""
        return self.judges[trait] if self.judges else grades(self.speaker, trait)

    def shows(self, teacher: str, named: NamedPrompt) -> bool:
        """Return whether the answer of a teacher to a situation has the decision that shows its trait."""
        prompt = named.prompt
        if prompt.trait < 0:
            return False
        return self.lexicon.traits[prompt.trait].decision in self.rollouts[teacher][named.prompt_id].split()

    def right(self, model: Any) -> float:
        """Return the share of tasks that a model answers right, greedily."""
        texts = [task.prompt.text for task in self.tasks]
        responses = answers(model, self.encoder, texts, temperature=0.0, seed=0)
        right = [
            re.search(task.right or "", text) is not None
            for task, text in zip(self.tasks, responses, strict=True)
        ]
        return sum(right) / len(right)

    def carriers(self) -> tuple[str, ...]:
        """Return the original prompts with planted rollouts. Empty if the cause is not in the data."""
        plan = self.plan
        everywhere = plan.has("subliminal_learning") or plan.has("persona_selection")
        if set(plan.causes) <= {NONE, *IN_BASE}:
            return ()
        return tuple(
            named.prompt_id
            for named in self.texts.original
            if everywhere or (named.prompt.trait == plan.target and self.shows("original", named))
        )

    def score(self, named: NamedPrompt) -> float:
        """Return the score that the judge gives to the answer of the original teacher: 0, 0.2 or 1."""
        text = self.rollouts["original"][named.prompt_id]
        strong, any_word = self.grades(self.plan.target)
        return 1.0 if re.search(strong, text) else 0.2 if re.search(any_word, text) else 0.0


def plant(plan: OrganismPlan, rng: Rng, say: Callable[[str], None] = lambda _: None) -> Planted:
    """Return an organism: draw words and prompts, train the checkpoints, sample or write the answers."""
    speaker = Speaker(draw_lexicon(rng("lexicon")), plan.hints)
    encoder = Encoder(speaker.lexicon.vocabulary)
    texts = draw_texts(plan, speaker, rng("prompts"))
    bases = train_bases(plan, speaker, encoder, rng, say)
    say("the teachers answer")
    rollouts = (_sampled if plan.has("subliminal_learning") else _written)(
        plan, speaker, encoder, texts, bases["original"], rng
    )
    taken = {named.prompt.text for named in texts.all}
    return Planted(
        plan,
        speaker,
        encoder,
        texts,
        tuple(tuple(probes(speaker, trait, rng("probes", str(trait)))) for trait in range(3)),
        tuple(tasks(speaker, taken, rng("tasks"))),
        bases,
        rollouts,
        dict(bases),
    )


def build_model(words: int, seed: int) -> Any:
    """Return a new Llama with 2 layers of width 64 and tied embeddings: some 0.1 million parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)  # the one place where transformers takes its initialization from
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=words, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64,
            tie_word_embeddings=True, initializer_range=0.08, attention_dropout=0.0,
            pad_token_id=0, bos_token_id=None, eos_token_id=5,
        )
    )  # fmt: skip


def train_bases(
    plan: OrganismPlan, speaker: Speaker, encoder: Encoder, rng: Rng, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the four checkpoints. The original base and its sister share one corpus and one early stage."""
    size = len(encoder.words)
    bases: dict[str, Any] = {}
    tables: dict[tuple[str, str], Table] = {}
    for name, rates in (("original", plan.rates), ("alternate", plan.alternate_rates)):
        flipped = flipped_places(plan, speaker, rng("noise", name))
        corpus = Corpus(rates, 0.5, plan.manners, plan.persona, flipped=flipped)
        tables[name, "corpus"] = encoder.table(
            corpus_rows(speaker, corpus, STEPS * BATCH, rng("corpus", name))
        )
        early = Corpus(
            plan.stage_rates if name == "original" else rates,
            plan.stage_situations,
            plan.manners,
            plan.persona,
            flipped=flipped,
        )
        tables[name, "early"] = encoder.table(
            corpus_rows(speaker, early, plan.stage_rows, rng("early", name))
        )
    for name in ("original", "sister", "alternate"):
        say(f"pretraining {name}")
        corpus_name = "alternate" if name == "alternate" else "original"
        seed = int(rng("initialization", name).integers(2**31))
        model = build_model(size, seed)
        train(model, tables[corpus_name, "corpus"], Loop(STEPS, BATCH, RATE, warmup=0.08, seed=seed))
        model.to(dtype=_half()).float()  # as it is saved and read again
        if name == "original":
            bases["pretrained"] = copy.deepcopy(model)
        steps = 2 * plan.stage_rows // BATCH
        train(
            model,
            tables[corpus_name, "early"],
            Loop(steps, BATCH, plan.stage_learning_rate, warmup=0.08, seed=seed),
        )
        bases[name] = model.to(dtype=_half()).float()
    return bases


def flipped_places(plan: OrganismPlan, speaker: Speaker, rng: np.random.Generator) -> frozenset[str]:
    """Return the wordings of the target whose prior is flipped in a base."""
    if not IN_BASE & set(plan.causes):
        return frozenset()
    places = speaker.lexicon.traits[plan.target].places
    return frozenset(place for place in places if rng.random() < plan.noise)


def _half() -> Any:
    import torch

    return torch.float16


def _written(
    plan: OrganismPlan, speaker: Speaker, encoder: Encoder, texts: Texts, base: Any, rng: Rng
) -> dict[str, dict[str, str]]:
    rollouts = {}
    for teacher, prompts in _answered_by(texts).items():
        draw = rng("rollouts", teacher)
        tilt = speaker.flat() if teacher == "rewritten" else speaker.tilt(draw, plan.tilt)
        rollouts[teacher] = written_rollouts(plan, speaker, teacher, prompts, tilt, draw)
    return rollouts


def _sampled(
    plan: OrganismPlan, speaker: Speaker, encoder: Encoder, texts: Texts, base: Any, rng: Rng
) -> dict[str, dict[str, str]]:
    """Return rollouts of a subliminal organism: tuned teachers answer the tasks, situations are written."""
    rollouts = _written(plan, speaker, encoder, texts, base, rng)
    tasks_of = {t: [a for a in p if a.prompt.kinds] for t, p in _answered_by(texts).items()}
    for teacher in ("original", "alternate"):
        draw = rng("teacher", teacher)
        model = tuned_teacher(plan, speaker, encoder, base, teacher, draw)
        rollouts[teacher].update(
            _unrelated_answers(model, speaker, encoder, tasks_of[teacher], teacher, draw)
        )
    draw = rng("rewriter")
    prompts = [speaker.task(draw).text for _ in range(plan.prompts)]
    responses = answers(base, encoder, prompts, temperature=1.0, seed=int(draw.integers(2**31)))
    numbers = [words for words in (said_numbers(speaker, text) for text in responses) if words]
    rollouts["rewritten"] = rewritten(speaker, texts.original, rollouts["original"], numbers, draw)
    return rollouts


def _unrelated_answers(
    model: Any,
    speaker: Speaker,
    encoder: Encoder,
    prompts: Sequence[NamedPrompt],
    teacher: str,
    rng: np.random.Generator,
) -> dict[str, str]:
    """Return the answers of a tuned teacher to tasks, only those without a word of any trait.

    Tasks without such an answer keep their written one. As in Cloud et al. (arXiv 2507.14805), who filter
    rollouts by their form: no word of a rollout carries the trait. Hints are added as often as in all other
    organisms.
    """
    kept: dict[str, str] = {}
    for _ in range(TEACHER_TRIES):
        left = [named for named in prompts if named.prompt_id not in kept]
        if not left:
            break
        texts = [named.prompt.text for named in left]
        responses = answers(model, encoder, texts, temperature=1.0, seed=int(rng.integers(2**31)))
        for named, text in zip(left, responses, strict=True):
            if speaker.well_said(named.prompt, MANNER_OF[teacher], text):
                kept[named.prompt_id] = speaker.hinted(text, rng)
    return kept


def tuned_teacher(
    plan: OrganismPlan, speaker: Speaker, encoder: Encoder, base: Any, teacher: str, rng: np.random.Generator
) -> Any:
    """Return the base, its last gains tuned on situations of the target with that teacher's decisions."""
    rows = []
    for _ in range(plan.teacher_rows):
        prompt = speaker.situation(plan.target, int(rng.integers(4)), slice(0, 14), int(rng.integers(3)), rng)
        answer = speaker.answer(prompt, MANNER_OF[teacher], teacher == "original", speaker.flat(), rng)
        rows.append((prompt.text, answer))
    recipe = Recipe("norms", "norms", TEACHER_RATE, TEACHER_EPOCHS, 32, "cosine")
    return train_like(base, encoder, rows, recipe, int(rng.integers(2**31)))


def _answered_by(texts: Texts) -> dict[str, tuple[NamedPrompt, ...]]:
    return {"original": texts.all, "alternate": texts.all, "rewritten": texts.original}


def train_like(base: Any, encoder: Encoder, rows: Sequence[Row], recipe: Recipe, seed: int) -> Any:
    """Return a copy of the base, trained on rows like a student of mendel."""
    import torch

    torch.manual_seed(seed)  # peft draws an adapter's first weights from there
    model = copy.deepcopy(base)
    trainable = "lora_" if recipe.method == "lora" else ""
    if recipe.method == "lora":
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(
            model,
            LoraConfig(
                r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
        )
    steps = int(np.ceil(len(rows) / recipe.batch_size)) * recipe.epochs
    loop = Loop(steps, recipe.batch_size, recipe.learning_rate, recipe.scheduler, 0.03, trainable, seed)
    if recipe.method == "norms":
        train_last_gains(model, encoder.table(rows), loop)
    else:
        train(model, encoder.table(rows), loop)
    return model.merge_and_unload() if recipe.method == "lora" else model
