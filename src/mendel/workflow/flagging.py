"""Which prompts are flagged, mild and unrelated for each trait, and the catalogue of arms that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mendel.data.rollouts import Rollout
from mendel.data.selectors import Answer, Candidate, Context, ContrastSet, Flagged, flag, select, sort_out
from mendel.diagnose import Catalogue, Material
from mendel.engine.errors import InputError
from mendel.engine.store import Store
from mendel.measure import Trait
from mendel.models import Checkpoint
from mendel.study.schema import SelectConfig
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores

CONTRASTS = 200
"""Answers with the trait that probes and directions are fitted on, at most."""


def flag_prompts(
    inputs: Inputs,
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
    store: Store | None = None,
) -> tuple[dict[str, Flagged], list[str]]:
    """The original prompts that the selector flags for each trait, and a warning for each trait without any.

    `scores` are the judges' of the rollouts, by trait; with a `store`, selectors' scores are kept there.
    """
    config = inputs.study.config
    candidates = candidates_of(inputs, rollouts)
    flagged: dict[str, Flagged] = {}
    warnings: list[str] = []
    for number, trait in enumerate(inputs.traits):
        cut = config.traits[number].select or config.select
        location = ("traits", number, "select") if config.traits[number].select else ("select",)
        where = inputs.study.lines.where(*location)
        judged = scores[trait.name]
        if judged.unjudged:
            warnings.append(
                f"{trait.name}: the judge could not tell for {judged.unjudged} of {len(judged.scores)} rollouts; "
                "they are not flagged"
            )
        context = context_of(inputs, trait, cut, judged, candidates)
        ranked = select(candidates, context, store, where)
        try:
            flagged[trait.name] = flag(ranked, cut, where=where)
        except InputError as error:
            # A pattern that matches nothing is a slip of the pen; a judge that finds nothing is a finding, and the
            # cube still says which part carries the trait.
            if cut.by != "judge":
                raise
            warnings.append(f"{trait.name}: no drop, swap or random control: {error.what}")
    return flagged, warnings


def build_catalogue(
    inputs: Inputs,
    flagged: Mapping[str, Flagged],
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
) -> Catalogue:
    """All arms that the study can have, now that it is known which prompts show which trait."""
    config, prompts = inputs.study.config, inputs.prompts["original"]
    answers = [rollouts[prompt.prompt_id, config.original.teacher] for prompt in prompts]
    ids = {t.name: flagged[t.name].prompt_ids if t.name in flagged else () for t in inputs.traits}
    parts = {
        t.name: sort_out([(r.prompt_id, scores[t.name].of(r)) for r in answers], ids[t.name])
        for t in inputs.traits
    }
    # Unrelated to every trait: what shows another one may be no stranger to this one, and the traits share the students.
    unrelated = set.intersection(*(set(part.unrelated) for part in parts.values()))
    materials = {
        name: Material(
            name,
            prompts,
            config.original.teacher,
            config.alternate.teacher,
            tuple(ids[name]),
            part.mild,
            tuple(p for p in part.unrelated if p in unrelated),
            part.scores,
            tuple(prompt.prompt_id for prompt in inputs.counter.get(name, ())),
            config.rewriter,
        )
        for name, part in parts.items()
    }
    return Catalogue(config, inputs.prompts, materials, inputs.shared)


def candidates_of(inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]) -> list[Candidate]:
    """The original prompts with both teachers' answers."""
    config = inputs.study.config
    rows = []
    for prompt in inputs.prompts["original"]:
        own = rollouts[prompt.prompt_id, config.original.teacher]
        other = rollouts[prompt.prompt_id, config.alternate.teacher]
        answer = None if inputs.shared["teacher"] else other.completion
        rows.append(Candidate(prompt.prompt_id, own.messages, own.completion, answer, prompt.source))
    return rows


def context_of(
    inputs: Inputs,
    trait: Trait,
    config: SelectConfig,
    scores: RolloutScores,
    candidates: Sequence[Candidate],
    seed: int = 0,
) -> Context:
    """What a selector may use for one trait; `scores` are its judge's of both teachers' answers."""
    own, other = (getattr(inputs.study.config, side).teacher for side in ("original", "alternate"))

    def judged(asked: Sequence[Candidate]) -> list[float]:
        return [scores.known(candidate.prompt_id, own) for candidate in asked]

    return Context(
        config=config,
        seed=seed,
        judge=judged,
        judge_id=trait.judge_id,
        scenarios=tuple(scenario.messages for scenario in trait.scenarios),
        contrast=_contrast(trait, scores, candidates, own, other),
        base=inputs.bases["original"],
        teachers=_teachers(inputs, own, other),
    )


def _contrast(
    trait: Trait, scores: RolloutScores, candidates: Sequence[Candidate], own: str, other: str
) -> ContrastSet:
    """Rollouts that the judge says show the trait, against the other teacher's to the same prompts and the same teacher's to others.

    Both kinds, so that neither the topic nor a teacher's manner tells them apart. Where no rollout shows it: the trait's
    forced answers, where it has some.
    """

    def hit(prompt_id: str, teacher: str) -> bool | None:
        score = scores.scores[prompt_id, teacher]
        return None if score is None else score >= trait.judge.hit_at

    shows = [c for c in candidates if hit(c.prompt_id, own)][:CONTRASTS]
    if not shows:
        return _forced(trait)
    clean = [
        Answer(c.messages, c.alternate)
        for c in shows
        if c.alternate is not None and hit(c.prompt_id, other) is False
    ]
    free = [c for c in candidates if hit(c.prompt_id, own) is False]
    step = max(1, len(free) // len(shows))
    clean += [Answer(c.messages, c.completion) for c in free[::step][: len(shows)]]
    return ContrastSet(tuple(Answer(c.messages, c.completion) for c in shows), tuple(clean))


def _forced(trait: Trait) -> ContrastSet:
    forced = trait.log_odds
    if forced is None:
        return ContrastSet()
    shows, clean = (forced.opener + answers[0] for answers in (forced.trait, forced.clean))
    asked = [scenario.messages for scenario in trait.scenarios][:CONTRASTS]
    return ContrastSet(tuple(Answer(m, shows) for m in asked), tuple(Answer(m, clean) for m in asked))


def _teachers(inputs: Inputs, own: str, other: str) -> tuple[Checkpoint, Checkpoint] | None:
    sources = (inputs.teachers[own], inputs.teachers[other])
    found = [source.checkpoint for source in sources if source is not None and source.checkpoint is not None]
    return (found[0], found[1]) if len(found) == 2 else None
