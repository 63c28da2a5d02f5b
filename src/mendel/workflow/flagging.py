"""Flag prompts: find each trait's flagged, mild and unrelated prompts, and build the catalogue of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mendel.data.rollouts import Rollout
from mendel.data.selectors import (
    Answer,
    Candidate,
    Context,
    ContrastSet,
    Flagged,
    SortedOut,
    flag,
    select,
    sort_out,
)
from mendel.diagnose import Catalogue, Material
from mendel.engine.errors import InputError
from mendel.engine.store import Store
from mendel.measure import Trait
from mendel.models import Checkpoint
from mendel.study.schema import SelectConfig
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores

CONTRASTS = 200
"""Greatest number of answers with the trait that probes and directions are fitted on."""


def flag_prompts(
    inputs: Inputs,
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
    store: Store | None = None,
) -> tuple[dict[str, Flagged], list[str]]:
    """Return the original prompts that the selector flags for each trait, and warnings.

    Args:
        inputs: The study's inputs.
        rollouts: By prompt and teacher.
        scores: The judges' scores of the rollouts, by trait.
        store: Keeps the selectors' scores; None: they are not kept.

    Raises:
        InputError: A selector other than the judge flags no prompt.
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
                f"{trait.name}: the judge could not tell for {judged.unjudged} of {len(judged.scores)} "
                "rollouts; they are not flagged"
            )
        second = judged.second
        if second is not None and second.unjudged:
            warnings.append(
                f"{trait.name}: the second judge could not tell for {second.unjudged} of "
                f"{len(second.scores)} rollouts; they count as mild"
            )
        context = context_of(inputs, inputs.flags(trait), cut, judged, candidates)
        ranked = select(candidates, context, store, where)
        try:
            flagged[trait.name] = flag(ranked, cut, where=where)
        except InputError as error:
            # A pattern that matches nothing is a mistake in the study. A judge that finds nothing is a
            # result, and the cube still says which part carries the trait.
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
    """Return the catalogue of all arms that the study can have, given the flagged prompts."""
    config, prompts = inputs.study.config, inputs.prompts["original"]
    answers = [rollouts[prompt.prompt_id, config.original.teacher] for prompt in prompts]
    ids = {t.name: flagged[t.name].prompt_ids if t.name in flagged else () for t in inputs.traits}
    parts = {t.name: sort_answers(answers, ids[t.name], scores[t.name]) for t in inputs.traits}
    # Unrelated prompts are unrelated to every trait: traits share the students, and a prompt that shows one
    # trait may affect another.
    unrelated = set.intersection(*(set(part.unrelated) for part in parts.values()))
    known = {prompt.prompt_id for prompt in prompts}
    others = tuple(p.prompt_id for p in inputs.prompts["alternate"] if p.prompt_id not in known)
    others = () if inputs.shared["prompts"] else others
    rewriter, not_rewritten = config.rewriter, {}
    if rewriter is not None and any((p.prompt_id, rewriter) not in rollouts for p in prompts):
        rewriter = None
        not_rewritten = {"rewriter": f"{config.alternate.teacher!r} cannot rewrite rollouts"}
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
            rewriter,
            others,
            {**inputs.lacking.get(name, {}), **not_rewritten},
        )
        for name, part in parts.items()
    }
    return Catalogue(config, inputs.prompts, materials, inputs.shared)


def sort_answers(answers: Sequence[Rollout], flagged: Sequence[str], scores: RolloutScores) -> SortedOut:
    """Sort a teacher's unflagged answers into mild and unrelated ones.

    An answer is unrelated where every judge gives it its least score. It is mild where a judge sees anything,
    or cannot tell.
    """
    second = scores.second
    seen = [r.prompt_id for r in answers if second is not None and second.sees(r)]
    return sort_out([(r.prompt_id, scores.of(r)) for r in answers], flagged, scores.lowest, seen)


def candidates_of(inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]) -> list[Candidate]:
    """Return the original prompts with both teachers' answers, or with the one of a shared teacher."""
    config = inputs.study.config
    rows = []
    for prompt in inputs.prompts["original"]:
        original = rollouts[prompt.prompt_id, config.original.teacher]
        alternate = rollouts[prompt.prompt_id, config.alternate.teacher]
        answer = None if inputs.shared["teacher"] else alternate.completion
        rows.append(
            Candidate(prompt.prompt_id, original.messages, original.completion, answer, prompt.source)
        )
    return rows


def context_of(
    inputs: Inputs,
    trait: Trait,
    config: SelectConfig,
    scores: RolloutScores,
    candidates: Sequence[Candidate],
    seed: int = 0,
) -> Context:
    """Return what a selector may use for one trait; `scores` are of both teachers' answers."""
    pipelines = inputs.study.config
    original, alternate = pipelines.original.teacher, pipelines.alternate.teacher

    def judged(rows: Sequence[Candidate]) -> list[float]:
        return [scores.known(row.prompt_id, original) for row in rows]

    return Context(
        config=config,
        seed=seed,
        judge=judged,
        judge_id=trait.judge_id,
        scenarios=tuple(scenario.messages for scenario in trait.scenarios),
        contrast=_contrast(trait, scores, candidates, original, alternate),
        base=inputs.bases["original"],
        teachers=_teachers(inputs, original, alternate),
    )


def _contrast(
    trait: Trait, scores: RolloutScores, candidates: Sequence[Candidate], own: str, other: str
) -> ContrastSet:
    """Return rollouts that show the trait, and rollouts that do not, as the judge says.

    The clean rollouts are the other teacher's on the same prompts, and the same teacher's on other prompts.
    With both kinds, neither the topic nor a teacher's manner separates the two sets. If no rollout shows the
    trait, return the trait's forced answers, if it has any.
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
    """Return the trait's forced answers to its scenarios; an empty set if the trait has none."""
    forced = trait.log_odds
    if forced is None:
        return ContrastSet()
    shows, clean = (forced.opener + answers[0] for answers in (forced.trait, forced.clean))
    prompts = [scenario.messages for scenario in trait.scenarios][:CONTRASTS]
    return ContrastSet(
        tuple(Answer(messages, shows) for messages in prompts),
        tuple(Answer(messages, clean) for messages in prompts),
    )


def _teachers(inputs: Inputs, own: str, other: str) -> tuple[Checkpoint, Checkpoint] | None:
    """Return the checkpoints of the two teachers; None unless both are checkpoints."""
    sources = (inputs.teachers[own], inputs.teachers[other])
    checkpoints = [
        source.checkpoint for source in sources if source is not None and source.checkpoint is not None
    ]
    return (checkpoints[0], checkpoints[1]) if len(checkpoints) == 2 else None
