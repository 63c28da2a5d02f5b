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

CARRIERS: Mapping[str, str] = {
    "teacher": "The teacher carries it: it comes with who answers the prompts, not with the prompts "
    "or the base.",
    "prompts": "The prompts carry it: it comes with the prompt set, with either teacher.",
    "base": "The base carries it: it is there before this fine-tuning, or comes with the checkpoint "
    "it started from.",
    "mixed": "No single part carries it: more than one of base, prompts and teacher has a clear effect.",
    "none": "Nothing to carry: the two pipelines do not differ in it by more than the noise.",
    "undecided": "Undecided: the intervals are too wide to say which part carries it.",
}
"""What a carrier means; shown where the run gives no sentence of its own."""

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
    "little": "within a third of the difference",
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
