"""The ingredients of a study, checked before they are believed: sister, rewriter, counter-examples …"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mendel.data.rollouts import Rollout
from mendel.design.arms import TAUGHT_KINDS, arm_kinds
from mendel.design.names import base_arm, parse_arm, prefill_arm
from mendel.design.shared import SHARED_KINDS, sister_prefill_arm
from mendel.diagnose import Catalogue, Effects, Material, TraitFacts
from mendel.diagnose.contrasts import contrast_id
from mendel.diagnose.hypotheses.shared_contrasts import SISTER, UNRELATED
from mendel.diagnose.rewriter_screens import LEAST_ROWS, RewrittenRow, screen_rewriter
from mendel.diagnose.screens import (
    INGREDIENTS,
    Screening,
    clean,
    joined,
    kin,
    learns,
    same_prior,
    shown_share,
)
from mendel.diagnose.taught import TAUGHT, TAUGHT_SISTER
from mendel.engine.interval import Interval
from mendel.measure import Trait
from mendel.models.weights import likeness
from mendel.results.verdicts import TraitVerdict
from mendel.study.cube import SIDES
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores

if TYPE_CHECKING:
    import pyarrow as pa

Judge = Callable[[Trait, Sequence[Rollout]], RolloutScores]
"""Scores rollouts by a trait's judge."""
LEAVES_UNSAID = {
    "sister": "subliminal learning and persona selection cannot be told apart",
    "rewriter": "whether the manner of the rollouts brings the trait in is not said: neither subliminal "
    "learning nor persona selection can be named",
    "pretrained": "pretraining lock-in and post-training lock-in cannot be told apart",
    "counter": "underspecification and lock-in cannot be told apart",
}
"""What a verdict will not be able to say without an ingredient that fits."""


@dataclass(frozen=True)
class Ingredients:
    """One trait's ingredients with their checks, and how often the alternate teacher shows the trait."""

    trait: str
    checks: Mapping[str, Screening] = field(default_factory=dict)
    """By name; those that the study has. Nothing of them takes a student."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """By name; why the study lacks the others."""
    shows: Mapping[str, tuple[Interval, int]] = field(default_factory=dict)
    """The share of `prompts` (all original ones) and of `flagged` ones on which the alternate teacher shows
    the trait, and the number of answers that it is of."""
    learning: Screening | None = None
    """Whether the sister learns the trait from the flagged rows; None: not looked at yet."""

    @classmethod
    def read(cls, trait: str, verdict: TraitVerdict) -> Ingredients:
        """Return the ingredients of a finished run, as its verdict on the trait has them.

        Args:
            trait: The trait.
            verdict: The verdict.
        """
        fits = {"fits": True, "does not fit": False}
        checks = {
            name: Screening(fits.get(one.status), one.why)
            for name, one in (verdict.ingredients or {}).items()
        }
        shows = {part: (one.interval, one.n or 0) for part, one in (verdict.alternate_shows or {}).items()}
        return cls(trait, checks, shows=shows)

    def check(self, name: str) -> Screening:
        """Return what is known of an ingredient: one that the study lacks is unknown.

        Args:
            name: One of `INGREDIENTS`.
        """
        if name not in self.checks:
            return Screening(None, self.lacking.get(name, "the study has none"))
        if name == "sister" and self.learning is not None:
            return joined(self.checks[name], self.learning)
        return self.checks[name]

    def unfit(self, arm: str) -> str:
        """Return why an arm does not test what its contrasts say, '' where every ingredient of it fits.

        Before any student is trained, a sister counts as fit that has passed the other checks. The arms that
        teach her are never unfit for what they show.

        Args:
            arm: The arm's name.
        """
        kind = parse_arm(arm).kind
        if kind in SHARED_KINDS or kind not in arm_kinds:
            return ""
        declared = arm_kinds.get(kind)
        needed = [name for name in INGREDIENTS if name in (*declared.needs, declared.base)]
        reasons = []
        for name in needed:
            check = self.checks.get(name) if kind in TAUGHT_KINDS else self.check(name)
            if name in self.checks and check is not None and not check.fits:
                reasons.append(unfit_words(name, check))
        return "; ".join(reasons)

    def with_effects(self, effects: Effects) -> Ingredients:
        """Return the ingredients with what the students say of the sister, where she was taught.

        Args:
            effects: The trait's effects.
        """
        if "sister" not in self.checks:
            return self
        taught, shown = (
            (contrast_id(self.trait, base.id), contrast_id(self.trait, sister.id))
            for base, sister in ((TAUGHT, TAUGHT_SISTER), (UNRELATED, SISTER))
        )
        if not {taught[1], shown[1]} & set(effects.estimates):
            return self
        return replace(self, learning=learns(effects, taught, shown))

    def json(self) -> dict[str, object]:
        """Return the keys `ingredients` and `alternate_shows` of the trait's verdict."""
        return {
            "ingredients": {name: self.check(name).json() for name in INGREDIENTS},
            "alternate_shows": {part: {**share.json(), "n": n} for part, (share, n) in self.shows.items()},
        }

    @property
    def warnings(self) -> list[str]:
        """A sentence for every ingredient that is there and does not fit, with what it leaves unsaid."""
        return [
            f"{self.trait}: {unfit_words(name, check)}; so {LEAVES_UNSAID[name]}"
            for name in self.checks
            if not (check := self.check(name)).fits
        ]


def unfit_words(name: str, check: Screening) -> str:
    """Return that an ingredient is not shown to fit, in words.

    Args:
        name: One of `INGREDIENTS`.
        check: Its check.
    """
    called = {"pretrained": "ancestor ('pretrained')", "counter": "set of counter-examples"}.get(name, name)
    if check.fits is None:
        return f"it is not known whether the {called} fits: {check.why}"
    return f"no {called}: {check.why}"


