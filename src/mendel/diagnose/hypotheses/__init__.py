"""The hypotheses for why a filter fails, one file each: a declaration of its words and of what it predicts.

Another one is another file here, or a module of one's own under the entry-point group `mendel.hypotheses`.
"""

from __future__ import annotations

from dataclasses import replace

from mendel.design.names import check_side
from mendel.diagnose.contrasts import Difference

# Each module registers its hypothesis.
from mendel.diagnose.hypotheses import bad_prompts as bad_prompts
from mendel.diagnose.hypotheses import direct_imitation as direct_imitation
from mendel.diagnose.hypotheses import persona_selection as persona_selection
from mendel.diagnose.hypotheses import post_training_lock_in as post_training_lock_in
from mendel.diagnose.hypotheses import pretraining_lock_in as pretraining_lock_in
from mendel.diagnose.hypotheses import simple_generalization as simple_generalization
from mendel.diagnose.hypotheses import subliminal_learning as subliminal_learning
from mendel.diagnose.hypotheses import underspecification as underspecification
from mendel.diagnose.hypotheses.registry import (
    LITTLE,
    MOST,
    Hypothesis,
    Prediction,
    hypotheses,
    hypothesis,
    little,
    measured,
    most,
)
from mendel.engine.errors import InputError

__all__ = [
    "BUILT_IN",
    "LITTLE",
    "MOST",
    "Difference",
    "Hypothesis",
    "Prediction",
    "all_hypotheses",
    "differences",
    "hypotheses",
    "hypothesis",
    "little",
    "measured",
    "most",
]

BUILT_IN = (
    "direct_imitation",
    "simple_generalization",
    "subliminal_learning",
    "persona_selection",
    "underspecification",
    "bad_prompts",
    "pretraining_lock_in",
    "post_training_lock_in",
)
"""The built-in hypotheses in the order of the page; those of other packages follow."""


def all_hypotheses() -> tuple[Hypothesis, ...]:
    """Return every registered hypothesis, by name; one of another package has its full name (`my_pkg/mood`).

    Raises:
        InputError: A package's hypotheses cannot be loaded. A study that ran without one would give other
            verdicts.
    """
    hypotheses.require_all()
    return tuple(replace(hypotheses.get(name), name=name) for name in hypotheses)


def differences() -> tuple[Difference, ...]:
    """Return the contrasts that the hypotheses bring, each once.

    Raises:
        InputError: Two contrasts share an id and differ, one is of an unknown arm kind, or a package's
            hypotheses cannot be loaded.
    """
    by_id: dict[str, Difference] = {}
    brought_by: dict[str, str] = {}
    for declared in all_hypotheses():
        for difference in declared.differences:
            first = brought_by.setdefault(difference.id, declared.name)
            if by_id.setdefault(difference.id, difference) != difference:
                raise InputError(
                    f"each brings another contrast called {difference.id!r}",
                    where=f"hypotheses {first!r} and {declared.name!r}",
                    fix="Give one of the two differences another id.",
                )
            for side in (difference.first, difference.second):
                check_side(side, f"hypothesis {declared.name!r}: {difference.id!r}")
    return tuple(by_id.values())
