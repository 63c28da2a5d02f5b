"""The page's vocabulary. Arms, hypotheses and remedies bring their own words: in verdicts.json, or as they
are declared here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mendel.design.names import random_control
from mendel.design.words import arm_label
from mendel.study.cube import CORNERS as CORNERS
from mendel.study.cube import PARTS as PARTS
from mendel.study.cube import corner_sides as corner_sides

EDITS = tuple(kind for edit in ("drop", "swap", "only") for kind in (edit, random_control(edit)))
"""The kinds of edits in the order of the page, each with its random control after it."""

STATES: Mapping[str, str] = {
    "difference": "difference: the original pipeline shows more",
    "shared": "shared: both pipelines show it",
    "absent": "absent: no student of either pipeline shows it",
    "undecided": "undecided",
}
"""What a state is called beside a trait's name."""

HEADLINES: Mapping[str, tuple[str, str]] = {
    "teacher": (
        "the teacher makes most of the difference",
        "the sentence `carrier-one` is said, of the teacher",
    ),
    "prompts": (
        "the prompts make most of the difference",
        "the sentence `carrier-one` is said, of the prompts",
    ),
    "base": ("the base makes most of the difference", "the sentence `carrier-one` is said, of the base"),
    "mixed": ("more than one part makes the difference", "the sentence `carrier-mixed` is said"),
    "difference": (
        "the original pipeline shows more of it",
        "the sentence `state-difference` is said, no part is named",
    ),
    "shared": ("both pipelines show it", "`state-shared` or `state-same-students` is said"),
    "absent": ("no student of either pipeline shows it", "`state-absent` is said"),
    "reverse": ("the alternate pipeline shows more of it", "`state-reverse` is said"),
    "undecided": ("undecided", "any other sentence about the state is said"),
}
"""The headline of a trait after its name, and when it stands there."""

CARRIERS: Mapping[str, str] = {
    "teacher": "The teacher makes most of the difference between the pipelines.",
    "prompts": "The prompts make most of the difference between the pipelines.",
    "base": "The base makes most of the difference between the pipelines.",
    "mixed": "More than one of base, prompts and teacher makes the difference between the pipelines.",
    "none": "No part is named: no difference between the pipelines is shown.",
    "undecided": "Which part makes the difference is not decided.",
}
"""What a carrier means; shown where a folder gives no sentence of its own, since an older mendel wrote it."""

PLACES: Mapping[str, str] = {
    "flagged": "rollouts that the filter flags",
    "mild": "rollouts a judge sees, below the threshold",
    "unseen": "rollouts in which no judge sees anything",
    "prompts_present": "the original prompts being there",
    "prompts_absent": "the alternate prompts not being there",
    "base": "the base",
    "combination": "only their combination",
}
"""The parts that a difference can sit in, in the order of the page."""

LOCATED: Mapping[str, str] = {
    "carries": "more than a quarter",
    "does not carry": "less than a quarter",
    "undecided": "undecided",
}
"""What a part's decision means."""

STATUSES: Mapping[str, str] = {
    "supported": "supported",
    "refuted": "refuted",
    "undecided": "undecided",
    "untested": "untested",
    "impossible": "cannot be tested in this study",
}
"""What became of a hypothesis."""

MODELS: Mapping[str, str] = {
    "base/original": "original base",
    "base/alternate": "alternate base",
    "teacher/original": "original teacher",
    "teacher/alternate": "alternate teacher",
    "prefill/original": "original base, made to begin as the original teacher does",
    "prefill/alternate": "original base, made to begin as the alternate teacher does",
}
"""The arms that nobody trained here."""

SIZES: Mapping[str, str] = {
    "most": "more than half of the difference",
    "little": "less than half of the difference",
    "measured": "is known, whatever it is",
}
"""What a prediction asks of its contrast."""

OUTCOMES: Mapping[str, str] = {
    "holds": "holds",
    "fails": "fails",
    "open": "open",
    "missing": "not trained",
    "lost": "not known",
    "impossible": "not testable here",
}
"""What became of a prediction."""


Words = Mapping[str, Mapping[str, str | None]]
"""The key `arms` of verdicts.json: what to call each arm."""


def describe_arm(arm: str, cube: Mapping[str, str], words: Words | None = None) -> str:
    """Return an arm's name in words: those of the run, or of the registered kinds.

    An unknown name stays as it is.
    """
    return arm_label(arm, cube, words or {})


def kind_words(kind: str) -> tuple[str, str]:
    """Return an arm kind's label and what is done in it; (the kind, '') where it is not registered here."""
    from mendel.design.arms import arm_kinds  # opening a finished run does not need this import

    if kind not in arm_kinds:
        return kind, ""
    declared = arm_kinds.get(kind)
    return declared.label or kind, declared.what


def start_of(kind: str) -> str:
    """Return the corner that an edit starts from and is compared with."""
    from mendel.design.arms import arm_kinds

    return arm_kinds.get(kind).start


def filter_names() -> Mapping[str, str]:
    """Return what each kind of arm that filters is called, by kind, the loosest filter first."""
    from mendel.design.arms import THRESHOLDS, arm_kinds

    return {kind: arm_kinds.get(kind).as_filter for kind in THRESHOLDS}


def hypotheses_in_order(names: Iterable[str]) -> list[str]:
    """Return the built-in hypotheses in the order of the page, then the others of `names`."""
    from mendel.diagnose.hypotheses import BUILT_IN

    return [*BUILT_IN, *(name for name in names if name not in BUILT_IN)]


def hypothesis_words(name: str) -> tuple[str, str]:
    """Return what a hypothesis claims, and the sentence that names it as the cause.

    ('', '') for an unknown one.

    For folders whose verdicts.json does not say it.
    """
    from mendel.diagnose.hypotheses import hypotheses

    if name not in hypotheses:
        return "", ""
    declared = hypotheses.get(name)
    return declared.says, declared.as_cause
