"""What a study's arms are made from: the prompts that are flagged, mild and unrelated, and the catalogue of all arms."""

from __future__ import annotations

from collections.abc import Mapping

from mendel.data.rollouts import Rollout
from mendel.data.selectors import Flagged, flag, select, sort_out
from mendel.diagnose import Catalogue, Material
from mendel.engine.errors import InputError
from mendel.engine.store import Store
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores
from mendel.workflow.selecting import candidates_of, context_of


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