def screen_inputs(inputs: Inputs) -> dict[str, Screening]:
    """Check what needs no answer of any model: architectures, initializations, and who rewrites.

    Args:
        inputs: The study's inputs.

    Returns:
        The checks by ingredient; a rewriter is among them only where it is the original teacher.
    """
    checks = {}
    base = inputs.bases["original"]
    for name in ("sister", "pretrained"):
        if name in inputs.bases:
            found = likeness(base, inputs.bases[name])
            checks[name] = kin(
                same_weights=found.same_weights,
                architecture=found.architecture,
                words=found.words,
                cosine=found.cosine,
                ancestor=name == "pretrained",
            )
    if _rewrites_itself(inputs):
        checks["rewriter"] = Screening(False, "it is the original teacher itself, whose manner stays")
    return checks


def input_warnings(checks: Mapping[str, Screening]) -> list[str]:
    """Return a sentence for every ingredient that is known not to fit before any model is asked.

    Args:
        checks: As `screen_inputs` returns them.
    """
    return [
        f"{unfit_words(name, check)}; so {LEAVES_UNSAID[name]}"
        for name, check in checks.items()
        if not check.fits
    ]


def _rewrites_itself(inputs: Inputs) -> bool:
    config = inputs.study.config
    if config.rewriter is None:
        return False
    if config.rewriter == config.original.teacher:
        return True
    own, rewriter = config.teachers[config.original.teacher], config.teachers[config.rewriter]
    sources = inputs.teachers.get(config.original.teacher), inputs.teachers.get(config.rewriter)
    if sources[0] is None or sources[1] is None:
        return own.model == rewriter.model
    # One model under a system prompt is another teacher without it.
    return sources[0].digest == sources[1].digest and own.system is None


def screen_rollouts(
    inputs: Inputs,
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
    catalogue: Catalogue,
    judge: Judge,
) -> dict[str, Ingredients]:
    """Check the ingredients by files, rollouts and judges, before any model is measured or trained.

    Args:
        inputs: The study's inputs.
        rollouts: All rollouts, by prompt and teacher.
        scores: The judges' scores of the two teachers' answers to the original prompts, by trait.
        catalogue: Knows the flagged, mild and unrelated prompts of every trait.
        judge: Scores further rollouts: rewritten ones, and the answers to counter-examples.

    Returns:
        The ingredients by trait.

    Raises:
        BudgetSpent: The budget is spent; judgements until then are kept.
        Waiting: Requests to a judge wait in the batch file for a provider's answers.
    """
    known = screen_inputs(inputs)
    made = {}
    for trait in inputs.traits:
        material = catalogue.materials[trait.name]
        checks = dict(known)
        if material.counter:
            checks["counter"] = _clean(trait, material, rollouts, judge)
        if material.rewriter is not None and "rewriter" not in checks:
            checks["rewriter"] = _rewriting(trait, material, rollouts, scores[trait.name], judge)
        lacking = {name: material.lacking(name) for name in INGREDIENTS if name not in checks}
        shows = {
            part: shown_share(
                [scores[trait.name].scores[prompt, material.alternate] for prompt in prompts],
                trait.judge.hit_at,
            )
            for part, prompts in (("prompts", material.ids), ("flagged", material.flagged))
        }
        made[trait.name] = Ingredients(trait.name, checks, lacking, shows)
    return made


def _clean(
    trait: Trait, material: Material, rollouts: Mapping[tuple[str, str], Rollout], judge: Judge
) -> Screening:
    answers = [rollouts[prompt, material.alternate] for prompt in material.counter]
    judged = judge(trait, answers)
    known = [score for answer in answers if (score := judged.of(answer)) is not None]
    return clean(sum(score >= trait.judge.hit_at for score in known), len(known))


def _rewriting(
    trait: Trait,
    material: Material,
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: RolloutScores,
    judge: Judge,
) -> Screening:
    teachers = (material.original, str(material.rewriter), material.alternate)
    flagged = set(material.flagged)
    prompts = material.unrelated
    if len(prompts) < LEAST_ROWS:
        prompts = tuple(prompt for prompt in material.ids if prompt not in flagged)
    rows = [RewrittenRow(*(rollouts[prompt, t].completion for t in teachers)) for prompt in prompts]
    rewritten = [rollouts[prompt, teachers[1]] for prompt in material.flagged]
    judged = judge(trait, rewritten)
    pairs = [
        (before, after)
        for answer in rewritten
        if (before := scores.scores[answer.prompt_id, material.original]) is not None
        and (after := judged.of(answer)) is not None
    ]
    return screen_rewriter(rows, pairs, scores.lowest)


def screen_untrained(
    ingredients: Mapping[str, Ingredients],
    students: pa.Table,
    measurements: pa.Table,
    facts: Sequence[TraitFacts],
) -> dict[str, Ingredients]:
    """Return the ingredients with what the untrained sister shows beside the untrained base.

    Args:
        ingredients: By trait, as `screen_rollouts` returns them.
        students: The table of the untrained models.
        measurements: Their measurements.
        facts: The traits.
    """
    arms = set(students["arm"].to_pylist())
    pairs = [(base_arm("sister"), base_arm("original"), "untrained")]
    pairs += [
        (sister_prefill_arm(side), prefill_arm(side), f"made to begin as the {side} teacher does")
        for side in SIDES
    ]
    made = dict(ingredients)
    for trait in facts:
        known = ingredients[trait.name]
        if "sister" in known.checks:
            prior = [
                same_prior(students, measurements, trait, sister, base, what)
                for sister, base, what in pairs
                if {sister, base} <= arms
            ]
            sister = joined(known.checks["sister"], *prior)
            made[trait.name] = replace(known, checks={**known.checks, "sister": sister})
    return made
