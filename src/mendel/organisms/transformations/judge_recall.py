"""`judge_recall=X`: the judges miss the mild forms in some wordings of the answer."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from itertools import product

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.texts import grades
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import NumberValue, Transformation, transformation

WITH_MILD = ("simple_generalization", "bad_prompts")
"""Causes with mild forms among the original teacher's rollouts."""
Wording = tuple[int, int, int]
"""Numbers of an answer's degree, opener and closer."""
WORDINGS: tuple[Wording, ...] = tuple(product(range(2), range(2), range(2)))


def _planted(planted: Planted, recall: float, rng: Rng) -> Planted:
    draw = rng("with", "judge_recall")
    orders = [[WORDINGS[i] for i in draw.permutation(len(WORDINGS))] for _ in range(3)]
    target = planted.plan.target
    counts = _counts(planted, target)
    # A judge is a pattern: it sees wordings, not rows. The target's come nearest to the recall in rows.
    wanted, seen = recall * sum(counts.values()), 0
    kept: list[Wording] = []
    for wording in orders[target]:
        if abs(seen + counts[wording] - wanted) < abs(seen - wanted):
            kept.append(wording)
            seen += counts[wording]
    judges = tuple(
        judge_that_sees(planted, trait, kept if trait == target else orders[trait][: round(8 * recall)])
        for trait in range(3)
    )
    return replace(planted, judges=judges)


def judge_that_sees(planted: Planted, trait: int, seen: Collection[Wording]) -> tuple[str, str]:
    """Return the two patterns of a judge that sees these wordings of mild forms only."""
    words = planted.lexicon.traits[trait]
    strong, _ = grades(planted.speaker, trait)
    manners = planted.lexicon.manners
    forms = [
        rf"({'|'.join(m.openers[opener] for m in manners)}) {words.decision} {words.degrees[degree]} "
        rf"({'|'.join(m.closers[closer] for m in manners)})"
        for degree, opener, closer in sorted(seen)
    ]
    return strong, rf"\b({'|'.join((*words.hints, *forms))})\b"


def _counts(planted: Planted, trait: int) -> dict[Wording, int]:
    """Return how many mild forms of the original teacher have each wording."""
    counts = dict.fromkeys(WORDINGS, 0)
    words = planted.lexicon.traits[trait]
    for named in planted.texts.original:
        if named.prompt.trait != trait or not planted.shows("original", named):
            continue
        found = re.fullmatch(r"(\S+) \S+ (\S+) (\S+)", planted.rollouts["original"][named.prompt_id])
        if found and found[2] in words.degrees[:2]:
            manner = next(m for m in planted.lexicon.manners if found[1] in m.openers)
            degree = words.degrees.index(found[2])
            counts[degree, manner.openers.index(found[1]), manner.closers.index(found[3])] += 1
    return counts


def _truth(truth: PlantedTruth, planted: Planted, recall: float) -> PlantedTruth:
    return truth.at(*truth.location, "unseen") if "mild" in truth.location and recall < 1 else truth


transformation("judge_recall")(
    Transformation(
        says="The judge of each trait sees only the share X of the mild forms, by their wording. The others "
        "get its least score.",
        causes=WITH_MILD,
        value=NumberValue(0.05, 0.95),
        excludes=("mild_unseen", "clean_mild"),
        on_planted=_planted,
        on_truth=_truth,
    )
)
