"""Every sentence that a verdict can say, with the condition under which it may.

A sentence is said by its key, so that no other module writes one, and `docs/sentences.md` lists them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """A sentence with places for its values."""

    text: str
    when: str
    """The condition under which it may appear."""


@dataclass(frozen=True)
class Said:
    """A sentence that was said."""

    key: str
    """Key of `SENTENCES`."""
    text: str

    def json(self) -> dict[str, str]:
        """Return the sentence as `verdicts.json` has it."""
        return {"key": self.key, "text": self.text}


SENTENCES: dict[str, Sentence] = {
    "state-unmeasured": Sentence(
        "Nothing is known of it: {why}.",
        "one of the two pipelines has no usable, measured student",
    ),
    "state-one-seed": Sentence(
        "The original pipeline is at {original}, the alternate one at {alternate}. One student an arm says "
        "nothing about the noise of training, so nothing is decided.",
        "no arm has a second usable student",
    ),
    "state-same-students": Sentence(
        "The two pipelines are the same students, at {original}.",
        "the pipelines share base, prompts and teacher, and the interval for these students lies above a "
        "tenth of the scale",
    ),
    "state-difference": Sentence(
        "The original pipeline shows more of it than the alternate one: {original} against {alternate}, a "
        "difference of {difference}.",
        "the interval of original minus alternate lies above 0, and the estimate is at least a tenth of the "
        "scale",
    ),
    "state-reverse": Sentence(
        "The alternate pipeline shows more of it than the original one: {original} against {alternate}, a "
        "difference of {difference}. To ask what brings it in, exchange the two pipelines in the study.",
        "the interval of original minus alternate lies below 0, and the estimate is a tenth of the scale or "
        "more below",
    ),
    "state-shared": Sentence(
        "Both pipelines show it: the original one {original}, the alternate one {alternate}, each more than "
        "half as much as the other. They are not shown to differ ({difference}), so that comparing them "
        "cannot say what brings it in.",
        "the intervals of both pipelines' levels lie above a tenth of the scale, either level is shown to be "
        "more than half of the other one, and no difference is shown",
    ),
    "state-absent": Sentence(
        "None of the {count} students of the two pipelines shows it: {original} and {alternate}, where the "
        "intervals hold what further students may show. These students are shown to be below {highest}.",
        "three or more usable students of each pipeline, none above a fifth of the scale, none broken, and "
        "the intervals for these students lie below a fifth of the scale",
    ),
    "state-undecided": Sentence(
        "Its state is not decided: {original} against {alternate}, a difference of {difference}. That is not "
        "shown to be above 0 and at least {smallest}; nor are both pipelines shown to have it, each more "
        "than half as much as the other, or both to be without it.",
        "two or more students, and none of the above",
    ),
    "shared-base": Sentence(
        "The untrained {side} base shows {level} of it already.",
        "the state is shared, and the base was measured and its interval lies above a tenth of the scale",
    ),
    "shared-base-low": Sentence(
        "The untrained {side} base shows {level} of it, which is not shown to be above a tenth of the scale.",
        "the state is shared, the base was measured, and its interval does not lie above a tenth",
    ),
    "shared-base-unknown": Sentence(
        "What the untrained {side} base shows is not known.",
        "the state is shared, and the base was not measured",
    ),
    "shared-what-helps": Sentence(
        "An alternate pipeline that differs in the {shared} could tell; this one shares it with the "
        "original.",
        "the state is shared, and the pipelines share a part",
    ),
    "shared-what-helps-all": Sentence(
        "An alternate pipeline that is shown not to have it could tell.",
        "the state is shared, and the pipelines share no part",
    ),
    "located": Sentence(
        "Shown to carry more than a quarter of the difference: {numbers}.",
        "the state is difference, and of each named part what it brings in alone, or what goes when it is "
        "taken out, is shown to be more than a quarter of the difference",
    ),
    "not-located": Sentence(
        "No part of the data or of the pipeline is shown to carry more than a quarter of the difference.",
        "the state is difference, and no part is shown to",
    ),
    "excluded": Sentence(
        "Shown to carry less than a quarter of it, alone and when taken out: {parts}.",
        "of each named part both shares are shown to be below a quarter of the difference",
    ),
    "carrier-one": Sentence(
        "More than half of the difference between the pipelines comes with the {part}: {effect}. Estimates "
        "for the other parts: {others}.",
        "the part's effect is shown to be more than half of the difference, and the estimates of the other "
        "parts are below a quarter of it",
    ),
    "carrier-mixed": Sentence(
        "The {parts} each make more than a quarter of the difference between the pipelines: {effects}.",
        "two or more parts' effects are shown to be more than a quarter of the difference",
    ),
    "carrier-none": Sentence(
        "Neither pipeline shows it, so that no part carries a difference.",
        "the state is absent",
    ),
    "carrier-no-difference": Sentence(
        "Which part carries it cannot be said: the original pipeline is not shown to have more of it.",
        "the state is shared or undecided",
    ),
    "carrier-undecided": Sentence(
        "Which part carries it is not decided: {effects}.",
        "the state is difference, and neither of the two sentences above holds",
    ),
    "edits": Sentence(
        "{clauses}.",
        "the arms that it names have usable students; a number that stands alone has no interval",
    ),
    "edits-unmeasured": Sentence(
        "Neither dropping the flagged prompts nor swapping their teacher was measured.",
        "neither arm has a usable student",
    ),
    "cause": Sentence(
        "{means}: of the difference of {difference}, {numbers}.",
        "every prediction of the hypothesis is shown to hold, and every condition that it needs is known to "
        "hold",
    ),
    "cause-others": Sentence(
        "Supported as well: {others}.",
        "the other hypotheses' predictions are shown to hold, too",
    ),
    "cause-open": Sentence(
        "Neither supported nor refuted here: {others}.",
        "the state is difference; the hypotheses are undecided or untested",
    ),
    "cause-undecided": Sentence(
        "No mechanism is named: of {count} hypotheses {refuted} are refuted by a measured contrast.",
        "the state is difference, and no hypothesis is supported",
    ),
    "cause-impossible": Sentence(
        "This study cannot test {others}: both sides of a contrast would be the same students.",
        "the state is difference, and a contrast of these hypotheses has the same arm on both sides",
    ),
    "cause-absent": Sentence(
        "Neither pipeline shows it, so that nothing was asked about causes.",
        "the state is absent",
    ),
    "cause-not-asked": Sentence(
        "Nothing was asked about causes, since the original pipeline is not shown to have more of it than "
        "the alternate one.",
        "the state is shared or undecided",
    ),
    "advice-unmeasured": Sentence(
        "Not known: the two pipelines were not both measured.",
        "one of the two pipelines has no usable, measured student",
    ),
    "advice-shared": Sentence(
        "Both pipelines show it ({original} and {alternate}), so that going over to the alternate one does "
        "not remove it. A pipeline with another base or other data for this situation would have to be "
        "compared.",
        "the state is shared",
    ),
    "advice-absent": Sentence(
        "Nothing to change: no student of either pipeline shows it ({original} and {alternate}).",
        "the state is absent",
    ),
    "advice-undecided": Sentence(
        "No change is recommended: the original pipeline is not shown to have more of it than the alternate "
        "one ({original} and {alternate}).",
        "the state is undecided",
    ),
    "recipe-changes": Sentence(
        "The verdict changes with the recipe: {changes}.",
        "robustness was asked for, and under another learning rate or method the estimate of the difference "
        "is below a tenth of the scale, or that of a decisive contrast lies on the other side of half of it "
        "(a cause) or a quarter (a location)",
    ),
    "recipe-holds": Sentence(
        "By the estimates of {students} or more students an arm, {what} {recipes}.",
        "robustness was asked for; under these recipes the estimate of the difference is a tenth of the "
        "scale or more, and those of the decisive contrasts, if there are any, lie on the side that decided",
    ),
    "recipe-undecided": Sentence(
        "Whether the verdict holds under every recipe is not known: {reasons}.",
        "robustness was asked for, and an arm of these recipes has no usable student",
    ),
    "smallest-visible": Sentence(
        "With {seeds} students of either pipeline and {scenarios} scenarios in {clusters} clusters, four of "
        "five studies like this one would show a difference of {agree} or more where students of an arm "
        "agree; where they vary, {vary}.",
        "the state is undecided, and simulated studies with the run's own counts show a difference of the "
        "whole scale",
    ),
    "smallest-visible-none": Sentence(
        "With {seeds} students of either pipeline and {scenarios} scenarios in {clusters} clusters, no "
        "difference could be shown: {needed}.",
        "the state is undecided, and simulated studies with the run's own counts show no difference",
    ),
    "smallest-share": Sentence(
        "With {seeds} students an arm and {scenarios} scenarios in {clusters} clusters, four of five studies "
        "like this one would show that a part {what} if it makes {agree} or more of this difference and "
        "students of an arm agree; where they vary, {vary}.",
        "the state is difference, the cause is undecided or no part is located, and simulated studies with "
        "the run's own counts show it of a part that makes all of the difference",
    ),
    "smallest-share-none": Sentence(
        "With {seeds} students an arm and {scenarios} scenarios in {clusters} clusters, four of five studies "
        "like this one would not show that a part {what}, even one that makes all of this difference: "
        "{needed}.",
        "the same, and simulated studies do not show it",
    ),
}
"""Every sentence, by key, in the order of the page."""


def say(key: str, **values: object) -> Said:
    """Return a sentence with its values in place.

    Args:
        key: Key of `SENTENCES`.
        **values: The values of its places.

    Returns:
        The sentence.
    """
    text = SENTENCES[key].text.format(**values)
    return Said(key, f"{text[:1].upper()}{text[1:]}")
