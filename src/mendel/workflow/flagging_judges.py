"""The judge that scores rollouts for the flagging, where a study names another than evaluates responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from mendel.engine.errors import InputError
from mendel.measure import Trait, find_trait, judged_by
from mendel.study import Study

OWN = "own"
"""In a study: the trait's own judge, where `judge` names another."""


def flagging_traits(study: Study, traits: Sequence[Trait]) -> dict[str, Trait]:
    """Return the traits that have a flagging judge, by name, each with this judge in place of its own.

    Args:
        study: The study.
        traits: The study's traits, in its order, with the judges that evaluate responses.

    Raises:
        InputError: There is no such judge, the trait has no rubric that a model could judge by, or the trait
            file is of another trait. The message names the study's line.
    """
    return {
        trait.name: _flagging_trait(study, number, trait)
        for number, trait in enumerate(traits)
        if study.config.traits[number].flagging_judge is not None
    }


def _flagging_trait(study: Study, number: int, trait: Trait) -> Trait:
    config = study.config.traits[number]
    assert config.flagging_judge is not None, "the caller asks only about traits with a flagging judge"
    where = study.lines.where("traits", number, "flagging_judge")
    named = config.flagging_judge.model
    if named != OWN and not named.endswith((".yaml", ".yml")):
        return judged_by(trait, config.flagging_judge, study.root, where)
    other = find_trait(config.name if named == OWN else named, study.root, where)
    if other.name != trait.name:
        raise InputError(
            f"the trait file is of another trait, {other.name!r}",
            where=where,
            value=named,
            allowed=trait.name,
            fix="Name a file of the same trait with another judge.",
        )
    return replace(trait, judge=other.judge, rubric=other.rubric, acts=other.acts, ladder_judge=None)


def same_judge(one: Trait, other: Trait) -> bool:
    """Return whether two judges of a trait score alike: the same rules, or the same model and rubric.

    The score from which on a response is a hit changes no score.
    """
    return one.judge_id == replace(other, judge=_with_hit_at(other.judge, one.judge.hit_at)).judge_id


def _with_hit_at(judge: Any, hit_at: float) -> Any:
    """Return a judge with another threshold; a judge that has none of its own as a field is unchanged."""
    has_field = is_dataclass(judge) and any(one.name == "hit_at" and one.init for one in fields(judge))
    return replace(judge, hit_at=hit_at) if has_field else judge


def judge_warnings(traits: Sequence[Trait], flagging: Mapping[str, Trait]) -> list[str]:
    """Return a warning for each trait whose two judges are one, with what the verdict cannot say then."""
    return [
        f"{trait.name}: flagging_judge is the same judge as the one that evaluates ({trait.judge_id}), so "
        "a single judge decides in which rollouts nothing is seen. What it misses stays among them: the "
        "verdict cannot name subliminal learning or persona selection before labels show its recall (mendel "
        "judge label STUDY --stratum unseen)"
        for trait in traits
        if trait.name in flagging and same_judge(trait, flagging[trait.name])
    ]
